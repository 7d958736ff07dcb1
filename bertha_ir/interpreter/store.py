"""Tables and state of the interpreter."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir.types import Bits

if TYPE_CHECKING:
    from bertha_ir.program import State, Table

Key = tuple[int | bytes | bool, ...]
Row = tuple[int | bytes | bool, ...]


@define
class StateStore:
    """What one program remembers. Rows are tuples, one value per declared component."""

    declared: dict[str, State]
    rows: dict[str, OrderedDict[Key, Row]] = Factory(dict)

    @classmethod
    def of(cls, states: tuple[State, ...]) -> StateStore:
        """Return an empty store for these declarations."""
        return cls({s.name: s for s in states}, {s.name: OrderedDict() for s in states})

    def share(self, other: StateStore) -> None:
        """Keep the states that both stores declare in one place: the other's."""
        for name in self.declared.keys() & other.declared.keys():
            self.rows[name] = other.rows[name]

    def get(self, name: str, key: Key) -> Row | None:
        """Return the row, or None. A single cell (key `()`) that was never set is a row of zeros."""
        rows = self.rows[name]
        if key in rows and self.declared[name].evicts:
            rows.move_to_end(key)
        zero = (0,) * len(self.declared[name].values)
        return rows.get(key) if self.declared[name].keys else rows.get(key, zero)

    def set(self, name: str, key: Key, row: Row) -> None:
        """Store a row, as the declaration says when the map is full."""
        state, rows = self.declared[name], self.rows[name]
        if key not in rows and len(rows) >= state.size:
            if not state.evicts:
                return
            rows.popitem(last=False)
        rows[key] = row
        rows.move_to_end(key) if state.evicts else None

    def add(self, name: str, key: Key, row: Row) -> None:
        """Add component by component, wrapping, to what is stored (zero if nothing is)."""
        old = self.get(name, key) or (0,) * len(row)
        widths = [v.width for v in self.declared[name].values if isinstance(v, Bits)]  # only integers add
        total = tuple((int(a) + int(b)) % (1 << w) for a, b, w in zip(old, row, widths, strict=True))
        self.set(name, key, total)

    def delete(self, name: str, key: Key) -> None:
        """Forget a row, if it is there."""
        self.rows[name].pop(key, None)


def find(table: Table, key: Key) -> tuple[int, ...] | None:
    """Return the values of the entry that `key` hits in a table, or None. A set's entries have no values: `()`."""
    match table.kind:
        case "array" | "exact":
            return next((e.values for e in table.entries if e.match == key), None)
        case "range":
            (only,) = key
            return next((e.values for e in table.entries if e.match[0] <= only <= e.match[1]), None)  # type: ignore[operator]  # keys are ints
        case "lpm":
            return _longest_prefix(table, int(key[0]))


def _longest_prefix(table: Table, key: int) -> tuple[int, ...] | None:
    width, best, values = table.keys[0].width, -1, None
    for entry in table.entries:
        prefix, length = entry.match
        if length > best and prefix >> (width - length) == key >> (width - length):
            best, values = length, entry.values
    return values
