"""Folds what is known when the program is printed: p4c warns about arithmetic on constants that wraps or shifts a
value away, and cannot divide at all.
"""

from __future__ import annotations

from typing import Any

from bertha_ir import expr as e
from bertha_ir.interpreter.evaluate import constant
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.types import Bits, bit_width
from bertha_ir.walk import transform


def fold(node: e.Expr) -> e.Expr:
    """Return an expression of equal value in which no operation has only constant operands or an operand that alone
    decides it, and primitives that are arithmetic are spelled out.
    """
    return transform(node, _fold)


def _fold(node: Any) -> Any:  # noqa: ANN401, PLR0911  (nodes of every class pass, one row a law)
    match node:
        case e.Unary(_, e.Const()) | e.Binary(_, e.Const(), e.Const()) | e.Cast(e.Const()):
            return e.Const(constant(node), node.type, node.span)
        case e.Binary("+" | "-" | "|" | "^" | "<<" | ">>" | "%", left, e.Const(0)):
            return left
        case e.Binary("*" | "&" | "/", _, e.Const(0)) | e.Binary("*" | "&" | "/" | "%" | "<<" | ">>", e.Const(0), _):
            return e.Const(0, node.type, node.span)
        case e.Binary("<<" | ">>", left, e.Const(int(amount))) if amount >= _significant(left, node.op):
            return e.Const(0, node.type, node.span)
        case e.Choose(e.Const(bool(chosen)), yes, no):
            return yes if chosen else no
        case e.Binary("and" | "or", e.Const(bool(known)), other) | e.Binary("and" | "or", other, e.Const(bool(known))):
            return other if known == (node.op == "and") else e.Const(known, node.type, node.span)
        case e.Call(name, (key,)) if (expand := PRIMITIVES[name].expand) is not None:
            return fold(expand(key))
        case _:
            return node


def _significant(node: e.Expr, op: str) -> int:
    """Return how many low bits of a shifted value can be other than 0 and count."""
    widths = [bit_width(node.type) or 0]
    if op == ">>" and isinstance(node, e.Cast) and isinstance(node.of.type, Bits):
        widths.append(node.of.type.width)
    return min(widths)
