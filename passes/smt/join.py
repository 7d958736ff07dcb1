"""Joins the two branches of a choice into one path again, so that paths do not double with every `if`.

Branches are joined if both go on and differ in values only; what a map that evicts has seen is not joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import z3
from attrs import evolve

from bertha_ir.passes.smt.memory import Cell, History, Map
from bertha_ir.passes.smt.path import Packet, Path
from bertha_ir.passes.smt.terms import Text

if TYPE_CHECKING:
    from bertha_ir.passes.smt.memory import Memory


class _UnlikeError(Exception):
    """Two values are not of one shape."""


def joined_paths(ends: list[list[Path]]) -> list[Path] | None:
    """Return the one path that two branches, each of one path, have in common afterwards; None when there is none."""
    if [len(end) for end in ends] != [1, 1]:
        return None
    (yes,), (no,) = ends
    apart = len(yes.conditions) - 1
    forked = apart >= 0 and len(no.conditions) == apart + 1 and _contrary(yes.conditions[apart], no.conditions[apart])
    if not forked or yes.verdict != "pass" or no.verdict != "pass":
        return None
    try:
        return [_joined(yes.conditions[apart], yes, no)]
    except _UnlikeError:
        return None


def _contrary(condition: z3.BoolRef, other: z3.BoolRef) -> bool:
    return bool(z3.is_not(other) and other.arg(0).eq(condition))


def _joined(condition: z3.BoolRef, yes: Path, no: Path) -> Path:
    same_sent = len(yes.sent) == len(no.sent) and all(a is b for a, b in zip(yes.sent, no.sent, strict=True))
    if not same_sent or yes.draws != no.draws:
        raise _UnlikeError
    either = _Either(condition)
    return evolve(
        yes,
        packet=either.packet(yes.packet, no.packet),
        memories={name: either.memory(memory, no.memories[name]) for name, memory in yes.memories.items()},
        conditions=yes.conditions[:-1],
        locals={name: either.value(yes.locals[name], no.locals[name]) for name in yes.locals if name in no.locals},
    )


class _Either:
    """Chooses between two values by a condition."""

    def __init__(self, condition: z3.BoolRef) -> None:
        self.condition = condition

    def value(self, yes: Any, no: Any) -> Any:  # noqa: ANN401  (any value that a path has)
        """Return a term that is one value or the other."""
        match yes, no:
            case (Text(), Text()):
                return self.text(yes, no)
            case (tuple(), tuple()):
                return tuple(self.value(a, b) for a, b in zip(yes, no, strict=True))
            case (dict(), dict()):
                if yes.keys() != no.keys():
                    raise _UnlikeError
                return {name: self.value(yes[name], no[name]) for name in yes}
            case (None, None):
                return None
            case (z3.ExprRef(), z3.ExprRef()):
                return yes if yes.eq(no) else z3.If(self.condition, yes, no)
        raise _UnlikeError

    def text(self, yes: Text, no: Text) -> Text:
        """Return a byte string that is one or the other: of the same rest."""
        one_base = yes.base is no.base or (yes.base is not None and no.base is not None and yes.base.eq(no.base))
        if not one_base or len(yes.head) - yes.cut != len(no.head) - no.cut:
            raise _UnlikeError
        count = max(len(yes.head), len(no.head))
        ours, theirs = yes.exposed(count), no.exposed(count)
        return Text(tuple(self.value(a, b) for a, b in zip(ours.head, theirs.head, strict=True)), ours.base, ours.cut)

    def packet(self, yes: Packet, no: Packet) -> Packet:
        """Return a message that is one or the other."""
        if yes.at != no.at:
            raise _UnlikeError
        return Packet(
            self.text(yes.data, no.data), self.value(yes.src, no.src), self.value(yes.dst, no.dst),
            self.value(yes.value, no.value), self.value(yes.outside, no.outside), yes.at,
            self.value(yes.popped, no.popped),
        )  # fmt: skip

    def memory(self, yes: Memory, no: Memory) -> Memory:
        """Return a state that is one or the other."""
        if yes is no:
            return yes
        match yes, no:
            case (Cell(), Cell()):
                return evolve(yes, row=self.value(yes.row, no.row))
            case (Map(), Map()):
                return evolve(
                    yes, present=self.value(yes.present, no.present), rows=self.value(yes.rows, no.rows),
                    count=self.value(yes.count, no.count),
                )  # fmt: skip
            case (History(), History()) if yes.term.eq(no.term):
                return yes
        raise _UnlikeError
