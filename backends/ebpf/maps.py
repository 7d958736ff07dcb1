"""Tables and state as C: maps, and initialised arrays, which an operator may change through their section's map."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.words import literal, width_of
from bertha_ir.program import State
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.program import DeviceProgram, Entry, Table

WORD = 32  # bits of a prefix that is a word of the key
ROWS = 256  # how many rows a look-up compares one after another at the most


@frozen
class Container:
    """A table or a state in C. `rows`: an array searched or indexed in place; `map`: a map of the kernel.

    All members of a key, and of a value, are `__u64` if one of them needs it, else `__u32`: no padding, which the
    verifier would refuse as uninitialised, and atomic additions are aligned. `apart`: each processor has values of its
    own, of which the sum is meant.
    """

    name: str
    form: Literal["rows", "map"]
    kind: str
    keys: tuple[int, ...]
    values: tuple[int, ...]
    size: int
    entries: tuple[Entry, ...] = ()
    apart: bool = False

    @property
    def key_type(self) -> str:
        """The C type of a key's members."""
        return _member(self.keys)

    @property
    def value_type(self) -> str:
        """The C type of a value's members."""
        return _member(self.values)


def _member(widths: tuple[int, ...]) -> str:
    return "__u64" if any(w > 32 for w in widths) else "__u32"  # noqa: PLR2004  (a half register)


def only_added_to(program: DeviceProgram) -> frozenset[str]:
    """Return the states that may be lost or kept once per processor (`volatile`), and that the program only adds to:
    nothing it does depends on what a processor has of them, and the sum over all of them is what is meant.
    """
    told = {n.container for n in walk(program.blocks) if isinstance(n, s.Lookup)}
    told |= {n.state for n in walk(program.blocks) if isinstance(n, s.Delete | s.ForEach)}
    told |= {n.state for n in walk(program.blocks) if isinstance(n, s.Store) and n.mode != "add"}
    return frozenset(state.name for state in program.states if state.volatile and state.name not in told)


def container_of(item: Table | State, name: str, *, apart: bool = False) -> Container:
    """Return how a table or a state is kept; `apart`: by each processor for itself."""
    keys, values = tuple(width_of(k) for k in item.keys), tuple(width_of(v) for v in item.values)
    if isinstance(item, State):
        kind = "array" if not keys else "lru_hash" if item.evicts else "hash"
        return Container(name, "map", kind, keys, values, item.size, apart=apart)
    in_place = item.kind in {"array", "range"} or (item.kind == "exact" and item.size <= ROWS)
    return Container(name, "rows" if in_place else "map", item.kind, keys, values, item.size, item.entries)


def declaration(c: Container) -> str:
    """Return the C declaration."""
    return _rows(c) if c.form == "rows" else _map(c)


def _rows(c: Container) -> str:
    matched = {"array": 0, "range": 2, "exact": len(c.keys)}[c.kind]
    members = [f"{c.key_type} k{i};" for i in range(matched)] + [f"{c.value_type} v{i};" for i in range(len(c.values))]
    rows = ",\n".join(f"\t\t\t{{ {_numbers(c, e)} }}" for e in sorted(c.entries, key=lambda e: e.match))
    return f"""struct {c.name}_row {{
\t{" ".join(members)}
}};
struct {{
\t__u32 count;
\tstruct {c.name}_row rows[{c.size}];
}} {c.name} SEC(".data.{_section(c.name)}") = {{
\t.count = {len(c.entries)},
\t.rows = {{
{rows}
\t}},
}};"""


def _section(name: str) -> str:
    return name[-40:]


def _numbers(c: Container, entry: Entry) -> str:
    keys = () if c.kind == "array" else entry.match
    widths = (*((c.keys * 2)[: len(keys)]), *c.values)
    return ", ".join(literal(v, w) for v, w in zip((*keys, *entry.values), widths, strict=True))


def _map(c: Container) -> str:
    value = "".join(f" {c.value_type} v{i};" for i in range(len(c.values))) or " __u32 present;"
    lines = [f"struct {c.name}_value {{{value} }};"]
    if c.kind == "lpm":
        lines.append(f"struct {c.name}_key {{ __u32 length; {_prefix(c.keys[0])}")
    elif c.kind != "array":
        lines.append(f"struct {c.name}_key {{{''.join(f' {c.key_type} k{i};' for i in range(len(c.keys)))} }};")
    key = "__u32" if c.kind == "array" else f"struct {c.name}_key"
    flags = "\n\t__uint(map_flags, BPF_F_NO_PREALLOC);" if c.kind == "lpm" else ""
    lines.append(f"""struct {{
\t__uint(type, BPF_MAP_TYPE_{(_APART if c.apart else _TYPES)[c.kind]});
\t__uint(max_entries, {c.size});{flags}
\t__type(key, {key});
\t__type(value, struct {c.name}_value);
}} {c.name} SEC(".maps");""")
    return "\n".join(lines)


def _prefix(width: int) -> str:
    """Return the rest of a trie's key. One that is no wider than its length is aligned, and stored at once."""
    return f"__u8 prefix[{width // 8}]; }}" + (";" if width <= WORD else " __attribute__((packed));")


def by_bytes(key: str, width: int, value: str) -> list[str]:
    """Return the statements that store the prefix of a trie's key byte by byte."""
    shifts = range(width - 8, -1, -8)
    return [f"{key}.prefix[{i}] = (__u8)({value} >> {shift});" for i, shift in enumerate(shifts)]


_TYPES = {"hash": "HASH", "lru_hash": "LRU_HASH", "array": "ARRAY", "exact": "HASH", "lpm": "LPM_TRIE"}
_APART = {"hash": "PERCPU_HASH", "lru_hash": "LRU_PERCPU_HASH", "array": "PERCPU_ARRAY"}


def contents(program: DeviceProgram, containers: Mapping[str, Container], parts: str) -> str:
    """Return what a loader must know, as JSON: the layout of every map, the entries of those that start filled, and
    which others are to be pinned with them, by their names in C: that of the `parts` of a program, if it has some.

    Keys and values are lists of members; `member` is the bytes of each, in the machine's own order. The key of an
    `lpm` map is [prefix length, prefix]. `per_processor`: each possible processor has a value, in a multiple of 8
    bytes, and what is meant is the sum of each member, in its width of `values`.
    """
    filled = {t.name for t in program.tables}
    maps = [
        {
            "name": name,
            "map": c.name,
            "kind": c.kind,
            "keys": list(c.keys),
            "values": list(c.values),
            "key_member": 8 if c.key_type == "__u64" else 4,
            "value_member": 8 if c.value_type == "__u64" else 4,
            "entries": [[list(_lpm(e) if c.kind == "lpm" else e.match), list(e.values)] for e in c.entries],
            "table": name in filled,
            "per_processor": c.apart,
        }
        for name, c in containers.items()
        if c.form == "map"
    ]
    held = [parts] if parts else []
    return json.dumps({"schema": 1, "maps": maps, "held": held}, indent=2, sort_keys=True) + "\n"


def _lpm(entry: Entry) -> tuple[int, int]:
    prefix, length = entry.match
    return length, prefix
