"""State as registers: a cell is a register of one word, a map with room for every key an array that its key indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir import stmt as s
from bertha_ir.backends.p4.layout import key_width, width_of
from bertha_ir.backends.p4.model import Catalogue, Register
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.backends.p4.names import Names
    from bertha_ir.program import DeviceProgram, State


@frozen
class Store:
    """The registers of one state: one per component, and, when a body asks what is there, one bit per key."""

    values: tuple[Register, ...]
    present: Register | None

    def write(self, index: str, values: tuple[str, ...]) -> Iterator[str]:
        """Yield the statements that store values."""
        for register, value in zip(self.values, values, strict=True):
            yield f"{register.name}.write({index}, {value});"
        yield from self.mark(index, present=True)

    def delete(self, index: str) -> Iterator[str]:
        """Yield the statements that forget a key."""
        for register in self.values:
            yield f"{register.name}.write({index}, 0);"
        yield from self.mark(index, present=False)

    def mark(self, index: str, *, present: bool) -> Iterator[str]:
        """Yield the statement that remembers whether a key is there."""
        if self.present is not None:
            yield f"{self.present.name}.write({index}, {int(present)});"


def declare(program: DeviceProgram, names: Names, catalogue: Catalogue) -> dict[str, Store]:
    """Add the registers of every state that a body uses."""
    nodes = tuple(walk(tuple(block.body for block in program.blocks)))
    looked_up = [node for node in nodes if isinstance(node, s.Lookup)]
    used = {n.container for n in looked_up} | {n.state for n in nodes if isinstance(n, s.Store | s.Delete)}
    asked = {n.container for n in looked_up if n.hit is not None}
    return {
        state.name: _store(state, names, catalogue, marked=bool(state.keys) and state.name in asked)
        for state in program.states
        if state.name in used
    }


def _store(state: State, names: Names, catalogue: Catalogue, *, marked: bool) -> Store:
    size = 1 << key_width(state.keys)
    values = tuple(catalogue.register(Register(names.fresh(state.name), width_of(v), size)) for v in state.values)
    present = catalogue.register(Register(names.fresh(f"{state.name}_present"), 1, size)) if marked else None
    return Store(values, present)
