"""Typing of names, parts of the message, and look-ups in parameters and state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from bertha_ir import expr as e
from bertha_ir.frontend import ast
from bertha_ir.frontend.codes import (
    CH012UnknownName,
    CH035BadOperand,
    CH038MayMiss,
    CH041CannotFail,
    CH042TailRead,
    CH046NotThere,
)
from bertha_ir.frontend.names import MESSAGE_PARTS
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.types import (
    BOOL,
    BYTES,
    ENDPOINT,
    U32,
    Bits,
    Bool,
    Bytes,
    EndpointType,
    FieldType,
    ListType,
    MapType,
    PrefixesType,
    RangesType,
    SecretType,
    Type,
)

if TYPE_CHECKING:
    from bertha_ir.frontend.body import Body


def name(body: Body, node: ast.Name, _: Type | None) -> e.Expr | None:
    """A local, a scalar parameter, a secret, or a state of one cell."""
    text, signature = node.text, body.signature
    if text in body.locals:
        local = body.locals[text]
        return e.Local(local.name, local.type, node.span) if local else None
    if text in signature.parameters:
        return _parameter(body, node)
    if text in signature.states:
        return _cell(body, node)
    if text == body.subject:
        hint = f"name a part, such as `{text}.dst` or `{text}.payload`"
        body.report(CH035BadOperand, f"`{text}` is the message, no value", node.span, hint)
        return None
    known = (*body.locals, *signature.parameters, *signature.states, *((body.subject,) if body.subject else ()))
    body.report(CH012UnknownName, f"nothing here is called `{text}`", node.span, nearest_or_all(text, known, "name"))
    return None


def _parameter(body: Body, node: ast.Name) -> e.Expr | None:
    type_ = body.signature.parameters[node.text]
    match type_:
        case None:
            return None
        case SecretType(size):
            return e.Param(node.text, Bytes(size), node.span)
        case Bits() | Bool() | Bytes() | EndpointType():
            return e.Param(node.text, type_, node.span)
        case FieldType():
            message = f"the parameter `{node.text}` names a field of the message"
            hint = f"write `{body.subject or 'm'}.{node.text}`"
        case _:
            message, hint = f"the parameter `{node.text}` is no value", "look it up with `[…]` or `in`"
    body.report(CH035BadOperand, message, node.span, hint)
    return None


def _cell(body: Body, node: ast.Name) -> e.Expr | None:
    state = body.signature.states[node.text]
    if isinstance(state, MapType):
        message, hint = f"the map `{node.text}` is no value", f"look it up: `{node.text}[key]`"
        body.report(CH035BadOperand, message, node.span, hint)
        return None
    return e.Get(node.text, None, state, node.span) if state else None


def member(body: Body, node: ast.Member, _: Type | None) -> e.Expr | None:
    """`m.part`, `m.HEADER.field`, `endpoint.ip`."""
    match node.of:
        case ast.Name(text) if text == body.subject and text not in body.locals:
            return _part_of_message(body, node)
        case ast.Member(ast.Name(text), header) if text == body.subject and _is_header(body, header.text):
            return _field(body, header, node)
    of = body.expr(node.of)
    if of is None:
        return None
    if of.type == ENDPOINT and node.name.text in ("ip", "port"):
        return e.Part(of, cast('Literal["ip", "port"]', node.name.text), node.span)
    hint = "an endpoint has `.ip` and `.port`" if of.type == ENDPOINT else f"{of.type} has no parts"
    body.report(CH012UnknownName, f"{of.type} has no part `{node.name.text}`", node.name.span, hint)
    return None


def _is_header(body: Body, text: str) -> bool:
    return text not in MESSAGE_PARTS and text not in body.signature.fields


def _part_of_message(body: Body, node: ast.Member) -> e.Expr | None:
    part, signature = node.name.text, body.signature
    if part in ("src", "dst"):
        return e.Address(cast('Literal["src", "dst"]', part), node.span)
    if part == "payload":
        return e.Payload(node.span)
    if part == "value":
        return _value(body, node)
    if part in signature.fields:
        type_ = signature.fields[part]
        return e.ParamField(part, type_, node.span) if type_ else None
    if part in body.names.messages or part in signature.records:
        hint = f"name one of its fields: `{shown(node)}.…`"
        body.report(CH035BadOperand, f"`{part}` is a whole header, no value", node.span, hint)
    else:
        hint = nearest_or_all(part, (*MESSAGE_PARTS, *signature.fields, *body.names.messages), "part")
        body.report(CH012UnknownName, f"a message has no part `{part}`", node.name.span, hint)
    return None


def _value(body: Body, node: ast.Member) -> e.Expr | None:
    if len(body.signature.records) == 1:
        return e.Value(next(iter(body.signature.records.values())), node.span)
    hint = "give the chunnel one parameter of type `message`"
    body.report(CH035BadOperand, "this chunnel does not say which message the value is", node.span, hint)
    return None


def _field(body: Body, header: ast.Name, node: ast.Member) -> e.Expr | None:
    real = body.signature.records.get(header.text, header.text)
    if real not in body.names.messages:
        if header.text not in body.signature.records:
            hint = nearest_or_all(header.text, body.names.messages, "message")
            body.report(CH012UnknownName, f"no message is called `{header.text}`", header.span, hint)
        return None
    if real in body.own - body.present:
        message = f"`{real}` may not be there yet"
        body.report(CH046NotThere, message, node.span, "read it behind its `push` or `pop`, in the same block")
        return None
    layout = body.names.layouts.get(real)
    if layout is None:
        return None
    found = body.names.field(real, node.name.text)
    if found is None:
        hint = nearest_or_all(node.name.text, (f.name for f in layout.fields), "field")
        body.report(CH012UnknownName, f"`{real}` has no field `{node.name.text}`", node.name.span, hint)
        return None
    if found.type == BYTES:
        hint = "at an endpoint, read `m.payload`; elsewhere, only fields of the fixed part"
        body.report(CH042TailRead, f"`{real}.{found.name}` has no fixed size", node.span, hint)
        return None
    return e.Field(real, found.name, found.type, node.span)


def index(body: Body, node: ast.Index, _: Type | None) -> e.Expr | None:
    """`list[i]` or `map[key]`."""
    table = node.of.text if isinstance(node.of, ast.Name) and node.of.text not in body.locals else ""
    match body.signature.parameters.get(table):
        case ListType() as list_:
            return _element(body, table, list_, node)
        case RangesType(key):
            body.want(node.index, key)
            hint = f"say what then: `{shown(node)} else …`"
            body.report(CH038MayMiss, f"`{table}` may have no range for this key", node.span, hint)
            return None
    state = body.signature.states.get(table)
    if isinstance(state, MapType):
        key_ = body.want(node.index, state.key)
        return e.Get(table, key_, state.value, node.span) if key_ else body.unknown(state.value)
    if table in body.signature.parameters or table in body.signature.states:
        body.expr(node.index, U32)
        if body.signature.parameters.get(table) is None and state is None:
            return None  # its type is not known
        body.report(CH035BadOperand, f"`{table}` has no elements", node.span, "lists, ranges and maps have")
        return None
    if body.expr(node.of) is not None:
        body.report(CH035BadOperand, f"`{shown(node.of)}` has no elements", node.span, "lists, ranges and maps have")
    return None


def _element(body: Body, table: str, list_: ListType, node: ast.Index) -> e.Expr | None:
    if isinstance(node.index, ast.Number):
        if node.index.value < list_.low:
            return e.Element(table, e.Const(node.index.value, U32, node.index.span), list_.element, node.span)
    elif _is_modulo(node.index, table) and list_.low:
        typed = body.expr(node.index, U32)
        if typed is None:
            return body.unknown(list_.element)
        wide = typed if typed.type == U32 else e.Cast(typed, U32, node.index.span)
        return e.Element(table, wide, list_.element, node.span)
    message = f"the index may be out of range, for `{table}` may have only {list_.low} elements"
    hint = f"write `{table}[{shown(node.index)} % len({table})]`" if list_.low else f"let `{table}` hold at least one"
    body.report(CH038MayMiss, message, node.index.span, hint)
    return None


def _is_modulo(node: ast.Expression, table: str) -> bool:
    """Whether the index is `… % len(table)`, perhaps converted to a width that keeps it."""
    while isinstance(node, ast.Cast):
        if not isinstance(node.type, ast.Type) or node.type.name not in ("u32", "u64", "u128"):
            return False
        node = node.of
    match node:
        case ast.Binary("%", _, ast.Call(function, (ast.Argument(None, ast.Name(of)),))):
            return function.text == "len" and of == table
        case _:
            return False


def or_else(body: Body, node: ast.OrElse, expected: Type | None) -> e.Expr | None:
    """`ranges[key] else default`."""
    if isinstance(node.value, ast.Index) and isinstance(node.value.of, ast.Name):
        table = node.value.of.text
        ranges = body.signature.parameters.get(table) if table not in body.locals else None
        if isinstance(ranges, RangesType):
            key, default = body.want(node.value.index, ranges.key), body.want(node.default, ranges.value)
            return e.Match(table, key, default, node.span) if key and default else body.unknown(ranges.value)
        if table in body.signature.parameters and ranges is None:
            body.expr(node.value.index)
            body.expr(node.default, expected)
            return None
    if body.expr(node.value, expected) is not None:
        hint = "remove the `else`"
        body.report(CH041CannotFail, f"`{shown(node.value)}` cannot miss", node.span, hint)
    return None


def contains(body: Body, node: ast.Binary, _: Type | None) -> e.Expr | None:
    """`key in table`."""
    if not isinstance(node.right, ast.Name):
        message = "`in` takes the name of a parameter or a map"
        body.report(CH035BadOperand, message, node.right.span, "make it a parameter of the chunnel")
        return None
    table, signature = node.right.text, body.signature
    key: Type
    match signature.parameters.get(table) or signature.states.get(table):
        case PrefixesType(element) | ListType(element):
            key = element
        case RangesType(element) | MapType(element):
            key = element
        case None if table in signature.parameters or table in signature.states:
            body.expr(node.left, U32)
            return body.unknown(BOOL)
        case _:
            if table in signature.parameters or table in signature.states or body.expr(node.right) is not None:
                hint = "lists, prefixes, ranges and maps hold keys"
                body.report(CH035BadOperand, f"`{table}` holds no keys", node.right.span, hint)
            return None
    typed = body.expr(node.left, key)
    if typed is not None and typed.type == ENDPOINT and key == U32:
        typed = e.Part(typed, "ip", node.left.span)
    if typed is not None and not body.fits(typed.type, key):
        body.mismatch(node.left, typed.type, key)
        return None
    return e.Contains(table, typed, node.span) if typed else body.unknown(BOOL)
