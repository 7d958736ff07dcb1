"""Whether what runs may move: the best schedule against the best of those that move as little as possible."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from bertha_ir.passes.schedule.aims import Found, key
from bertha_ir.passes.schedule.problem import decimal
from bertha_ir.passes.schedule.result import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.passes.schedule.aims import Aim
    from bertha_ir.passes.schedule.model import Hysteresis
    from bertha_ir.passes.schedule.problem import Counts, Problem


def decide(
    problem: Problem, aims: Sequence[Aim], best: Found, still: Found, hysteresis: Hysteresis
) -> tuple[Found, Decision]:
    """Return the schedule to use, and why. `still` has fewest moves as its first aim, which is taken off."""
    size = len(aims)
    proven = all(best.proven[:size]) and all(still.proven[: size + 1])
    before, after = _amounts(problem, aims, still.counts), _amounts(problem, aims, best.counts)
    pairs = zip(before, after, strict=True)
    differ = next((pair for pair in pairs if pair[0] != pair[1]), (before[-1], before[-1]))
    (what, without), (_, by_moving) = differ
    gain = without - by_moving
    threshold = max(decimal(hysteresis.absolute), decimal(hysteresis.relative) * without)
    moves = gain > 0 and gain >= threshold
    avoidable = _moved(problem, best.counts) - _moved(problem, still.counts)
    text = (
        f"moving {avoidable} connections gains {float(gain):g} of {what}, {'' if moves else 'less than '}"
        f"{'at least ' if moves else ''}the threshold {float(threshold):g}"
    )
    decision = Decision(moves, what, float(gain), float(threshold), avoidable, proven, text)
    return best if moves else Found(still.counts, still.bounds[1:], still.proven[1:]), decision


def _amounts(problem: Problem, aims: Sequence[Aim], counts: Counts) -> list[tuple[str, Fraction]]:
    """Return all that is made least, in the unit of what was given."""
    amounts = zip(aims, key(problem, aims, counts), strict=True)
    return [
        (aim.what, number * aim.unit)
        for aim, amount in amounts
        for number in ((Fraction(amount),) if isinstance(amount, int) else amount)
    ]


def _moved(problem: Problem, counts: Counts) -> int:
    return sum(row.moved(own) for row, own in zip(problem.rows, counts, strict=True))
