"""Arguments: from what a stack writes in parentheses to the constants that an instance holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.expr import Const, Field
from bertha_ir.frontend import ast
from bertha_ir.frontend.body import Body, Signature
from bertha_ir.frontend.codes import (
    CH060MissingArgument,
    CH061UnknownArgument,
    CH062DuplicateArgument,
    CH063TooManyArguments,
    CH064BadArgument,
)
from bertha_ir.frontend.names import unknown
from bertha_ir.frontend.statements import TYPERS
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.spec import MessageArgument, SecretArgument
from bertha_ir.types import BYTES, ENDPOINT

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.frontend import tree
    from bertha_ir.frontend.names import Names
    from bertha_ir.types import SecretType, Type


def bind(
    use: tree.Use, parameters: tuple[tree.Parameter, ...], collector: Collector
) -> dict[str, ast.Expression] | None:
    """Return what each parameter is given, defaults included, in the order of the parameters; None after an error."""
    given: dict[str, ast.Argument] = {}
    known = {p.name.text: None for p in parameters}  # in order
    positions = tuple(known)
    before = len(collector.found)
    for position, argument in enumerate(use.arguments):
        if argument.name is None and position >= len(known):
            message = f"`{use.chunnel.text}` takes at most {len(known)} argument{'' if len(known) == 1 else 's'}"
            collector.add(CH063TooManyArguments, message, argument.span, "remove this argument")
            continue
        name = argument.name.text if argument.name else positions[position]
        if name not in known:
            hint = nearest_or_all(name, known, "parameter")
            collector.add(CH061UnknownArgument, f"`{use.chunnel.text}` has no parameter `{name}`", argument.span, hint)
        elif name in given:
            message = f"`{name}` is given twice"
            collector.add(CH062DuplicateArgument, message, argument.span, "remove one of the two")
        else:
            given[name] = argument
    for parameter in parameters:
        name = parameter.name.text
        if name not in given and parameter.default is None and len(collector.found) == before:
            hint = f"give it: `{use.chunnel.text}({name} = …)`, of type `{shown(parameter.type)}`"
            collector.add(CH060MissingArgument, f"`{use.chunnel.text}` needs `{name}`", use.chunnel.span, hint)
    if len(collector.found) > before:
        return None
    values = {p.name.text: given[p.name.text].value if p.name.text in given else p.default for p in parameters}
    return {name: value for name, value in values.items() if value is not None}


def wrong(node: ast.Expression, wanted: str, names: Names) -> None:
    """Report an argument of the wrong kind."""
    names.collector.add(CH064BadArgument, f"`{shown(node)}` is not {wanted}", node.span, f"give {wanted}")


def field_of(node: ast.Expression, names: Names) -> Field | None:
    """Return the field that `KvRequest.key` names."""
    if not (isinstance(node, ast.Member) and isinstance(node.of, ast.Name)):
        wrong(node, "a field such as `KvRequest.key`", names)
        return None
    message, name = node.of, node.name
    if message.text not in names.messages:
        unknown("message", message.text, message.span, names.messages, names.collector)
        return None
    layout = names.layouts.get(message.text)
    if layout is None:
        return None
    field = names.field(message.text, name.text)
    if field is None or field.type == BYTES:
        what = f"fixed field of `{message.text}`"
        unknown(what, name.text, name.span, (f.name for f in layout.fixed_fields), names.collector)
        return None
    return Field(message.text, name.text, field.type, node.span)


def message_of(node: ast.Expression, names: Names) -> MessageArgument | None:
    """Return the message that an argument names."""
    if not isinstance(node, ast.Name):
        wrong(node, "the name of a message", names)
        return None
    if node.text not in names.messages:
        unknown("message", node.text, node.span, names.messages, names.collector)
        return None
    return MessageArgument(node.text)


def secret_of(node: ast.Expression, type_: SecretType, names: Names) -> SecretArgument | None:
    """Return the secret that `secret("name")` names."""
    match node:
        case ast.Call(function, (ast.Argument(None, ast.Text(value)),)) if function.text == "secret" and value:
            return SecretArgument(value.decode(errors="replace"))
    wrong(node, f'a secret of {type_.size} bytes, by its name: `secret("name")`', names)
    return None


def constant(node: ast.Expression, type_: Type, names: Names) -> Const | None:
    """Return a literal, or the endpoint of a name, as a constant of the type."""
    if isinstance(node, ast.Name):
        if type_ != ENDPOINT:
            wrong(node, f"a constant of type {type_}", names)
            return None
        if node.text not in names.endpoints:
            unknown("endpoint", node.text, node.span, names.endpoints, names.collector)
            return None
        return Const(names.endpoints[node.text].value, ENDPOINT, node.span)
    if not isinstance(node, ast.Number | ast.Text | ast.Truth | ast.Fixed | ast.EndpointLiteral):
        wrong(node, f"a constant of type {type_}", names)
        return None
    typed = Body(Signature({}, {}, {}, {}), names, None, TYPERS).want(node, type_)
    if isinstance(typed, Const):
        return Const(typed.value, BYTES, typed.span) if type_ == BYTES else typed
    return None
