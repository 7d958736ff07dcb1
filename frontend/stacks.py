"""Stacks: each use of a chunnel becomes an instance with its own types and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from attrs import evolve

from bertha_ir.diagnostics import Label
from bertha_ir.frontend import arguments, tables, tree
from bertha_ir.frontend.chunnels import Declared, instantiate
from bertha_ir.frontend.clauses import is_transport
from bertha_ir.frontend.codes import (
    CH070NoTransport,
    CH071TransportNotLast,
    CH072BadDirection,
    CH073BadPreference,
    CH089NotOnThePath,
)
from bertha_ir.frontend.guarantees import guarantees
from bertha_ir.frontend.names import Names, check_names, unknown
from bertha_ir.frontend.selects import alternatives
from bertha_ir.frontend.suggest import nearest_or_all
from bertha_ir.frontend.types import TypeReader
from bertha_ir.spec import Direction, Instance, Stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from bertha_ir.frontend.selects import Way
    from bertha_ir.spec import Argument
    from bertha_ir.types import Type

DIRECTIONS = ("request", "response")
OBJECTIVES = ("latency", "throughput", "cpu")


def resolve_stack(node: tree.Stack, declared: Mapping[str, Declared], names: Names) -> Stack:
    """Return the stack; instances with an error are left out, and the error is reported."""
    collector = names.collector
    check_names(node.ends, "end", collector)
    items: dict[str, tree.Direction] = {}
    for item in (i for i in node.items if isinstance(i, tree.Direction)):
        word = item.name
        if word.text not in DIRECTIONS:
            hint = nearest_or_all(word.text, DIRECTIONS, "direction")
            collector.add(CH072BadDirection, f"no direction is called `{word.text}`", word.span, hint)
        elif word.text in items:
            collector.add(CH072BadDirection, f"`{word.text}` is written twice", word.span, "remove one of the two")
        items.setdefault(word.text, item)
    if "request" not in items:
        hint = "write `request: … |> udp(port);`"
        collector.add(CH072BadDirection, f"the stack `{node.name.text}` has no `request`", node.name.span, hint)
    requires = [i for i in node.items if isinstance(i, tree.Requires)]
    found = Stack(
        node.name.text,
        (node.ends[0].text, node.ends[1].text),
        (),
        tuple(g for r in requires for g in guarantees(r.names, collector)),
        _objective(node, names),
        span=node.name.span,
    )
    first, *others = (
        evolve(
            found,
            directions=tuple(d for d in (_direction(way, declared, names) for way in ways) if d.name in DIRECTIONS),
            branches=tuple(branch for way in ways for branch in way.branches),
            rank=sum(way.rank for way in ways),
        )
        for ways in alternatives(node, sorted(items.values(), key=lambda item: item.name.text), collector)
    )
    return evolve(first, alternatives=tuple(others))


def _objective(node: tree.Stack, names: Names) -> str:
    found = [i for i in node.items if isinstance(i, tree.Prefer)]
    for again in found[1:]:
        names.collector.add(CH073BadPreference, "the stack has one preference already", again.span, "remove one")
    if not found:
        return "latency"
    word = found[0].what
    if word.text not in OBJECTIVES:
        hint = nearest_or_all(word.text, OBJECTIVES, "objective")
        names.collector.add(CH073BadPreference, f"no objective is called `{word.text}`", word.span, hint)
    return word.text


def _direction(way: Way, declared: Mapping[str, Declared], names: Names) -> Direction:
    """Return a direction, on one way through its selects."""
    node = way.direction
    instances = resolve_uses(way.uses, declared, names, {})
    last = way.uses[-1].chunnel if way.uses else None
    hint = "end it with `|> udp(port)`"
    if last is None:
        names.collector.add(CH070NoTransport, f"`{node.name.text}` may be without a transport", node.span, hint)
    elif last.text in declared and not is_transport(declared[last.text].node):
        message = f"`{last.text}` is no transport and ends the direction"
        names.collector.add(CH070NoTransport, message, last.span, hint, declared_here(declared[last.text].node))
    forks = tuple(_fork(fork, instances, declared, names) for fork in way.stages if isinstance(fork, tree.Fork))
    return Direction(cast("Literal['request', 'response']", node.name.text), instances, forks, node.span)


def _fork(
    node: tree.Fork, instances: tuple[Instance, ...], declared: Mapping[str, Declared], names: Names
) -> tuple[tuple[str, ...], ...]:  # fmt: skip
    """Return the branches of a fork, by the ids of their chunnels, which all run on the path."""
    ids = {i.span: i.id for i in instances}
    for use in (u for branch in node.branches for u in branch):
        chunnel = declared.get(use.chunnel.text)
        if chunnel is not None and any(
            c.event.text in {"send", "recv"} for c in chunnel.node.clauses if isinstance(c, tree.Handler)
        ):
            message = f"`{use.chunnel.text}` runs at the ends of a connection, where layers lie in one row"
            hint = "fork chunnels of the path alone"
            names.collector.add(CH089NotOnThePath, message, use.span, hint, declared_here(chunnel.node))
    return tuple(tuple(ids[u.span] for u in branch if u.span in ids) for branch in node.branches)


def resolve_uses(
    uses: tuple[tree.Use, ...], declared: Mapping[str, Declared], names: Names, used: dict[str, int]
) -> tuple[Instance, ...]:
    """Return the instances of a chain, of which only the last may be a transport; those with an error are left out.

    Ids are `count`, `count_2`. `used` has those there are already, each with the last number behind it; it is changed.
    """
    instances: list[Instance] = []
    for position, use in enumerate(uses, 1):
        word = use.chunnel
        chunnel = declared.get(word.text)
        if chunnel is None:
            unknown("chunnel", word.text, word.span, declared, names.collector)
            continue
        if position < len(uses) and is_transport(chunnel.node):
            message, hint = f"the transport `{word.text}` is not the last", "move it to the end"
            names.collector.add(CH071TransportNotLast, message, word.span, hint, declared_here(chunnel.node))
        instance = _instance(_unused(word.text, used), use, chunnel, names)
        if instance is not None:
            instances.append(instance)
    return tuple(instances)


def _unused(name: str, used: dict[str, int]) -> str:
    unique = name
    while unique in used:
        used[name] += 1
        unique = f"{name}_{used[name]}"
    used[unique] = 1
    return unique


def declared_here(chunnel: tree.Chunnel) -> tuple[Label, ...]:
    """Point at a chunnel's declaration."""
    return (Label(chunnel.name.span, "declared here"),)


def _instance(instance_id: str, use: tree.Use, chunnel: Declared, names: Names) -> Instance | None:
    given = arguments.bind(use, chunnel.node.parameters, names.collector)
    if given is None:
        return None
    fields = {n: arguments.field_of(given[n], names) for n in chunnel.of_type("field")}
    messages = {n: arguments.message_of(given[n], names) for n in chunnel.of_type("message")}
    field_types: dict[str, Type | None] = {n: f.type if f else None for n, f in fields.items()}
    reader = TypeReader(names.collector, field_types)
    resolved: dict[str, Argument | None] = {**fields, **messages}
    for parameter in chunnel.node.parameters:
        name, type_ = parameter.name.text, reader.parameter(parameter.type)
        if name not in resolved:
            resolved[name] = tables.argument_of(given[name], type_, given, names) if type_ else None
    records = {n: m.message for n, m in messages.items() if m}
    known = {n: a for n, a in resolved.items() if a is not None}
    if len(known) < len(resolved):
        return None
    key = (tuple(field_types.items()), tuple(records.items()))
    if key not in chunnel.typed:  # a mistake is reported once, at its first use
        chunnel.typed[key] = instantiate(chunnel, field_types, records, use.span)
    typed = chunnel.typed[key]
    ordered = tuple((p.name.text, known[p.name.text]) for p in chunnel.node.parameters)
    if typed is None and not names.collector.found:
        message = f"`{instance_id}` could not be typed, and nothing said why"
        raise AssertionError(message)  # INVARIANT: an instance is never left out silently
    return Instance(instance_id, typed, ordered, span=use.span) if typed else None
