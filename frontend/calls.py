"""Typing of calls: the built-in measures, and primitives by their declaration in the core's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir.frontend import ast
from bertha_ir.frontend.codes import (
    CH012UnknownName,
    CH032DoesNotFit,
    CH035BadOperand,
    CH039WrongArguments,
    CH040FailureIgnored,
    CH067BadRing,
)
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.primitives import PRIMITIVES, Primitive
from bertha_ir.types import BYTES, U16, U32, Bits, Bytes, ListType, MessageType, Record, Type

if TYPE_CHECKING:
    from bertha_ir.frontend.body import Body

BUILT_IN = {"len": 1, "size": 1, "endpoint": 2}


def call(body: Body, node: ast.Call, expected: Type | None) -> e.Expr | None:
    """A call as a value: it cannot fail."""
    typed = any_call(body, node, expected)
    primitive = PRIMITIVES.get(node.function.text)
    if primitive is not None and primitive.fallible:
        message = f"`{primitive.name}` can fail, and nothing says what then"
        body.report(CH040FailureIgnored, message, node.span, "assign its result at once, with `else drop;` behind it")
        return None
    return typed


def any_call(body: Body, node: ast.Call, expected: Type | None) -> e.Expr | None:
    """A call that may be of a fallible primitive: the caller has said what happens then."""
    function = node.function.text
    if function == "maglev":
        hint = "give it as a parameter's default: `ring: list[u8; 1..65537] = maglev(backends, 1021)`"
        body.report(CH067BadRing, "`maglev` builds a table, not a value", node.span, hint)
        return None
    if function not in BUILT_IN and function not in PRIMITIVES:
        hint = nearest_or_all(function, (*BUILT_IN, *PRIMITIVES), "primitive")
        body.report(CH012UnknownName, f"no primitive is called `{function}`", node.function.span, hint)
        return None
    count = BUILT_IN.get(function) or _count(PRIMITIVES.get(function))
    named = next((a for a in node.arguments if a.name), None)
    if len(node.arguments) != count or named:
        message = f"`{function}` takes {count} argument{'' if count == 1 else 's'} by position"
        hint = f"{len(node.arguments)} are given" if not named else "leave the name out"
        body.report(CH039WrongArguments, message, node.span, hint)
        return None
    values = [a.value for a in node.arguments]
    if function in BUILT_IN:
        return _built_in(body, node, function, values, expected)
    return _primitive(body, node, PRIMITIVES[function], values)


def _count(primitive: Primitive | None) -> int:
    """`unpack` names the message in front of its arguments."""
    return (len(primitive.arguments) + (primitive.result == "record")) if primitive else 0


def _built_in(
    body: Body, node: ast.Call, function: str, values: list[ast.Expression], expected: Type | None
) -> e.Expr | None:
    if function == "len":
        return _length(body, node, values[0], expected)
    if function == "size":
        of = body.want(values[0], BYTES)
        return e.Size(of, node.span) if of else None
    ip, port = body.want(values[0], U32), body.want(values[1], U16)
    return e.MakeEndpoint(ip, port, node.span) if ip and port else None


def _length(body: Body, node: ast.Call, of: ast.Expression, expected: Type | None) -> e.Expr | None:
    """The number of elements takes the width of its context, as a literal does, if the largest fits."""
    table = of.text if isinstance(of, ast.Name) and of.text not in body.locals else ""
    list_ = body.signature.parameters.get(table)
    if not isinstance(list_, ListType):
        if table not in body.signature.parameters or list_ is not None:
            body.report(CH035BadOperand, f"`{shown(of)}` is no list parameter", of.span, "`size` measures bytes")
        return None
    if not isinstance(expected, Bits) or expected == U32:
        return e.Count(table, node.span)
    if list_.high >= 1 << expected.width:
        message = f"`{table}` may hold {list_.high} elements, which does not fit {expected}"
        body.report(CH032DoesNotFit, message, node.span, "convert the other side: `… as u32`")
        return None
    return e.Cast(e.Count(table, node.span), expected, node.span)


def _primitive(body: Body, node: ast.Call, primitive: Primitive, values: list[ast.Expression]) -> e.Expr | None:
    result = primitive.result
    if result == "record":
        record = _message(body, values.pop(0))
        if record is None:
            return None
        result = record
    typed = [_argument(body, primitive, v, t) for v, t in zip(values, primitive.arguments, strict=True)]
    known = tuple(t for t in typed if t is not None)
    return e.Call(primitive.name, known, result, node.span) if len(known) == len(typed) else body.unknown(result)


def _argument(body: Body, primitive: Primitive, value: ast.Expression, wanted: Type | str) -> e.Expr | None:
    typed = body.expr(value) if isinstance(wanted, str) else body.want(value, wanted)
    if typed is None or not isinstance(wanted, str):
        return typed
    match wanted, typed.type:
        case ("message", Record()) | ("any", Bytes(int())):
            return typed
        case "any", Bits(width) if width % 8 == 0:
            return typed
    if wanted == "message":
        hint = "write `pack(m.value)`"
    else:
        hint = "give an integer of whole bytes, such as `… as u8`, or bytes[n]"
    message = f"`{primitive.name}` does not take {typed.type}"
    body.report(CH035BadOperand, message, value.span, hint)
    return None


def _message(body: Body, node: ast.Expression) -> Record | None:
    if isinstance(node, ast.Name) and isinstance(body.signature.parameters.get(node.text), MessageType):
        return Record(body.signature.records[node.text])
    message = f"`{shown(node)}` is no message parameter"
    body.report(CH035BadOperand, message, node.span, "name a parameter of type `message` first: `unpack(T, m.payload)`")
    return None
