"""Where a body can send a message: the values it gives to `dst`, read off its statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.stack import Op

Endpoint = tuple[int, int]


def rewrites(body: s.Body) -> tuple[e.Expr, ...]:
    """Return the values that a body gives to `dst`, or to a part of it."""
    return tuple(
        n.value
        for n in walk(body)
        if isinstance(n, s.Assign)
        and (n.target == e.Address("dst") or (isinstance(n.target, e.Part) and n.target.of == e.Address("dst")))
    )


def sources(body: s.Body) -> bool:
    """Whether a body gives a message another source, or a part of one."""
    return any(
        isinstance(n, s.Assign)
        and (n.target == e.Address("src") or (isinstance(n.target, e.Part) and n.target.of == e.Address("src")))
        for n in walk(body)
    )


def possible(value: e.Expr, op: Op) -> set[Endpoint] | None:
    """Return every endpoint that an expression can have as its value, or None when they are not known."""
    tables = {t.name: t for t in op.tables}
    match value:
        case e.Const((int(ip), int(port))):
            return {(ip, port)}
        case e.Element(table, _):
            return {(ip, port) for ip, port in (entry.values for entry in tables[table].entries)}
        case e.Match(table, _, default):
            rest = possible(default, op)
            return None if rest is None else rest | {(i, p) for i, p in (x.values for x in tables[table].entries)}
        case e.Choose(_, yes, no):
            one, other = possible(yes, op), possible(no, op)
            return None if one is None or other is None else one | other
        case _:
            return None


def addresses(op: Op) -> frozenset[int] | None:
    """Return the IPv4 addresses that an op can send messages to; None when they are not known, empty when it leaves
    `dst` as it is.
    """
    ends = [possible(value, op) for value in rewrites(op.body)]
    if any(found is None for found in ends):
        return None
    return frozenset(ip for found in ends if found is not None for ip, _ in found)
