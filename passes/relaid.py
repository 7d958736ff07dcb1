"""A direction with its ops in another order, and what can be read at each edge then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir.passes.layout import after, start
from bertha_ir.stack import connect

if TYPE_CHECKING:
    from bertha_ir.spec import Direction
    from bertha_ir.stack import Graph, Layout, Op


def relaid(graph: Graph, direction: Direction, ends: tuple[str, ...], path: tuple[str, ...]) -> Graph:
    """Return a graph with its chunnels of the ends (by instance) and its ops of the path (by id) in another order.

    Each keeps to the places of its kind: what was an op of the path is one. The receiver undoes in the order in which
    the sender's ops lie below each other.
    """
    chain = graph.chain()
    rank = {name: n for n, name in enumerate(ends)}
    moved = {name: n for n, name in enumerate(path)}
    rows = {
        "sender": sorted((o for o in chain if o.side == "sender"), key=lambda o: rank[o.instance]),
        "receiver": sorted((o for o in chain if o.side == "receiver"), key=lambda o: -rank[o.instance]),
        "path": sorted((o for o in chain if o.id in moved), key=lambda o: moved[o.id]),
    }
    places = {kind: iter(row) for kind, row in rows.items()}
    ops = tuple(next(places[o.side]) if o.side != "path" or o.id in moved else o for o in chain)
    return graph if ops == chain else evolve(graph, ops=ops, edges=connect(ops, _layouts(ops, direction)))


def _layouts(ops: tuple[Op, ...], direction: Direction) -> tuple[Layout, ...]:
    """Return the layouts around ops; a receiver's op gives back what its sender's took."""
    layouts = [start(direction)]
    before: dict[str, Layout] = {}
    for op in ops:
        if op.side == "receiver":
            layouts.append(before.get(op.instance, layouts[-1]))
        else:
            before.setdefault(op.instance, layouts[-1])
            layouts.append(after(layouts[-1], op))
    return tuple(layouts)
