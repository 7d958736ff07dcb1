"""The state that two runs leave, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import stmt as s
from bertha_ir.interpreter.both import Row, rows_between, shown
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.interpreter.store import StateStore
    from bertha_ir.program import DeviceProgram

Numbers = tuple[int, ...]


def kept_by(program: DeviceProgram) -> set[str]:
    """Return the tables and states that a program's blocks use."""
    nodes = tuple(walk(program.blocks))
    used = {n.state for n in nodes if isinstance(n, s.Store | s.Delete | s.ForEach)}
    return used | {n.container for n in nodes if isinstance(n, s.Lookup)}


def state_rows(name: str, written: StateStore, placed: StateStore) -> tuple[Row, ...]:
    """Return the entries of a state that are not the same; devices keep short byte strings as numbers."""
    left, right = (_entries(store, name) for store in (written, placed))
    rows = rows_between(*({f"{name}[{_word(k)}]": _word(v) for k, v in side.items()} for side in (left, right)))
    if rows or not written.declared[name].evicts or list(left) == list(right):
        return rows
    return (Row("the order in which entries go", *(shown([_word(k) for k in side]) for side in (left, right))),)


def _entries(store: StateStore, name: str) -> dict[Numbers, Numbers]:
    state, rows = store.declared[name], dict(store.rows[name])
    if not state.keys:
        rows = {(): store.get(name, ()) or ()}
    return {_numbers(key): _numbers(row) for key, row in rows.items()}


def _numbers(row: tuple[int | bytes | bool, ...]) -> Numbers:
    return tuple(int.from_bytes(v, "big") if isinstance(v, bytes) else int(v) for v in row)


def _word(row: Numbers) -> str:
    return " ".join(map(str, row))
