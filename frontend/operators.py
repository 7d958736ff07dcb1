"""Typing of literals, operators and conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from bertha_ir import expr as e
from bertha_ir.frontend import ast
from bertha_ir.frontend.codes import (
    CH030TypeMismatch,
    CH032DoesNotFit,
    CH033NoWidth,
    CH034NotACondition,
    CH035BadOperand,
    CH036BadCast,
)
from bertha_ir.frontend.suggest import shown
from bertha_ir.frontend.types import TypeReader
from bertha_ir.types import BOOL, BYTES, ENDPOINT, U8, U32, Bits, Bytes, Type

if TYPE_CHECKING:
    from bertha_ir.frontend.body import Body


def number(body: Body, node: ast.Number, expected: Type | None) -> e.Expr | None:
    """An integer takes the width of its context."""
    if isinstance(expected, Bits):
        if node.value < 1 << expected.width:
            return e.Const(node.value, expected, node.span)
        hint = f"{expected} holds at most {(1 << expected.width) - 1}"
        body.report(CH032DoesNotFit, f"{node.value} does not fit {expected}", node.span, hint)
    elif expected is None:
        hint = f"write the width: `{shown(node)} as u32`, for example"
        body.report(CH033NoWidth, f"`{shown(node)}` has no width here", node.span, hint)
    else:
        message = f"`{shown(node)}` is a number where {expected} is needed"
        body.report(CH030TypeMismatch, message, node.span, f"give a value of type {expected}")
    return None


def text(_: Body, node: ast.Text, expected: Type | None) -> e.Expr:
    """A string is bytes; one character is a u8 where a u8 is wanted."""
    if expected == U8 and len(node.value) == 1:
        return e.Const(node.value[0], U8, node.span)
    return e.Const(node.value, Bytes(len(node.value)) if node.value else BYTES, node.span)


def truth(_: Body, node: ast.Truth, __: Type | None) -> e.Expr:
    """`true` or `false`."""
    return e.Const(node.value, BOOL, node.span)


def fixed(_: Body, node: ast.Fixed, __: Type | None) -> e.Expr:
    """An address has its own width."""
    return e.Const(node.value, Bits(node.width), node.span)


def endpoint(_: Body, node: ast.EndpointLiteral, __: Type | None) -> e.Expr:
    """An address and a port."""
    return e.Const(node.value, ENDPOINT, node.span)


def no_value(body: Body, node: ast.Prefix | ast.Listing | ast.RangeRow, _: Type | None) -> None:
    """Lists, ranges and prefixes are arguments, not values of a body."""
    body.report(CH035BadOperand, f"`{shown(node)}` is no value", node.span, "make it a parameter of the chunnel")


def flexible(node: ast.Expression) -> bool:
    """Whether the expression takes the width of its context."""
    match node:
        case ast.Unary(op, of):
            return op != "not" and flexible(of)
        case ast.Binary(op, left, right):
            return flexible(left) and (op in e.SHIFTS or (op in e.ARITHMETIC and flexible(right)))
        case ast.Choose(_, yes, no):
            return flexible(yes) and flexible(no)
    single = isinstance(node, ast.Text) and len(node.value) == 1
    return single or isinstance(node, ast.Number) or (isinstance(node, ast.Call) and node.function.text == "len")


def pair(
    body: Body, left: ast.Expression, right: ast.Expression, expected: Type | None
) -> tuple[e.Expr, e.Expr] | None:
    """Type two operands of one type, the one that has a type of its own first; None when either is not known."""
    swapped = flexible(left) and not flexible(right)
    first, second = (right, left) if swapped else (left, right)
    one = body.expr(first, expected)
    other = None if one is None and flexible(second) else body.expr(second, one.type if one else expected)
    if one is None or other is None:
        return None
    if one.type != other.type:
        body.mismatch(second, other.type, one.type)
        return None
    return (other, one) if swapped else (one, other)


def binary(body: Body, node: ast.Binary, expected: Type | None) -> e.Expr | None:
    """Arithmetic, order, equality and logic; shifts are apart, for their right side may have any width."""
    if node.op in e.LOGIC:
        sides = condition(body, node.left), condition(body, node.right)
        return e.Binary(node.op, sides[0], sides[1], node.span) if sides[0] and sides[1] else body.unknown(BOOL)
    if node.op in e.SHIFTS:
        return _shift(body, node, expected)
    both = pair(body, node.left, node.right, expected if node.op in e.ARITHMETIC else None)
    if both is None:
        return None if node.op in e.ARITHMETIC else body.unknown(BOOL)
    if node.op not in e.EQUALITY and not isinstance(both[0].type, Bits):
        hint = "take a part of it, such as `.ip`, or convert it with `as`"
        body.report(CH035BadOperand, f"`{node.op}` takes integers, not {both[0].type}", node.span, hint)
        return None
    return e.Binary(node.op, *both, node.span)


def _shift(body: Body, node: ast.Binary, expected: Type | None) -> e.Expr | None:
    left = body.expr(node.left, expected)
    right = body.expr(node.right, U8 if flexible(node.right) else None)
    if left is None or right is None:
        return None
    for side, typed in ((node.left, left), (node.right, right)):
        if not isinstance(typed.type, Bits):
            message = f"`{node.op}` takes integers, not {typed.type}"
            body.report(CH035BadOperand, message, side.span, "convert it with `as`")
            return None
    return e.Binary(node.op, left, right, node.span)


def condition(body: Body, node: ast.Expression) -> e.Expr | None:
    """Return a typed condition; a number is none."""
    typed = None if isinstance(node, ast.Number) else body.expr(node, BOOL if flexible(node) else None)
    if typed is not None and typed.type == BOOL:
        return typed
    if typed is not None or isinstance(node, ast.Number):
        found = typed.type if typed else "a number"
        number = typed is None or isinstance(typed.type, Bits)
        hint = f"compare it: `{shown(node)} != 0`" if number else "compare it with `==`"
        body.report(CH034NotACondition, f"`{shown(node)}` is {found}, not a condition", node.span, hint)
    return None


def unary(body: Body, node: ast.Unary, expected: Type | None) -> e.Expr | None:
    """`not` of a condition, `~` and `-` of an integer."""
    if node.op == "not":
        of = condition(body, node.of)
        return e.Unary("not", of, node.span) if of else None
    of = body.expr(node.of, expected)
    if of is not None and not isinstance(of.type, Bits):
        hint = "convert it with `as`"
        body.report(CH035BadOperand, f"`{node.op}` takes an integer, not {of.type}", node.span, hint)
        return None
    return e.Unary(cast('Literal["~", "-"]', node.op), of, node.span) if of else None


def convert(body: Body, node: ast.Cast, _: Type | None) -> e.Expr | None:
    """`as`: between integers, and between bytes and the integer of as many bits."""
    target = TypeReader(body.names.collector, body.signature.fields).value(node.type)
    if target is None:
        body.expr(node.of, U32)
        return None
    of = body.expr(node.of, target if flexible(node.of) and isinstance(target, Bits) else None)
    if of is None:
        return body.unknown(target)
    if of.type == target:
        return of
    match of.type, target:
        case (Bits(), Bits()):
            return e.Cast(of, target, node.span)
        case (Bits(width), Bytes(int(size))) | (Bytes(int(size)), Bits(width)) if width == 8 * size:
            return e.Cast(of, target, node.span)
    hint = "`as` converts between integers, and between bytes[n] and an integer of 8·n bits"
    body.report(CH036BadCast, f"{of.type} cannot become {target}", node.span, hint)
    return None


def choose(body: Body, node: ast.Choose, expected: Type | None) -> e.Expr | None:
    """`if … then … else …`, both sides of one type."""
    decided, sides = condition(body, node.condition), pair(body, node.yes, node.no, expected)
    return e.Choose(decided, *sides, node.span) if decided and sides else None
