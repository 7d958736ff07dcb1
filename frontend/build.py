"""From a rule's children to a node of the syntax tree: declarations."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from bertha_ir.frontend import ast, facts, tree
from bertha_ir.frontend.build_body import MAKERS as BODY_MAKERS
from bertha_ir.frontend.build_body import Maker, node, only, pair, together

if TYPE_CHECKING:
    from bertha_ir.source import Span


def message(span: Span, children: list[Any]) -> tree.Message:
    """`message name over parents { fields }`."""
    name, parents, *fields = children
    return tree.Message(name, parents or (), tuple(fields), span)


def message_field(span: Span, children: list[Any]) -> tree.MessageField:
    """`name: type rule;`."""
    name, type_, rule = children
    return tree.MessageField(name, type_, rule, span)


def checksum(span: Span, children: list[Any]) -> tree.ChecksumRule:
    """Read the rule of a field that is a checksum."""
    return tree.ChecksumRule(children[0], children[1] is not None, span)


def conditions(_: Span, children: list[Any]) -> tuple[Any, ...]:
    """`a == 1 && b == 2`: the words between are dropped."""
    return tuple(c for c in children if not isinstance(c, str))


def chunnel(span: Span, children: list[Any]) -> tree.Chunnel:
    """`chunnel name(parameters) { clauses }`."""
    name, parameters, *clauses = children
    return tree.Chunnel(name, parameters or (), tuple(clauses), span)


def state(span: Span, children: list[Any]) -> tree.State:
    """`state name: type modifiers;`."""
    name, type_, *modifiers = children
    return tree.State(name, type_, tuple(modifiers), span)


def transport(span: Span, children: list[Any]) -> tree.Transport:
    """`transport header { addresses }`."""
    return tree.Transport(children[0], tuple(children[1:]), span)


def stack(span: Span, children: list[Any]) -> tree.Stack:
    """`stack name(end, end) { items }`."""
    name, first, second, *items = children
    return tree.Stack(name, (first, second), tuple(items), span)


def use(span: Span, children: list[Any]) -> tree.Use:
    """`chunnel(arguments)`."""
    return tree.Use(children[0], children[1] or (), span)


def direction(span: Span, children: list[Any]) -> tree.Direction:
    """`name: use |> fork |> select |> use;`."""
    name, *stages = children
    return tree.Direction(name, tuple(stages), span)


def fork(span: Span, children: list[Any]) -> tree.Fork:
    """`fork { chain | chain }`."""
    return tree.Fork(tuple(c for c in children if isinstance(c, tuple)), span)


def select(span: Span, children: list[Any]) -> tree.Select:
    """`select { chain | none prefer name }`."""
    *branches, preferred = children
    return tree.Select(tuple(c for c in branches if isinstance(c, tuple)), preferred, span)


def none(_: Span, __: list[Any]) -> tuple[tree.Use, ...]:
    """`none`: the branch without a chunnel."""
    return ()


def rule(span: Span, children: list[Any]) -> tree.Rule:
    """`rule name(parameters): chain => chain over word where condition;`."""
    name, parameters, left, right, equivalence, condition = children
    return tree.Rule(name, parameters or (), left, right, equivalence, condition, span)


def implementation(span: Span, children: list[Any]) -> tree.Implementation:
    """`implementation name of chunnels on kind "profile" { items }`."""
    name, chunnels, kind, profile, *items = children
    return tree.Implementation(name, chunnels, kind, profile, tuple(items), span)


def attribute(span: Span, children: list[Any]) -> tree.Attribute:
    """`name value;`: a number may be a fraction, which its unit may make whole."""
    name, value, *unit = children
    match value:
        case ast.Number() | ast.Decimal():
            return tree.Attribute(name, int(value.value), Fraction(value.value), unit[0] if unit else None, span)
        case ast.Fixed():
            return tree.Attribute(name, value.value, None, None, span)
        case ast.Text():
            return tree.Attribute(name, value.value.decode(errors="replace"), None, None, span)
        case _:
            return tree.Attribute(name, value.text, None, None, span)


def unit(_: Span, children: list[Any]) -> str:
    """`Gbit/s`."""
    return "/".join(c.text for c in children if c)


def device(span: Span, children: list[Any]) -> tree.Device:
    """`device name: kind { attributes }`."""
    ref, kind, *attributes = children
    return tree.Device(ref, kind, tuple(attributes), span)


def link(span: Span, children: list[Any]) -> tree.Link:
    """`link a <-> b kind { attributes }`."""
    a, b, kind, *attributes = children
    return tree.Link(a, b, kind, tuple(attributes), span)


def choose_among(span: Span, children: list[Any]) -> tree.ChooseAmong:
    """`prefer chunnel on [devices];`."""
    return tree.ChooseAmong(children[0], tuple(children[1:]), span)


def gathered(cls: Any) -> Maker:  # noqa: ANN401  (any node class)
    """Return the maker of a node with one field: all the children."""
    return lambda span, children: cls(tuple(children), span)


MAKERS: dict[str, Maker] = {
    **BODY_MAKERS,
    "start": only,
    "import_file": lambda span, children: tree.Import(children[0].value.decode(errors="replace"), span),
    "endpoint": lambda span, children: tree.Endpoint(children[0], children[1].value, span),
    "message": message,
    "parents": together,
    "parent": lambda span, children: tree.Parent(children[0], children[1] or (), span),
    "conditions": conditions,
    "condition": pair,
    "message_field": message_field,
    "fixed": node(tree.FixedRule),
    "length": lambda span, children: tree.LengthRule(children[0].value if children[0] else 0, span),
    "checksum": checksum,
    "or_zero": lambda span, _: span,
    "chunnel": chunnel,
    "parameters": together,
    "parameter": node(tree.Parameter),
    "place": node(tree.Place),
    "both_ends": node(tree.BothEnds),
    "provides": node(tree.Provides),
    "requires": node(tree.Requires),
    "names": together,
    "state": state,
    "handler": node(tree.Handler),
    "duration": lambda span, children: tree.Duration(children[0].value, children[1], span),
    "law": node(tree.Law),
    "transport": transport,
    "address": lambda _, children: tuple(children),
    "stack": stack,
    "direction": direction,
    "fork": fork,
    "select": select,
    "none": none,
    "chain": together,
    "use": use,
    "require": node(tree.Requires),
    "prefer": node(tree.Prefer),
    "rule": rule,
    "implementation": implementation,
    "layers": together,
    "item": node(tree.Item),
    "amounts": together,
    "amount": pair,
    "workload": lambda span, children: facts.Workload(children[0], children[1], tuple(children[2:]), span),
    "size": node(facts.Size),
    "rate": node(facts.Rate),
    "share": node(facts.Share),
    "skew": node(facts.Skew),
    "device": device,
    "link": link,
    "attribute": attribute,
    "unit": unit,
    "run": node(tree.Run),
    "policy": gathered(tree.Policy),
    "deny": node(tree.Deny),
    "choose_among": choose_among,
    "demand": node(tree.Demand),
    "trust": gathered(tree.Trust),
    "place_ref": node(tree.DeviceRef),
}
