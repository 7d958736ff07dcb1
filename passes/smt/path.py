"""One way through a pipeline of bodies: the conditions under which it is taken, and what a body can see or change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import z3
from attrs import Factory, define, evolve, frozen

from bertha_ir.passes.smt.context import variable
from bertha_ir.passes.smt.memory import Asked, room, start_of
from bertha_ir.passes.smt.terms import Facts, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.interpreter.stack import Step
    from bertha_ir.message import Message
    from bertha_ir.passes.smt.memory import Memory
    from bertha_ir.program import State

Value = Any
"""A term of bits or a bool, a `Text`, a pair (address, port), or a record: a dict of fields."""

Ends = tuple[z3.BitVecRef, z3.BitVecRef]


class BeyondProofError(Exception):
    """A body does what the encoding does not hold; the question stays open unless a packet answers it."""


class MeaninglessError(BeyondProofError):
    """A body does what means nothing in the interpreter, either, so that there is nothing to try."""


@define
class Packet:
    """A message on its way."""

    data: Text
    src: Ends
    dst: Ends
    value: dict[str, Value] | None = None
    outside: dict[str, dict[str, z3.BitVecRef]] = Factory(dict)
    at: dict[str, int] = Factory(dict)
    popped: dict[str, dict[str, z3.BitVecRef]] = Factory(dict)

    def copy(self) -> Packet:
        """Return a packet whose changes leave this one as it is."""
        return Packet(
            self.data, self.src, self.dst, dict(self.value) if self.value is not None else None,
            {h: dict(f) for h, f in self.outside.items()}, dict(self.at), dict(self.popped),
        )  # fmt: skip


@frozen(eq=False)
class Delivery:
    """A message that left: `kind` is `on`, `back` or `copy`."""

    kind: str
    data: Text
    src: Ends
    dst: Ends
    value: dict[str, Value] | None
    outside: Mapping[str, Mapping[str, z3.BitVecRef]]


@define
class Path:
    """The state of an execution; `fork` copies it."""

    packet: Packet
    memories: dict[str, Memory]
    conditions: list[z3.BoolRef] = Factory(list)
    locals: dict[str, Value] = Factory(dict)
    sent: list[tuple[str, Any]] = Factory(list)
    draws: dict[tuple[str, str], int] = Factory(dict)
    verdict: str = "pass"

    def fork(self, condition: z3.BoolRef) -> tuple[Path | None, Path | None]:
        """Return this path under a condition, and a copy of it under the contrary; None for what cannot be."""
        condition = z3.simplify(condition)
        known = self._decided(condition)
        if known is not None:
            return (self, None) if known else (None, self)
        other = evolve(
            self, packet=self.packet.copy(), memories=dict(self.memories), locals=dict(self.locals),
            sent=list(self.sent), draws=dict(self.draws), conditions=[*self.conditions, z3.Not(condition)],
        )  # fmt: skip
        self.conditions.append(condition)
        return self, other

    def _decided(self, condition: z3.BoolRef) -> bool | None:
        if z3.is_true(condition) or z3.is_false(condition):
            return bool(z3.is_true(condition))
        for earlier in self.conditions:
            if earlier.eq(condition):
                return True
            if z3.is_not(earlier) and earlier.arg(0).eq(condition):
                return False
            if z3.is_not(condition) and condition.arg(0).eq(earlier):
                return False
        return None


@define
class World:
    """What all paths of a question share: the message that comes in, the state it finds, facts, and what was asked."""

    messages: Mapping[str, Message]
    facts: Facts = Factory(Facts)
    asked: dict[str, Asked] = Factory(dict)
    states: dict[str, State] = Factory(dict)
    inputs: dict[tuple[str, str, int], z3.BitVecRef] = Factory(dict)
    secrets: dict[str, z3.BitVecRef] = Factory(dict)
    parameters: dict[str, Value] = Factory(dict)

    def memories(self, steps: tuple[Step, ...]) -> dict[str, Memory]:
        """Return the states of a pipeline as it finds them."""
        found = {}
        for state in (s for step in steps for s in step.op.states):
            self.states[state.name] = state
            self.asked.setdefault(state.name, Asked({}))
            found[state.name] = start_of(state, self.asked[state.name], self.facts)
        return found

    def room(self) -> list[z3.BoolRef]:
        """Return that no map holds more than it can, given all the keys that were asked for."""
        return [fact for name, state in self.states.items() for fact in room(state, self.asked[name])]

    def drawn(self, path: Path, op: str, name: str, width: int) -> z3.BitVecRef:
        """Return an op's next value from outside."""
        number = path.draws.get((op, name), 0)
        path.draws[op, name] = number + 1
        return self.inputs.setdefault((op, name, number), variable(f"{op}.{name}.{number}", width))
