"""What is made least, one aim after the other, in the whole numbers of a problem."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bertha_ir.passes.schedule.model import Objective
    from bertha_ir.passes.schedule.problem import Counts, Problem

Amount = int | tuple[Fraction, ...]
"""What an aim comes to: a sum, or each row's mean, the largest first. Less is better."""

Key = tuple[Amount, ...]


@frozen
class Aim:
    """So much per connection of each column, and per moved connection of each row. Summed over the rows; or, where
    `worst`, divided by the row's connections, and the largest made least, then the next. What it comes to, times
    `unit`, is in the unit of what was given. Where there is a `level`, only the kinds of that priority add to it. A
    `tie` decides only among what is equally good.
    """

    what: str
    rates: tuple[tuple[int, ...], ...]
    moves: tuple[int, ...]
    unit: Fraction
    level: int | None = None
    worst: bool = False
    tie: bool = False

    def part(self, problem: Problem, number: int, counts: Sequence[int]) -> int:
        """Return what one row adds."""
        moved = self.moves[number] and self.moves[number] * problem.rows[number].moved(counts)
        return moved + sum(rate * count for rate, count in zip(self.rates[number], counts, strict=True))

    def amount(self, problem: Problem, parts: Sequence[int]) -> Amount:
        """Return what the aim comes to, from the parts of the first rows."""
        if not self.worst:
            return sum(parts)
        return order(Fraction(p, r.connections) for p, r in zip(parts, problem.rows, strict=True))


@frozen
class Found:
    """A schedule; for each aim a lower bound, for the largest mean where it is `worst`, given the aims before it; and
    whether nothing is better by this aim, given those before it.
    """

    counts: Counts
    bounds: tuple[Fraction, ...]
    proven: tuple[bool, ...]


def order(means: Iterable[Fraction]) -> tuple[Fraction, ...]:
    """Return the largest first."""
    return tuple(sorted(means, reverse=True))


def first(amount: Amount) -> Fraction:
    """Return the number of an amount that comes first."""
    return Fraction(amount) if isinstance(amount, int) else (amount or (Fraction(),))[0]


def key(problem: Problem, aims: Sequence[Aim], counts: Counts) -> Key:
    """Return what each aim comes to."""
    return tuple(a.amount(problem, [a.part(problem, n, own) for n, own in enumerate(counts)]) for a in aims)


def wanted(problem: Problem, objective: Objective) -> tuple[Aim, ...]:
    """Return the aims of an objective."""
    everything = _cost(problem, "cost", None)
    if objective == "priority":
        levels = sorted({row.priority for row in problem.rows}, reverse=True)
        return tuple(_cost(problem, f"cost of priority {at}", at) for at in levels) or (everything,)
    if objective == "max-min":
        rates = tuple(tuple(column.slowdown for column in row.columns) for row in problem.rows)
        moves = tuple(row.move_slowdown for row in problem.rows)
        return Aim("slowdown of the worst-off kind", rates, moves, problem.slowdown_unit, worst=True), everything
    return (everything,)


def fewest_moves(problem: Problem) -> tuple[Aim, ...]:
    """Return the aim to leave everything where it is; none when nothing runs."""
    nothing = tuple((0,) * len(row.columns) for row in problem.rows)
    moves = Aim("moved connections", nothing, (1,) * len(problem.rows), Fraction(1))
    return (moves,) if problem.runs else ()


def first_options(problem: Problem) -> Aim:
    """Return the aim that, of options that are equally good, those named first are used."""
    rates = tuple(tuple(range(len(row.columns))) for row in problem.rows)
    return Aim("places of the options", rates, (0,) * len(rates), Fraction(1), tie=True)


def _cost(problem: Problem, what: str, level: int | None) -> Aim:
    rows = [(row, level in {None, row.priority}) for row in problem.rows]
    rates = tuple(tuple(column.cost * yes for column in row.columns) for row, yes in rows)
    return Aim(what, rates, tuple(row.move_cost * yes for row, yes in rows), problem.unit, level)
