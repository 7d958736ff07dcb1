"""Arguments: from what a stack writes in parentheses to the constants that an instance holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.expr import Const, Field, Param
from bertha_ir.frontend import ast
from bertha_ir.frontend.body import Body, Signature
from bertha_ir.frontend.codes import (
    CH030TypeMismatch,
    CH031WidthMismatch,
    CH060MissingArgument,
    CH061UnknownArgument,
    CH062DuplicateArgument,
    CH063TooManyArguments,
    CH064BadArgument,
    CH076ParameterInTable,
)
from bertha_ir.frontend.names import unknown
from bertha_ir.frontend.statements import TYPERS
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.spec import MessageArgument, SecretArgument
from bertha_ir.types import BYTES, ENDPOINT, Bits, Bool, EndpointType, SecretType

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.frontend import tree
    from bertha_ir.frontend.names import Names
    from bertha_ir.types import ParameterType, Type

SCALARS = (Bits, Bool, EndpointType, SecretType)


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
            name = value.decode(errors="replace")
            if name not in names.parameters:
                return SecretArgument(name)
            message = f"the rule's parameter `{name}` has the secret's name"
            names.collector.add(CH064BadArgument, message, node.span, f"write `{name}`, or rename one of them")
            return None
    wrong(node, f'a secret of {type_.size} bytes, by its name: `secret("name")`', names)
    return None


def parameter_of(node: ast.Name, type_: ParameterType, names: Names) -> Param | SecretArgument | None:
    """Return the parameter of a rule that an argument names."""
    found = names.parameters[node.text]
    if found == type_ and isinstance(found, SecretType):
        return SecretArgument(node.text)
    if found == type_ and isinstance(found, Bits | Bool | EndpointType):
        return Param(node.text, found, node.span)
    code = CH031WidthMismatch if isinstance(found, Bits) and isinstance(type_, Bits) else CH030TypeMismatch
    hint = f"declare it as `{node.text}: {type_}`" if isinstance(type_, SCALARS) else "write a constant"
    names.collector.add(code, f"`{node.text}` is {found} where {type_} is needed", node.span, hint)
    return None


def in_table(node: ast.Expression, names: Names) -> bool:
    """Whether an entry of a table names a parameter of a rule, which is reported."""
    if not (isinstance(node, ast.Name) and node.text in names.parameters):
        return False
    message = f"the parameter `{node.text}` cannot be an entry of a table"
    names.collector.add(CH076ParameterInTable, message, node.span, "write a constant")
    return True


def constant(node: ast.Expression, type_: Type, names: Names) -> Const | None:
    """Return a literal, or the endpoint of a name, as a constant of the type."""
    if in_table(node, names):
        return None
    if isinstance(node, ast.Name) and type_ == ENDPOINT:
        if node.text in names.endpoints:
            return Const(names.endpoints[node.text].value, ENDPOINT, node.span)
        unknown("endpoint", node.text, node.span, names.endpoints, names.collector)
        return None
    if not isinstance(node, ast.Number | ast.Text | ast.Truth | ast.Fixed | ast.EndpointLiteral):
        wrong(node, f"a constant of type {type_}", names)
        return None
    typed = Body(Signature({}, {}, {}, {}), names, None, TYPERS).want(node, type_)
    if isinstance(typed, Const):
        return Const(typed.value, BYTES, typed.span) if type_ == BYTES else typed
    return None
