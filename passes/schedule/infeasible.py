"""Why there is no schedule: the first kind that cannot be served, and the resources that are too small."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir.passes.schedule.mistakes import LARGEST
from bertha_ir.passes.schedule.model import CannotServeError, NothingFoundError, Shortage

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.passes.schedule.problem import Problem


def explain(problem: Problem, holds: Callable[[Problem], bool]) -> CannotServeError:
    """Return the error for a problem without a schedule. `holds` tells whether a problem has one, and may raise
    `NothingFoundError`: then the kind may be a later one, and more may be called short than is.

    A set of resources is short when the kind could be served if they were large, and none of the set can be left out.
    Then each in turn is made as large as it must be, the others staying as they are or were made.
    """

    def fits(candidate: Problem, *, unknown: bool = False) -> bool:
        try:
            return holds(candidate)
        except NothingFoundError:
            return unknown

    def fails(served: int) -> bool:
        return not fits(evolve(problem, rows=tuple(rows[: served + 1])), unknown=True)

    names = problem.resources
    rows = sorted(problem.rows, key=lambda row: -row.priority)
    served = _least(0, len(rows) - 1, fails)
    problem, row = evolve(problem, rows=tuple(rows[: served + 1])), rows[served]
    if not row.columns:
        return CannotServeError(row.name, ())
    large = list(range(len(names)))
    for resource in range(len(names)):
        without = [r for r in large if r != resource]
        if fits(_enlarged(problem, dict.fromkeys(without, LARGEST))):
            large = without
    needed = dict.fromkeys(large, LARGEST)
    for resource in large:
        at_least = problem.capacities[resource] + 1
        most = min(LARGEST, max(at_least, _demand(problem, resource)))
        enough = partial(_enough, problem, needed, resource, fits)
        needed[resource] = _least(at_least, most, enough)
    return CannotServeError(row.name, tuple(Shortage(names[r], needed[r], problem.capacities[r]) for r in large))


def _enough(problem: Problem, sizes: dict[int, int], resource: int, fits: Callable[[Problem], bool], size: int) -> bool:
    return fits(_enlarged(problem, {**sizes, resource: size}))


def _demand(problem: Problem, resource: int) -> int:
    """Return what is used of a resource if everything uses as much of it as can be."""
    columns = ((row.connections, column) for row in problem.rows for column in row.columns)
    used = sum(connections * dict(column.uses).get(resource, 0) for connections, column in columns)
    return used + sum(amount for number, amount in problem.shares if number == resource)


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the least number from `low` to `high` that holds, if `high` and all above the answer do."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _enlarged(problem: Problem, sizes: dict[int, int]) -> Problem:
    capacities = (sizes.get(number, capacity) for number, capacity in enumerate(problem.capacities))
    return problem.with_capacities(tuple(capacities))
