"""Tables as a P4Info describes them, and their entries as P4Runtime has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from finsy.proto import p4i, p4r

if TYPE_CHECKING:
    from collections.abc import Hashable

Kind = Literal["exact", "lpm", "range"]
Match = tuple[int, ...]  # (value,), (prefix, length) or (low, high)
KINDS: dict[int, Kind] = {p4i.MatchField.EXACT: "exact", p4i.MatchField.LPM: "lpm", p4i.MatchField.RANGE: "range"}


@dataclass(frozen=True)
class Field:
    """A match field of `width` bits."""

    id: int
    width: int
    kind: Kind


@dataclass(frozen=True)
class Action:
    """An action that entries can have; `params`: the id and the width in bits of each."""

    id: int
    name: str
    params: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Table:
    """A table. Entries that Bertha writes have its first action."""

    id: int
    name: str
    fields: tuple[Field, ...]
    actions: tuple[Action, ...]

    def match(self, entry: p4r.TableEntry) -> tuple[Match, ...]:
        """Return what an entry matches, by field."""
        found = {field.field_id: field for field in entry.match}
        return tuple(_match(field, found.get(field.id)) for field in self.fields)

    def does(self, entry: p4r.TableEntry) -> tuple[str, tuple[int, ...]]:
        """Return an entry's action, by name, and its values."""
        number = entry.action.action.action_id
        name = next((a.name for a in self.actions if a.id == number), f"action {number}")
        params = sorted(entry.action.action.params, key=lambda p: p.param_id)
        return name, tuple(int.from_bytes(p.value, "big") for p in params)

    def entry(self, match: tuple[Match, ...], action: Action | None, values: tuple[int, ...]) -> p4r.TableEntry:
        """Return an entry; its key alone without an action."""
        made = p4r.TableEntry(table_id=self.id)
        for field, numbers in zip(self.fields, match, strict=True):
            if field.kind == "exact":
                made.match.add(field_id=field.id).exact.value = _bytes(numbers[0])
            elif field.kind == "lpm" and numbers[1]:  # a prefix of length 0 is said by leaving the field out
                lpm = made.match.add(field_id=field.id).lpm
                lpm.value, lpm.prefix_len = _bytes(numbers[0]), numbers[1]
            elif field.kind == "range":
                between = made.match.add(field_id=field.id).range
                between.low, between.high = _bytes(numbers[0]), _bytes(numbers[1])
        if action is not None:
            made.action.action.action_id = action.id
            for (number, _), value in zip(action.params, values, strict=True):
                made.action.action.params.add(param_id=number, value=_bytes(value))
        return made


def tables(info: p4i.P4Info) -> dict[int, Table]:
    """Return the tables of a program that Bertha wrote, by id."""
    actions = {
        a.preamble.id: Action(a.preamble.id, a.preamble.alias, tuple((p.id, p.bitwidth) for p in a.params))
        for a in info.actions
    }
    return {
        t.preamble.id: Table(
            t.preamble.id,
            t.preamble.alias,
            tuple(Field(f.id, f.bitwidth, KINDS[f.match_type]) for f in t.match_fields),
            tuple(actions[r.id] for r in t.action_refs if r.scope != p4i.ActionRef.DEFAULT_ONLY),
        )
        for t in info.tables
    }


def identity(entry: p4r.TableEntry) -> Hashable:
    """Return what tells an entry from all others: its table, its key and its priority, whatever else it has."""
    fields = sorted((f.field_id, f.WhichOneof("field_match_type") or "", _numbers(f)) for f in entry.match)
    return entry.table_id, entry.priority, tuple(fields)


def same(one: p4r.TableEntry, other: p4r.TableEntry) -> bool:
    """Whether two entries of the same identity do the same, and have the same mark."""
    return _done(one) == _done(other) and one.metadata == other.metadata


def _done(entry: p4r.TableEntry) -> Hashable:
    action = entry.action.action
    return action.action_id, tuple(sorted((p.param_id, int.from_bytes(p.value, "big")) for p in action.params))


def _numbers(field: p4r.FieldMatch) -> Match:
    """Return the numbers of a field match; none if it is of a kind that Bertha's tables do not have."""
    match field.WhichOneof("field_match_type"):
        case "exact":
            return (int.from_bytes(field.exact.value, "big"),)
        case "lpm":
            return int.from_bytes(field.lpm.value, "big"), field.lpm.prefix_len
        case "range":
            return int.from_bytes(field.range.low, "big"), int.from_bytes(field.range.high, "big")
    return ()


def _match(field: Field, found: p4r.FieldMatch | None) -> Match:
    if found is not None:
        return _numbers(found)
    return (0, 0) if field.kind == "lpm" else (0, (1 << field.width) - 1)  # left out: whatever there is


def _bytes(value: int) -> bytes:
    """Return the canonical form (P4Runtime specification 1.3, section 8.4): the fewest bytes, at least one."""
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")
