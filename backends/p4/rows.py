"""The entries of a table as a control plane accepts them: no two with the same match, prefixes without stray bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.backends.p4.model import Row

if TYPE_CHECKING:
    from bertha_ir.program import Entry, Table


def rows(table: Table, *, with_values: bool) -> tuple[Row, ...]:
    """Return the table's entries. Of two with the same match the first counts, as in the interpreter."""
    found: dict[tuple[tuple[int, ...], ...], Row] = {}
    for entry in table.entries:
        match = _match(table, entry)
        found.setdefault(match, Row(match, entry.values if with_values else ()))
    return tuple(found.values())


def _match(table: Table, entry: Entry) -> tuple[tuple[int, ...], ...]:
    match table.kind:
        case "array" | "exact":
            return tuple((value,) for value in entry.match)
        case "range":
            return (entry.match,)
        case "lpm":
            prefix, length = entry.match
            unused = table.keys[0].width - length
            return ((prefix >> unused << unused, length),)
