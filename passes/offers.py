"""All that a stack might do, for a schedule to choose from: the plans of which none is better in all respects."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.diagnostics import Collector
from bertha_ir.passes.candidates import Sites
from bertha_ir.passes.ends import EndChoice
from bertha_ir.passes.grounds import Grounds
from bertha_ir.passes.placing import Placing
from bertha_ir.passes.rewriting import Rewrites
from bertha_ir.passes.search.dynamic import TooManyOrdersError, pareto
from bertha_ir.passes.search.problem import in_written_order
from bertha_ir.passes.swaps import Swaps
from bertha_ir.passes.topology import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.passes.base import Context, Module
    from bertha_ir.passes.placing import Asked
    from bertha_ir.passes.search.dynamic import Found
    from bertha_ir.spec import Stack
    from bertha_ir.stack import Graph

Amounts = tuple[tuple[str, int], ...]
SHARED = ("entries", "slots")
"""What a program takes once, for all connections of its stack."""


@frozen
class Offer:
    """One way to run a stack. `runs`: each op (as DIRECTION.OP) and its device; `rank`: places in the policy's lists;
    `latency_ns`: of a request and its response; `uses`: what each connection takes, `shared`: what all take together.
    """

    runs: tuple[tuple[str, str], ...]
    rank: int
    latency_ns: float
    uses: Amounts
    shared: Amounts

    def beats(self, other: Offer) -> bool:
        """Whether this is at least as good in every respect."""
        mine, theirs = ((o.rank, o.latency_ns) for o in (self, other))
        rows = ((self.uses, other.uses), (self.shared, other.shared))
        return mine <= theirs and all(dict(a).get(n, 0) <= dict(b).get(n, 0) for a, b in rows for n, _ in (*a, *b))


def offers(module: Module, context: Context, stack: Stack) -> tuple[Offer, ...]:
    """Return the ways to run a stack that is ready to be placed, the best by itself first.

    Raises:
        BerthaError: there is none.
    """
    collector = Collector()
    specification = module.specification
    path = path_of(stack, specification.site, collector)
    collector.check()
    assert path is not None  # noqa: S101  INVARIANT: else it was reported
    grounds, rewrites = Grounds(specification), Rewrites(specification)
    graphs = module.directions(stack.name)
    sides: list[list[Offer]] = []
    for graph in graphs:
        back = next((g for g in graphs if g.direction != graph.direction), None)
        sites = Sites(graph, back, path, specification, context, grounds)
        direction = next(d for d in stack.directions if d.name == graph.direction)
        placing = Placing(graph, direction, stack, sites, Swaps(rewrites, stack.name, direction), collector)
        asked = placing.asked()
        collector.check()
        assert asked is not None  # noqa: S101  INVARIANT: as above
        sides.append([_offer(placing, graph, asked, found) for found in _ways(asked)])
    best: list[Offer] = []
    for offer in sorted((_joined(row) for row in product(*sides)), key=lambda o: (o.rank, o.latency_ns)):
        if not any(other.beats(offer) for other in best):
            best.append(offer)
    return tuple(best)


def _ways(asked: Asked) -> tuple[Found, ...]:
    try:
        return pareto(asked.problem)
    except TooManyOrdersError:
        return pareto(in_written_order(asked.problem))


def _offer(placing: Placing, graph: Graph, asked: Asked, found: Found) -> Offer:
    runs = tuple(_runs(placing, graph, asked, found))
    rows = ((name, amount) for name, amount in found.uses if amount)
    uses: list[tuple[str, int]] = []
    shared: list[tuple[str, int]] = []
    for name, amount in rows:
        (shared if name.rpartition(".")[2] in SHARED else uses).append((name, amount))
    return Offer(runs, found.key[0], found.price(asked.problem).latency, tuple(uses), tuple(shared))


def _runs(placing: Placing, graph: Graph, asked: Asked, found: Found) -> Iterator[tuple[str, str]]:
    stops, above = placing.sites.prices.stops, len(placing.ends.layers)
    for step in found.steps:
        choice = asked.taken[id(step.choice)]
        if isinstance(choice, EndChoice):
            yield from ((f"{graph.direction}.{s.op.id}", stops[s.stop].name) for s in choice.spots)
        else:
            op = placing.ops[step.choice.tasks[0] - above]
            yield f"{graph.direction}.{op.id}", choice.candidate.stop.name


def _joined(row: tuple[Offer, ...]) -> Offer:
    """Return one way for all directions."""
    return Offer(
        tuple(run for offer in row for run in offer.runs),
        sum(o.rank for o in row),
        sum(o.latency_ns for o in row),
        _added(tuple(o.uses for o in row)),
        _added(tuple(o.shared for o in row)),
    )


def _added(rows: tuple[Amounts, ...]) -> Amounts:
    total: dict[str, int] = {}
    for name, amount in (item for row in rows for item in row):
        total[name] = total.get(name, 0) + amount
    return tuple(sorted(total.items()))
