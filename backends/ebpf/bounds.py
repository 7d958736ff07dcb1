"""How many bytes a program asks for at each state of its parser, so that it asks as seldom as it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field

if TYPE_CHECKING:
    from bertha_ir.backends.reach import Reach
    from bertha_ir.program import DeviceProgram, ParseState, Transition


@define
class Bounds:
    """The checks of a parser. A state asks for its header, and for what is needed behind it, if no block would take a
    frame that ends before that.
    """

    program: DeviceProgram
    reach: Reach
    checks: dict[str, int] = field(init=False, factory=dict)
    _needs: dict[str, int] = Factory(dict)

    def __attrs_post_init__(self) -> None:
        states = {state.header: state for state in self.program.parser}
        for state in reversed(self.reach.order):
            self._needs[state.header] = self._need(state)
        known = dict.fromkeys(states, -1)
        for number, state in enumerate(self.reach.order):
            size = self.program.header(state.header).size
            wanted = size if self.taken(self.reach.before(state.header)) else self._needs[state.header]
            there = 0 if number == 0 else known[state.header]
            self.checks[state.header] = wanted if there < wanted else 0
            left = max(there, wanted) - size
            for transition in _followed(state):
                known[transition.to] = left if known[transition.to] < 0 else min(known[transition.to], left)

    def taken(self, parsed: frozenset[str]) -> bool:
        """Whether a block might take a frame of which some headers are parsed."""
        return any(set(block.needs) <= parsed for block in self.program.blocks)

    def _need(self, state: ParseState) -> int:
        """Return how many bytes, from a state's header on, a frame has that a block takes there or further on."""
        followed = _followed(state)
        behind = [0 if self.taken(self.reach.before(t.to)) else self._needs[t.to] for t in followed]
        if not (followed and not followed[-1].when) and self.taken(self.reach.upto(state.header)):
            behind.append(0)
        return self.program.header(state.header).size + min(behind, default=0)


def _followed(state: ParseState) -> tuple[Transition, ...]:
    """Return the transitions that a frame may take: none behind one without a condition."""
    ends = [number for number, transition in enumerate(state.transitions) if not transition.when]
    return state.transitions[: ends[0] + 1] if ends else state.transitions
