"""Rules: two chains of uses, over parameters, of which the first may be replaced by the second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir.diagnostics import Label
from bertha_ir.expr import Call, Param
from bertha_ir.frontend.arguments import SCALARS
from bertha_ir.frontend.body import Body, Signature
from bertha_ir.frontend.codes import (
    CH011Duplicate,
    CH074UnknownEquivalence,
    CH075NotScalar,
    CH077NotOnTheLeft,
    CH078ConditionVaries,
)
from bertha_ir.frontend.names import check_names
from bertha_ir.frontend.operators import condition
from bertha_ir.frontend.stacks import resolve_uses
from bertha_ir.frontend.statements import TYPERS
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.frontend.types import TypeReader
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.spec import Parameter, Rule, SecretArgument
from bertha_ir.walk import spanned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from bertha_ir.expr import Expr
    from bertha_ir.frontend import ast, tree
    from bertha_ir.frontend.chunnels import Declared
    from bertha_ir.frontend.names import Names
    from bertha_ir.spec import Instance

EQUIVALENCES: Mapping[str, Literal["wire", "end-to-end"]] = {"wire": "wire", "ends": "end-to-end"}


def resolve_rule(node: tree.Rule, declared: Mapping[str, Declared], names: Names) -> Rule:
    """Return the rule; what has an error is left out, and the error is reported."""
    before = len(names.collector.found)
    parameters = _parameters(node, names)
    inside = evolve(names, parameters={p.name: p.type for p in parameters})
    left, right = (resolve_uses(chain, declared, inside, {}) for chain in (node.left, node.right))
    decided = _condition(node.condition, inside) if node.condition else None
    if len(names.collector.found) == before:
        _check_given(parameters, left, names)
    return Rule(node.name.text, parameters, left, right, _equivalence(node.equivalence, names), decided, node.name.span)


def _parameters(node: tree.Rule, names: Names) -> tuple[Parameter, ...]:
    check_names((p.name for p in node.parameters), "parameter", names.collector)
    found: dict[str, Parameter] = {}
    for parameter in node.parameters:
        name, type_ = parameter.name, TypeReader(names.collector).parameter(parameter.type)
        if name.text in names.endpoints:
            hint, labels = "choose another name", (Label(names.endpoints[name.text].name.span, "declared here"),)
            names.collector.add(CH011Duplicate, f"`{name.text}` is an endpoint", name.span, hint, labels)
        if type_ is not None and not isinstance(type_, SCALARS):
            message, hint = f"`{name.text}` is `{shown(parameter.type)}`, no scalar", "write a constant into the chains"
            names.collector.add(CH075NotScalar, message, parameter.type.span, hint)
        elif type_ is not None:
            found.setdefault(name.text, Parameter(name.text, type_, span=name.span))
        if parameter.default is not None:
            hint = "remove it: the left chain gives the parameter its value"
            names.collector.add(CH075NotScalar, f"`{name.text}` has a default", parameter.default.span, hint)
    return tuple(found.values())


def _equivalence(word: ast.Name | None, names: Names) -> Literal["wire", "end-to-end"]:
    if word is not None and word.text not in EQUIVALENCES:
        hint = nearest_or_all(word.text, EQUIVALENCES, "equivalence")
        names.collector.add(CH074UnknownEquivalence, f"no equivalence is called `{word.text}`", word.span, hint)
    return EQUIVALENCES.get(word.text if word else "ends", "end-to-end")


def _condition(node: ast.Expression, names: Names) -> Expr | None:
    """Return the typed condition over the rule's parameters."""
    typed = condition(Body(Signature(names.parameters, {}, {}, {}), names, None, TYPERS), node)
    for call, span in spanned(typed, node.span):
        if isinstance(call, Call) and "input" in PRIMITIVES[call.primitive].laws:
            message, hint = f"the condition reads `{call.primitive}`", "say it with the parameters alone"
            names.collector.add(CH078ConditionVaries, message, span, hint)
    return typed


def _check_given(parameters: tuple[Parameter, ...], left: tuple[Instance, ...], names: Names) -> None:
    """Report parameters that no argument on the left is."""
    given = {a.name for i in left for _, a in i.arguments if isinstance(a, Param | SecretArgument)}
    for parameter in parameters:
        if parameter.name not in given:
            message = f"`{parameter.name}` is no argument in the left chain"
            hint = "nothing else gives it a value: use it there, or write a constant"
            names.collector.add(CH077NotOnTheLeft, message, parameter.span, hint)
