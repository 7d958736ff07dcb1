"""Prints table entries: as a P4Runtime `WriteRequest` in the JSON form of protobuf, and as commands of
`simple_switch_CLI`. Both are the same entries; `device_id` and `election_id` are the loader's to add.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.backends.p4.model import Catalogue, Key, Row, TableSite


def write_request(catalogue: Catalogue) -> str:
    """Return the entries as one `p4.v1.WriteRequest`."""
    updates = [
        {"type": "INSERT", "entity": {"tableEntry": _entry(table, row, rank)}}
        for table, row, rank in _ranked(catalogue)
    ]
    return json.dumps({"updates": updates}, indent=2) + "\n"


def commands(catalogue: Catalogue) -> str:
    """Return the entries as `table_add` commands, one a line."""
    return "".join(f"{_command(table, row, rank)}\n" for table, row, rank in _ranked(catalogue))


def _ranked(catalogue: Catalogue) -> Iterator[tuple[TableSite, Row, int]]:
    for table in catalogue.tables:
        for rank, row in enumerate(table.rows, 1):
            yield table, row, rank


def _entry(table: TableSite, row: Row, rank: int) -> dict[str, Any]:
    fields = enumerate(zip(table.keys, row.match, strict=True), 1)
    params = [{"paramId": n, "value": _bytes(value)} for n, value in enumerate(row.values, 1)]
    action = {"actionId": table.actions[0].id} | ({"params": params} if params else {})
    entry = {
        "tableId": table.id,
        "match": [{"fieldId": n} | field for n, (key, match) in fields if (field := _field(key, match))],
        "action": {"action": action},
    }
    return entry | ({"priority": len(table.rows) + 1 - rank} if table.ordered else {})


def _field(key: Key, match: tuple[int, ...]) -> dict[str, Any]:
    """Return a field match; nothing for a prefix of length 0 or a range of everything, which P4Runtime says by leaving
    the field out.
    """
    first, *rest = match
    if key.match == "exact":
        return {"exact": {"value": _bytes(first)}}
    if key.match == "range":
        everything = match == (0, (1 << key.width) - 1)
        return {} if everything else {"range": {"low": _bytes(first), "high": _bytes(rest[0])}}
    return {"lpm": {"value": _bytes(first), "prefixLen": rest[0]}} if rest[0] else {}


def _bytes(value: int) -> str:
    """Return the canonical form (P4Runtime specification 1.3, section 8.4): the fewest bytes, at least one."""
    return b64encode(value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")).decode()


def _command(table: TableSite, row: Row, rank: int) -> str:
    keys = " ".join(_key(key, match) for key, match in zip(table.keys, row.match, strict=True))
    values = "".join(f" {value:#x}" for value in row.values)
    action = table.actions[0].full_name
    return f"table_add {table.full_name} {action} {keys} =>{values}{f' {rank}' if table.ordered else ''}"


def _key(key: Key, match: tuple[int, ...]) -> str:
    match key.match:
        case "exact":
            return f"{match[0]:#x}"
        case "lpm":
            return f"{match[0]:#x}/{match[1]}"
        case "range":
            return f"{match[0]:#x}->{match[1]:#x}"
