"""Folds what is known when the program is printed: p4c warns about arithmetic on constants that wraps or shifts a
value away, and cannot divide at all.
"""

from __future__ import annotations

from typing import Any

from bertha_ir import expr as e
from bertha_ir.interpreter.evaluate import constant
from bertha_ir.types import Bits
from bertha_ir.walk import transform


def fold(node: e.Expr) -> e.Expr:
    """Return an expression of equal value in which no operation has only constant operands, nothing is divided by
    a constant zero, and nothing is shifted by its width or more.
    """
    return transform(node, _fold)


def _fold(node: Any) -> Any:  # noqa: ANN401, PLR0911  (nodes of every class pass, one row a law)
    match node:
        case e.Unary(_, e.Const()) | e.Binary(_, e.Const(), e.Const()) | e.Cast(e.Const()):
            return e.Const(constant(node), node.type, node.span)
        case e.Binary("/", left, e.Const(0)):
            return e.Const(0, left.type, node.span)
        case e.Binary("%", left, e.Const(0)):
            return left
        case e.Binary("<<" | ">>", left, e.Const(int(amount))) if amount >= _width(left):
            return e.Const(0, left.type, node.span)
        case e.Binary("<<" | ">>", left, e.Const(0)):
            return left
        case e.Choose(e.Const(bool(chosen)), yes, no):
            return yes if chosen else no
        case e.Binary("and" | "or", e.Const(bool(known)), right):
            return right if known == (node.op == "and") else e.Const(known, node.type, node.span)
        case e.Binary("and" | "or", left, e.Const(bool(known))) if known == (node.op == "and"):
            return left
        case _:
            return node


def _width(node: e.Expr) -> int:
    assert isinstance(node.type, Bits)  # noqa: S101  INVARIANT: checked when the node was built
    return node.type.width
