"""Message layouts: bits on the wire, big-endian, fixed part first.

A message is a view on bytes: its fields lie at fixed bit offsets, and a trailing `bytes` takes what is left. What
a field must hold (`Fixed`), that it counts bytes (`Length`) or sums them (`Checksum`) is part of the layout, so
that parsers, guards, pushes and checksum updates are all derived from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from bertha_ir.types import Bits, Bytes, bit_width

if TYPE_CHECKING:
    from bertha_ir.source import Span


@frozen
class Fixed:
    """The field always holds this value: a parser demands it, a push writes it."""

    value: int | bytes


@frozen
class Length:
    """The field counts the bytes from the start of this header to the end of the message, less `minus`."""

    minus: int = 0


@frozen
class Checksum:
    """The field is an Internet checksum (RFC 1071).

    `header`: over this header alone (IPv4). `pseudo`: over the parent's addresses, protocol and length, this header
    and everything behind it (UDP, TCP). With `optional`, 0 on the wire means that there is none.
    """

    over: Literal["header", "pseudo"]
    optional: bool = False


Rule = Fixed | Length | Checksum


@frozen
class MessageField:
    """One field: a `Bits` or a `Bytes(n)`; the last may be `Bytes()`, the variable tail."""

    name: str
    type: Bits | Bytes
    rule: Rule | None = None
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Parent:
    """`over ipv4 when protocol == 17`: the header in front, and the values of its fields that announce this one."""

    message: str
    when: tuple[tuple[str, int], ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen(cache_hash=True)  # messages are keys of what is known of them
class Message:
    """A layout. The fixed part is a whole number of bytes."""

    name: str
    parents: tuple[Parent, ...]
    fields: tuple[MessageField, ...]
    span: Span | None = field(default=None, eq=False, repr=False)

    @property
    def fixed_fields(self) -> tuple[MessageField, ...]:
        """The fields of the fixed part."""
        return self.fields[:-1] if self.has_tail else self.fields

    @property
    def has_tail(self) -> bool:
        """Whether the last field is the variable tail."""
        return bool(self.fields) and self.fields[-1].type == Bytes()

    @property
    def size(self) -> int:
        """Bytes of the fixed part."""
        return sum(bit_width(f.type) or 0 for f in self.fixed_fields) // 8

    def field(self, name: str) -> MessageField:
        """Return the field called `name`; KeyError when there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def bit_offset(self, name: str) -> int:
        """Return the bits in front of the field `name`; KeyError when there is none."""
        offset = 0
        for candidate in self.fields:
            if candidate.name == name:
                return offset
            offset += bit_width(candidate.type) or 0
        raise KeyError(name)

    def rules(self, kind: type[Fixed | Length | Checksum]) -> tuple[MessageField, ...]:
        """Return the fields with a rule of this kind."""
        return tuple(f for f in self.fields if isinstance(f.rule, kind))
