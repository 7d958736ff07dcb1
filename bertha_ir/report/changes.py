"""What is not the same in two outlines of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

if TYPE_CHECKING:
    from bertha_ir.plan import Outline


@frozen
class Move:
    """An op (as DIRECTION.OP), and the devices where it ran and runs; None where it is not there."""

    op: str
    before: str | None
    after: str | None


@frozen
class Changes:
    """From one outline to another. `moves`: ops on other devices; `reordered`: the directions whose ops are met in
    another order; `crossings`: links of each kind whose number changes, as (kind, before, after).
    """

    moves: tuple[Move, ...]
    reordered: tuple[str, ...]
    crossings: tuple[tuple[str, int, int], ...]

    def __bool__(self) -> bool:
        """Tell whether anything is not the same."""
        return bool(self.moves or self.reordered or self.crossings)


def changes(before: Outline, after: Outline) -> Changes:
    """Return what is not the same."""
    was, now = dict(before.runs), dict(after.runs)
    names = list(dict.fromkeys([*now, *was]))
    moves = tuple(Move(op, was.get(op), now.get(op)) for op in names if was.get(op) != now.get(op))
    had, has = dict(before.crossings), dict(after.crossings)
    kinds = sorted({*had, *has})
    crossings = tuple((k, had.get(k, 0), has.get(k, 0)) for k in kinds if had.get(k, 0) != has.get(k, 0))
    both = was.keys() & now.keys()
    return Changes(moves, _reordered([o for o in was if o in both], [o for o in now if o in both]), crossings)


def since(written: Outline, planned: Outline) -> Changes:
    """Return what a plan changes of a stack as written, which has no ops that are derived, such as those of replies."""
    known = dict(written.runs)
    return changes(written, evolve(planned, runs=tuple(run for run in planned.runs if run[0] in known)))


def _reordered(was: list[str], now: list[str]) -> tuple[str, ...]:
    found = []
    for direction in dict.fromkeys(op.partition(".")[0] for op in was):
        one, other = ([op for op in ops if op.startswith(f"{direction}.")] for ops in (was, now))
        if one != other:
            found.append(direction)
    return tuple(found)
