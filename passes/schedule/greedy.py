"""A schedule that is found fast, and may not be the best: where a search starts, and what is left if it ends."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import cycle, islice, permutations
from typing import TYPE_CHECKING

from bertha_ir.passes.schedule.aims import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.passes.schedule.aims import Aim, Key
    from bertha_ir.passes.schedule.problem import Column, Counts, Problem, Row

TRIED = 5_000
"""Moves that are tried to improve one schedule; a count and not a time, so that the answer is the same every time."""


def found(problem: Problem, aims: Sequence[Aim], until: float) -> Counts | None:
    """Return the best of a few simple schedules, improved move by move; None when none of them holds. `until` is a time
    of `time.monotonic`.
    """
    still = [_trimmed(row) for row in problem.rows]
    nobody = [[0] * len(row.columns) for row in problem.rows]
    by_load = [_sorted([_load(problem, row, column) for column in row.columns]) for row in problem.rows]
    by_cost = [_sorted([column.cost for column in row.columns]) for row in problem.rows]
    starts = [_filled(problem, *start) for start in ((still, by_load), (nobody, by_load), (nobody, by_cost))]
    climbed = [_climbed(problem, aims, counts, until) for counts in starts if counts is not None]
    return min(climbed, key=lambda pair: pair[0])[1] if climbed else None


def _trimmed(row: Row) -> list[int]:
    left, counts = row.connections, []
    for column in row.columns:
        counts.append(min(column.now, column.most, left))
        left -= counts[-1]
    return counts


def _sorted(values: Sequence[Fraction | int]) -> list[int]:
    """Return the numbers of the values, the least first."""
    return sorted(range(len(values)), key=lambda number: values[number])


def _load(problem: Problem, row: Row, column: Column) -> Fraction:
    uses = [(r, amount * row.connections) for r, amount in column.uses] + [problem.shares[s] for s in column.shares]
    return max((Fraction(amount, problem.capacities[r] or 1) for r, amount in uses), default=Fraction())


def _filled(problem: Problem, start: list[list[int]], orders: list[list[int]]) -> Counts | None:
    counts = [list(own) for own in start]
    if any(map(int.__gt__, problem.used(_frozen(counts)), problem.capacities)):
        return None
    for number, (row, own) in enumerate(zip(problem.rows, counts, strict=True)):
        for column in orders[number]:
            own[column] += _room(problem, _frozen(counts), (number, column, None), row.connections - sum(own))
        if sum(own) < row.connections:
            return None
    return _frozen(counts)


def _frozen(counts: Sequence[Sequence[int]]) -> Counts:
    return tuple(map(tuple, counts))


def _room(problem: Problem, counts: Counts, where: tuple[int, int, int | None], most: int) -> int:
    """Return how many of so many more connections a column, as (row, column), can take of those that run by a third."""
    number, to, source = where
    columns = problem.rows[number].columns
    left = [c - used for c, used in zip(problem.capacities, problem.used(counts), strict=True)]
    freed = dict(columns[source].uses) if source is not None else {}
    paid = {
        s
        for row, own in zip(problem.rows, counts, strict=True)
        for c, n in zip(row.columns, own, strict=True)
        if n
        for s in c.shares
    }
    for resource, amount in (problem.shares[s] for s in columns[to].shares if s not in paid):
        left[resource] -= amount
    need = {r: amount - freed.get(r, 0) for r, amount in columns[to].uses}
    most = min([most, *(left[r] // amount for r, amount in need.items() if amount > 0)])
    return max(0, most) if min(left, default=0) >= 0 else 0


def _climbed(problem: Problem, aims: Sequence[Aim], counts: Counts, until: float) -> tuple[Key, Counts]:
    """Move as many of a kind's connections as fit to another of its options while that is better."""
    places = [(n, *pair) for n, row in enumerate(problem.rows) for pair in permutations(range(len(row.columns)), 2)]
    best, idle = key(problem, aims, counts), 0
    for number, source, to in islice(cycle(places), TRIED):
        if idle == len(places) or time.monotonic() > until:
            break
        idle += 1
        if counts[number][source]:
            moved = _moved(problem, counts, number, source, to)
            if (new := key(problem, aims, moved)) < best:
                best, counts, idle = new, moved, 0
    return best, counts


def _moved(problem: Problem, counts: Counts, number: int, source: int, to: int) -> Counts:
    own = list(counts[number])
    count = _room(problem, counts, (number, to, source), own[source])
    own[source] -= count
    own[to] += count
    return (*counts[:number], tuple(own), *counts[number + 1 :])
