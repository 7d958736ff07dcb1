"""What a device would do, had it more of what ops use up: said of each op that is elsewhere for that reason."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir.passes.ends import EndChoice
from bertha_ir.passes.search.find import find
from bertha_ir.plan import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.passes.placing import PathChoice, Placing
    from bertha_ir.passes.search.dynamic import Found
    from bertha_ir.passes.search.problem import Problem


def crowded(
    placing: Placing, problem: Problem, taken: Mapping[int, EndChoice | PathChoice], found: Found
) -> tuple[Refusal, ...]:  # fmt: skip
    """Return the devices that would run ops if nothing were scarce, and of what each has too little, with figures.

    `taken`: what the problem's choices stand for, by their `id`.
    """
    free = find(evolve(problem, capacity={})).found if problem.capacity else None
    if free is None or free.key[:2] >= found.key[:2]:
        return ()
    needs = Counter[str]()
    for step in free.steps:
        needs.update(dict(step.choice.uses))
    there = problem.capacity
    short = {name for name, amount in needs.items() if name in there and amount > there[name]}
    used = {place for step in found.steps for place in _places(placing, taken[id(step.choice)])}
    return tuple(
        Refusal(op, device, f"it would be better there, but {_lacking(amount, resource, needs[name], there[name])}")
        for step in free.steps
        for op, device in _places(placing, taken[id(step.choice)])
        for name, amount in step.choice.uses
        for on, _, resource in (name.rpartition("."),)
        if name in short and on == device and (op, device) not in used
    )


def _lacking(mine: int, resource: str, everything: int, there: int) -> str:
    others = f", {everything} with what else would be there" if everything > mine else ""
    return f"takes {mine} of its {resource}{others}, and it has {there}"


def _places(placing: Placing, choice: EndChoice | PathChoice) -> list[tuple[str, str]]:
    """Return the ops of a choice that use up what is scarce, and their devices."""
    if not isinstance(choice, EndChoice):
        return [(placing.ops[choice.choice.tasks[0] - len(placing.ends.layers)].id, choice.candidate.stop.name)]
    stops = placing.sites.prices.stops
    return [(spot.op.id, stops[spot.stop].name) for spot in choice.spots if spot.implementation is not None]
