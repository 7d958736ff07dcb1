"""The order in which a plan has the chunnels of the ends, as far as it can be one."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from bertha_ir.passes.relaid import relaid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.audit.opened import Opened
    from bertha_ir.plan import Plan
    from bertha_ir.spec import Direction, Instance
    from bertha_ir.stack import Graph


def direction_of(graph: Graph, artifact: Opened) -> Direction | None:
    """Return the direction of the specification that a graph is of."""
    stacks = (s for s in artifact.specification.stacks if s.name == graph.stack)
    return next((d for s in stacks for d in s.directions if d.name == graph.direction), None)


def ends_of(graph: Graph, plan: Plan) -> tuple[str, ...]:
    """Return the chunnels of the ends (by instance) in a plan's order, top of the stack first; as written where the
    plan has none, or one that is not of these ops.
    """
    written = [o.instance for o in graph.chain() if o.side == "sender"]
    late = [o.instance for o in reversed(graph.chain()) if o.side == "receiver" and o.instance not in written]
    found = next((o.ops for o in plan.orders if o.direction == graph.direction), ())
    known = {o.id: o.instance for o in graph.ops if o.side == "sender"}
    sent = [known[name] for name in found if name in known]
    return (*(sent if sorted(sent) == sorted(written) else written), *late)


def reordered(plan: Plan, artifact: Opened) -> Iterator[Graph]:
    """Yield the directions of a plan with the chunnels of the ends in its order."""
    for graph in (g for g in artifact.graphs if g.stack == plan.stack):
        direction = direction_of(graph, artifact)
        path = tuple(o.id for o in graph.chain() if o.side == "path" and o.derived_from is None)
        if direction is not None:
            yield relaid(graph, direction, ends_of(graph, plan), path)


def swapped_pairs(graph: Graph, plan: Plan, direction: Direction) -> Iterator[tuple[Instance, Instance]]:
    """Yield the chunnels of the ends that a plan has in the other order than that in which they are written, so."""
    order = ends_of(graph, plan)
    ours = [i for i in direction.instances if i.id in order]
    for upper, lower in combinations(ours, 2):
        if order.index(upper.id) > order.index(lower.id):
            yield upper, lower
