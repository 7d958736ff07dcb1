"""The door of the search: the dynamic program where it is short, CP-SAT where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.passes.search.dynamic import Found, TooManyOrdersError, cheapest
from bertha_ir.passes.search.problem import in_written_order
from bertha_ir.passes.search.solver import SECONDS, NotForSolverError, by_solver

if TYPE_CHECKING:
    from bertha_ir.passes.search.problem import Problem


@frozen
class Result:
    """The best way there is, or None; `note`: what is not proved of it, and why."""

    found: Found | None
    note: str | None = None


def find(problem: Problem, seconds: float = SECONDS) -> Result:
    """Return the best order and places. Where neither engine can prove that, the note says what is given instead."""
    try:
        return Result(cheapest(problem))
    except TooManyOrdersError:
        pass
    try:
        answer = by_solver(problem, seconds)
    except (TooManyOrdersError, NotForSolverError) as error:
        why = str(error) or "there are too many others"
        return Result(cheapest(in_written_order(problem)), f"keep their written order: {why}")
    if answer is None:
        return Result(None)
    note = f"may run {answer.gap:.3g} ns cheaper in another order: the time was over" if answer.gap else None
    return Result(answer.found, note)
