"""A stack as written, costed: what a system does that gives each chunnel its best offload and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir.passes.ends import EndChoice
from bertha_ir.passes.search.dynamic import cheapest
from bertha_ir.passes.search.problem import Free, in_written_order
from bertha_ir.plan import Outline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.passes.placing import PathChoice, Placed, Placing
    from bertha_ir.passes.search.problem import Problem


def outline(placed: tuple[Placed, ...]) -> Outline | None:
    """Return the stack before it was optimized; None when its written order runs nowhere."""
    plain = [p.before for p in placed]
    if any(p is None for p in plain):
        return None
    runs = tuple(run for p in plain if p is not None for run in p.runs)
    counts: Counter[str] = Counter()
    for p in plain:
        counts.update(dict(p.crossings) if p is not None else {})
    request = next((p.before for p in placed if p.graph.direction == "request"), None)
    times = (request.latency_ns, request.mean_ns) if request else (None, None)
    return Outline(runs, tuple(sorted(counts.items())), *times)


def before(placing: Placing, problem: Problem, taken: Mapping[int, EndChoice | PathChoice]) -> Outline | None:
    """Return a direction as written, each op where it alone is cheapest; None when that runs nowhere.

    `taken`: what the problem's choices stand for, by their `id`.
    """
    found = cheapest(evolve(in_written_order(problem), way=Free(), returns=True))
    if found is None:
        return None
    prices, legs = placing.sites.prices, found.legs(problem)
    name, above = placing.graph.direction, len(placing.ends.layers)
    rows: list[tuple[str, str]] = []
    late: list[tuple[str, str]] = []
    known = all(prices.crossing(*leg) for leg in legs)
    for step in found.steps:
        choice = taken[id(step.choice)]
        if not isinstance(choice, EndChoice):
            at = choice.candidate
            rows.append((f"{name}.{placing.ops[choice.choice.tasks[0] - above].id}", at.stop.name))
            known = known and prices.run(at.program, at.index)(problem.size) is not None
            continue
        for spot in choice.spots:
            (rows if spot.op.side == "sender" else late).append((f"{name}.{spot.op.id}", prices.stops[spot.stop].name))
            known = known and spot.cost(problem.size) is not None
    counts = Counter(prices.link(a, b).kind for a, b, _ in legs)
    crossed = tuple(sorted(counts.items()))
    if not known:
        return Outline((*rows, *late[::-1]), crossed, None)
    all_the_way = evolve(problem, tasks=tuple(evolve(t, keeps=1.0) for t in problem.tasks))
    latency, mean = (found.price(p, apart=True).latency for p in (all_the_way, problem))
    return Outline((*rows, *late[::-1]), crossed, latency, mean)
