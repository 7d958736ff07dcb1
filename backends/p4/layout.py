"""Where the headers of a program lie: their P4 names, their order, and what can be in front of each."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.backends.p4.names import Names
from bertha_ir.types import Bits, Bool, Bytes, Type, bit_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.program import DeviceProgram, Header

HEADERS, FOUND, METADATA, PIPELINE = "hdr", "meta", "standard", "Pipeline"


def p4_type(type_: Type) -> str:
    """Return the P4 type of a word, a truth value or bytes of a fixed number."""
    return "bool" if isinstance(type_, Bool) else f"bit<{width_of(type_)}>"


def width_of(type_: Type) -> int:
    """Return the bits of a type that has a fixed number of them."""
    width = bit_width(type_)
    assert width is not None  # noqa: S101  INVARIANT: validated
    return width


def key_width(keys: tuple[Bits | Bytes, ...]) -> int:
    """Return the bits of all components of a key."""
    return sum(width_of(k) for k in keys)


@frozen(slots=False)
class Layout:
    """The headers that the parser of `program` extracts. `members`: their names in the struct `hdr`."""

    program: DeviceProgram
    members: Mapping[str, str]
    fields: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, program: DeviceProgram) -> Layout:
        """Name the headers and their fields."""
        scope, members, fields = Names.of_fields(), {}, {}
        for state in program.parser:
            members[state.header] = scope.fresh(state.header)
            inside = Names.of_fields()
            for field in program.header(state.header).fields:
                fields[state.header, field.name] = inside.fresh(field.name)
        return cls(program, members, fields)

    @cached_property
    def ordered(self) -> tuple[Header, ...]:
        """The headers, each behind all that can be in front of it."""
        depths = {name: len(self.in_front(name)) for name in self.members}
        return tuple(self.program.header(name) for name in sorted(self.members, key=depths.__getitem__))

    def in_front(self, name: str) -> tuple[str, ...]:
        """Return the headers from which the parser can come to `name`, in the order of the program."""
        found: set[str] = set()
        todo = [name]
        while todo:
            target = todo.pop()
            for state in self.program.parser:
                if any(t.to == target for t in state.transitions) and state.header not in found:
                    found.add(state.header)
                    todo.append(state.header)
        return tuple(s.header for s in self.program.parser if s.header in found)

    @cached_property
    def certain(self) -> Mapping[str, frozenset[str]]:
        """For each header, those in front of it however the parser came there."""
        found: dict[str, frozenset[str]] = {}
        for header in self.ordered:
            ways = [s.header for s in self.program.parser if any(t.to == header.name for t in s.transitions)]
            sets = [found[way] | {way} for way in ways]
            found[header.name] = frozenset.intersection(*sets) if sets else frozenset()
        return found

    def offset(self, name: str) -> tuple[int, tuple[str, ...]]:
        """Return the bytes that are always in front of a parsed header, and the headers that may be there besides."""
        others = tuple(front for front in self.in_front(name) if front not in self.certain[name])
        return sum(self.program.header(front).size for front in self.certain[name]), others

    def header(self, name: str) -> str:
        """Return the P4 expression of a header."""
        return f"{HEADERS}.{self.members[name]}"

    def field(self, header: str, name: str) -> str:
        """Return the P4 expression of a field."""
        return f"{self.header(header)}.{self.fields[header, name]}"

    def valid(self, names: tuple[str, ...]) -> str:
        """Return the condition that all these headers were parsed."""
        return " && ".join(f"{self.header(n)}.isValid()" for n in names)
