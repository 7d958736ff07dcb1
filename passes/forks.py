"""Branches of a fork: no op of one depends on an op of another, which is proved of each pair."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

from bertha_ir.passes.codes import CH217BranchesMeet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.diagnostics import Collector
    from bertha_ir.passes.grounds import Grounds
    from bertha_ir.spec import Direction
    from bertha_ir.stack import Graph, Op


def check_forks(graph: Graph, direction: Direction, grounds: Grounds, collector: Collector) -> None:
    """Report each pair of ops of different branches that is not proved to be independent."""
    for first, second in _pairs(graph, direction):
        ground = grounds.of(first, second, graph)
        if ground.may_not is not None:
            collector.add(
                CH217BranchesMeet,
                f"`{first.chunnel}` and `{second.chunnel}` are in branches side by side, and not independent:"
                f" {ground.objection()}",
                second.span,
                f"write `{first.chunnel} |> {second.chunnel}`, or the other way round, as it is meant",
            )


def _pairs(graph: Graph, direction: Direction) -> Iterator[tuple[Op, Op]]:
    """Yield the pairs of ops of different branches, each as written. Chunnels that were left out are none."""
    ops = {o.instance: o for o in graph.chain() if o.side == "path" and o.derived_from is None}
    for fork in direction.forks:
        for one, other in combinations(fork, 2):
            yield from ((ops[a], ops[b]) for a, b in product(one, other) if a in ops and b in ops)
