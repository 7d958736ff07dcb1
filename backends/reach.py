"""Which headers are certainly parsed where parsing stops: the dominators of the parse graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram, ParseState


@frozen
class Reach:
    """The parse states in an order in which each comes before those it leads to, and what is parsed at each."""

    order: tuple[ParseState, ...]
    parsed: dict[str, frozenset[str]]
    possible: dict[str, frozenset[str]]
    targets: frozenset[str]

    @classmethod
    def of(cls, program: DeviceProgram) -> Reach:
        """Return the reach of a program, whose parse graph has no cycles."""
        order = _order(program)
        parsed: dict[str, frozenset[str]] = {}
        possible: dict[str, frozenset[str]] = {}
        for state in order:
            parents = [p.header for p in order if any(t.to == state.header for t in p.transitions)]
            certain = frozenset.intersection(*(parsed[p] for p in parents)) if parents else frozenset()
            maybe = frozenset[str]().union(*(possible[p] for p in parents))
            parsed[state.header] = certain | {state.header}
            possible[state.header] = maybe | {state.header}
        return cls(order, parsed, possible, frozenset(t.to for s in order for t in s.transitions))

    def is_target(self, header: str) -> bool:
        """Whether another state leads to this one."""
        return header in self.targets

    def upto(self, header: str) -> frozenset[str]:
        """Return the headers certainly parsed once this one is."""
        return self.parsed[header]

    def before(self, header: str) -> frozenset[str]:
        """Return the headers certainly parsed when this one turned out not to fit."""
        return self.parsed[header] - {header}

    def uncertain(self) -> frozenset[str]:
        """Return the headers that some ways through the parser pass and others do not."""
        return frozenset(h for name, maybe in self.possible.items() for h in maybe - self.parsed[name])


def _order(program: DeviceProgram) -> tuple[ParseState, ...]:
    states = {s.header: s for s in program.parser}
    done: dict[str, ParseState] = {}

    def visit(name: str) -> None:
        if name in done:
            return
        for transition in states[name].transitions:
            visit(transition.to)
        done[name] = states[name]

    if program.parser:
        visit(program.parser[0].header)
    return tuple(reversed(done.values()))
