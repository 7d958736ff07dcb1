"""Without any solver: an exact dynamic program over the kinds, for small questions.

A state is what is left of each resource and the shares that are paid; which schedule of the kinds so far led there
does not matter for the others, so only the best is kept. What is left counts only as far as the other kinds can use it,
shares only as far as they can need them. A state goes when another is as good and has as much left, or when even the
best of the other kinds, each as if it were alone, would not make it better than a schedule that is known.

All aims keep their order when the same is added to both sides, also the sorted list of slowdowns, so they are compared
as one key.
"""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.passes.schedule import greedy
from bertha_ir.passes.schedule.aims import Found, first, key, order
from bertha_ir.passes.schedule.model import NothingFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertha_ir.passes.schedule.aims import Aim, Amount, Key
    from bertha_ir.passes.schedule.problem import Counts, Problem, Row

WAYS = 200_000
"""States, and ways to serve one kind, that are gone through: some seconds."""
COMPARED = 2_000
"""States of one length that are compared each with each."""


class _TooLargeError(Exception):
    pass


@frozen
class _Way:
    """How to serve one row: what it uses beside its shares, the shares, and what it adds to each aim."""

    counts: tuple[int, ...]
    uses: tuple[int, ...]
    shares: frozenset[int]
    parts: Key


@frozen
class _State:
    left: tuple[int, ...]
    paid: frozenset[int]
    parts: Key
    counts: Counts


def least(problem: Problem, aims: Sequence[Aim], until: float, limit_s: float) -> Found | None:
    """Return what is least by the aims, one after the other; None when there is no schedule. When the time is up, or
    there is too much to go through, the best that is known, its proofs missing.

    Raises:
        NothingFoundError: the time was up before a schedule was found.
    """
    known = greedy.found(problem, aims, until)
    ways: list[list[_Way]] = []
    try:
        ways = [list(_ways(problem, aims, number, until)) for number in range(len(problem.rows))]
        if not all(ways):
            return None
        better = _search(problem, aims, ways, None if known is None else key(problem, aims, known), until)
    except _TooLargeError:
        if known is None:
            raise NothingFoundError(limit_s) from None
        bounds = [first(a.amount(problem, _alone(problem, a))) for a in aims]
        return Found(known, tuple(bounds), (False,) * len(aims))
    counts = known if better is None else better
    if counts is None:
        return None
    return Found(counts, tuple(map(first, key(problem, aims, counts))), (True,) * len(aims))


def _alone(problem: Problem, aim: Aim) -> list[int]:
    """Return a lower bound of each row's part: all its connections by what is least for it."""
    return [
        row.connections * min((r for r, c in zip(aim.rates[n], row.columns, strict=True) if c.most), default=0)
        for n, row in enumerate(problem.rows)
    ]


def _ways(problem: Problem, aims: Sequence[Aim], number: int, until: float) -> Iterator[_Way]:
    row = problem.rows[number]
    for seen, counts in enumerate(_splits(row, 0, row.connections, list(problem.capacities))):
        if seen == WAYS or (seen % 1024 == 0 and time.monotonic() > until):
            raise _TooLargeError
        if counts is None:
            continue
        uses = [0] * len(problem.capacities)
        for column, count in zip(row.columns, counts, strict=True):
            for resource, amount in column.uses:
                uses[resource] += amount * count
        shares = frozenset(s for column, count in zip(row.columns, counts, strict=True) if count for s in column.shares)
        parts = (aim.part(problem, number, counts) for aim in aims)
        yield _Way(counts, tuple(uses), shares, tuple(_own(a, p, row) for a, p in zip(aims, parts, strict=True)))


def _own(aim: Aim, part: int, row: Row) -> Amount:
    return (Fraction(part, row.connections),) if aim.worst else part


def _splits(row: Row, column: int, connections: int, left: list[int]) -> Iterator[tuple[int, ...] | None]:
    """Return every way to spread connections over a row's columns from `column` on, within what is left; None for each
    that turned out not to fit.
    """
    if column == len(row.columns):
        yield None if connections else ()
        return
    uses = row.columns[column].uses
    most = min([connections, row.columns[column].most, *(left[r] // amount for r, amount in uses)])
    fewest = connections if column == len(row.columns) - 1 else 0
    if most < fewest:
        yield None
    for count in range(most, fewest - 1, -1):
        rest = list(left)
        for resource, amount in uses:
            rest[resource] -= amount * count
        for counts in _splits(row, column + 1, connections - count, rest):
            yield None if counts is None else (count, *counts)


def _added(one: Key, other: Key) -> Key:
    return tuple(
        a + b if isinstance(a, int) and isinstance(b, int) else order((*_list(a), *_list(b)))
        for a, b in zip(one, other, strict=True)
    )


def _list(amount: Amount) -> tuple[Fraction, ...]:
    return () if isinstance(amount, int) else amount


def _search(
    problem: Problem, aims: Sequence[Aim], ways: list[list[_Way]], known: Key | None, until: float
) -> Counts | None:
    """Return what is least and better than what is known; None when there is nothing."""
    nothing: Key = tuple(() if aim.worst else 0 for aim in aims)
    rest = [nothing]
    for own in reversed(ways):
        rest.insert(0, _added(rest[0], tuple(map(min, zip(*(way.parts for way in own), strict=True)))))
    states = [_State(problem.capacities, frozenset(), nothing, ())]
    for number, own in enumerate(ways):
        most, later = _needs(problem, ways[number + 1 :])
        reached: dict[tuple[tuple[int, ...], frozenset[int]], _State] = {}
        for tried, (state, way) in enumerate((state, way) for state in states for way in own):
            if len(reached) > WAYS or (tried % 1024 == 0 and time.monotonic() > until):
                raise _TooLargeError
            after = _after(problem, state, way, most, later)
            if after is None or (known is not None and not _added(after.parts, rest[number + 1]) < known):
                continue
            place = (after.left, after.paid)
            if place not in reached or after.parts < reached[place].parts:
                reached[place] = after
        states = _undominated(list(reached.values()))
    return states[0].counts if states else None


def _needs(problem: Problem, ways: list[list[_Way]]) -> tuple[list[int], frozenset[int]]:
    """Return the most that some rows can use of each resource, and the shares that they can need."""
    later = frozenset(share for own in ways for way in own for share in way.shares)
    most = [sum(max(way.uses[r] for way in own) for own in ways) for r in range(len(problem.capacities))]
    for resource, amount in (problem.shares[share] for share in later):
        most[resource] += amount
    return most, later


def _after(problem: Problem, state: _State, way: _Way, most: list[int], later: frozenset[int]) -> _State | None:
    left = list(map(int.__sub__, state.left, way.uses))
    for resource, amount in (problem.shares[share] for share in way.shares - state.paid):
        left[resource] -= amount
    if min(left, default=0) < 0:
        return None
    paid = (state.paid | way.shares) & later
    return _State(tuple(map(min, left, most)), paid, _added(state.parts, way.parts), (*state.counts, way.counts))


def _undominated(states: list[_State]) -> list[_State]:
    """Return the states that no other makes useless, the best first."""
    states.sort(key=lambda state: state.parts)
    if len(states) > COMPARED:
        return states
    kept: list[_State] = []
    for state in states:
        if not any(other.paid >= state.paid and all(map(int.__ge__, other.left, state.left)) for other in kept):
            kept.append(state)
    return kept
