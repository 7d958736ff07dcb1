"""What the wire looks like to a device: headers, parse states, length guards and checksums, from the messages."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.message import Checksum, Fixed, Length, Message
from bertha_ir.program import Header, HeaderField, ParseState, Transition
from bertha_ir.types import BOOL, U16, U32, Bits, Bytes, bit_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.spec import Transport

MAX_WORD = 128
TRUE = e.Const(value=True, type=BOOL)


def word_type(type_: Bits | Bytes) -> Bits | Bytes:
    """Return the type a device program computes with: byte strings of up to 16 bytes are words."""
    width = bit_width(type_)
    return Bits(width) if width is not None and width <= MAX_WORD else type_


def header_of(message: Message, *, words: bool) -> Header:
    """Return the header of a message's fixed part; with `words`, short byte strings become words."""
    kind = word_type if words else lambda t: t
    return Header(message.name, tuple(HeaderField(f.name, kind(f.type)) for f in message.fixed_fields))


def conjunction(conditions: tuple[e.Expr, ...]) -> e.Expr:
    """Return the `and` of all, or true."""
    return reduce(lambda a, b: e.Binary("and", a, b), conditions) if conditions else TRUE


Changed = Literal["header", "address", "content"]


@frozen
class Cover:
    """A checksum that covers a field: at which bit offset, modulo 16, of what it sums (see `FixChecksum`)."""

    checksum: e.Field
    optional: bool
    offset: int
    part: Changed


@frozen
class Wire:
    """The headers in front of a transport's payload.

    `spine`: from the header with the addresses to the transport, one after another. In front of the spine may lie
    any header that leads to it (Ethernet, with a VLAN tag or without).
    """

    messages: Mapping[str, Message]
    transport: Transport

    @property
    def spine(self) -> tuple[str, ...]:
        """The headers from the addresses' to the transport's, outermost first."""
        top, chain = self.transport.src_ip.header, [self.transport.header]
        while chain[0] != top:
            chain.insert(0, next(p.message for p in self.messages[chain[0]].parents if self._leads(p.message, top)))
        return tuple(chain)

    def _leads(self, name: str, top: str) -> bool:
        return name == top or any(self._leads(p.message, top) for p in self.messages[name].parents)

    @property
    def front(self) -> tuple[str, ...]:
        """The headers that may lie in front of the spine, outermost first."""
        found: list[str] = []
        todo = [self.spine[0]]
        while todo:
            for parent in self.messages[todo.pop()].parents:
                if parent.message not in found:
                    found.append(parent.message)
                    todo.append(parent.message)
        return tuple(sorted(found, key=self._depth))

    def _depth(self, name: str) -> int:
        return max((1 + self._depth(p.message) for p in self.messages[name].parents), default=0)

    def parser(self, inner: tuple[str, ...], port: tuple[str, int] | None) -> tuple[ParseState, ...]:
        """Return the parse states down to `inner`, headers behind the transport's that follow when the transport's
        field `port[0]` holds `port[1]`.
        """
        names = (*self.front, *self.spine)
        links = [
            (p.message, Transition(self._fixed(p.message) + p.when, name))
            for name in names
            for p in self.messages[name].parents
            if p.message in names
        ]
        last = self.transport.header
        for name in inner:
            when = self._fixed(last) + ((port,) if port and last == self.transport.header else ())
            links.append((last, Transition(when, name)))
            last = name
        return tuple(ParseState(n, tuple(t for source, t in links if source == n)) for n in (*names, *inner))

    def _fixed(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return the fields of a header that a parser demands a value of."""
        rules = ((f.name, f.rule.value) for f in self.messages[name].rules(Fixed) if isinstance(f.rule, Fixed))
        return tuple((n, int.from_bytes(v, "big") if isinstance(v, bytes) else v) for n, v in rules)

    def holds(self, last: str) -> tuple[e.Expr, ...]:
        """Return the conditions that the fixed fields of the last parsed header put on it."""
        message = self.messages[last]
        return tuple(
            e.Binary("==", field, e.Const(value, field.type))
            for name, value in self._fixed(last)
            for field in [e.Field(last, name, word_type(message.field(name).type))]
        )

    def lengths(self, inner: tuple[str, ...]) -> tuple[e.Expr, ...]:
        """Return the conditions that every length field of the spine fits what is around it, and that the innermost
        leaves room for `inner`.
        """
        conditions: list[e.Expr] = []
        outer: tuple[e.Expr, int] | None = None
        sizes = {n: self.messages[n].size for n in (*self.spine, *inner)}
        for at, name in enumerate(self.spine):
            fields = self.messages[name].rules(Length)
            if not fields:
                outer = (outer[0], outer[1] + sizes[name]) if outer else None
                continue
            total = self._total(name, fields[0].name)
            needed = sum(sizes[n] for n in (*self.spine[at:], *inner))
            around = (
                e.Binary("-", outer[0], e.Const(outer[1], U32))
                if outer
                else e.Binary("-", e.FrameSize(), e.HeaderOffset(name))
            )
            conditions += [e.Binary(">=", total, e.Const(needed, U32)), e.Binary("<=", total, around)]
            outer = (total, sizes[name])
        return tuple(conditions)

    def _total(self, name: str, field: str) -> e.Expr:
        """Return the bytes from a header's start to the end of the message, by its length field."""
        declared = self.messages[name].field(field)
        assert isinstance(declared.rule, Length)  # noqa: S101  INVARIANT: chosen by its rule
        total: e.Expr = e.Cast(e.Field(name, field, declared.type), U32)
        return e.Binary("+", total, e.Const(declared.rule.minus, U32)) if declared.rule.minus else total

    def checksums(self, header: str, name: str, inner: tuple[str, ...]) -> tuple[Cover, ...]:
        """Return the checksums that cover a field."""
        covering = []
        for owner in (*self.spine, *inner):
            for field in self.messages[owner].rules(Checksum):
                rule = field.rule
                assert isinstance(rule, Checksum)  # noqa: S101  INVARIANT: chosen by its rule
                offset = self._covered_at(rule, owner, header, name, inner)
                if offset is not None and (owner, field.name) != (header, name):
                    address = (*self.spine, *inner).index(header) < (*self.spine, *inner).index(owner)
                    part: Changed = "header" if rule.over == "header" else "address" if address else "content"
                    covering.append(Cover(e.Field(owner, field.name, U16), rule.optional, offset % 16, part))
        return tuple(covering)

    def _covered_at(self, rule: Checksum, owner: str, header: str, name: str, inner: tuple[str, ...]) -> int | None:
        """Return the bit offset of a field in what a checksum sums, or None when it is not summed."""
        order = (*self.spine, *inner)
        if header not in order:
            return None
        inside = self.messages[header].bit_offset(name)
        if header == owner:
            return inside
        if rule.over == "header":
            return None
        if order.index(header) > order.index(owner):
            between = order[order.index(owner) : order.index(header)]
            return 8 * sum(self.messages[n].size for n in between) + inside
        address = e.Field(header, name, U32)
        return 0 if address in (self.transport.src_ip, self.transport.dst_ip) else None


def fix_checksums(old: e.Expr, new: e.Expr, covering: tuple[Cover, ...]) -> tuple[s.FixChecksum, ...]:
    """Return the updates of every covering checksum for `old` becoming `new`; to run before the assignment."""
    width = bit_width(old.type) or 0
    fixes: list[s.FixChecksum] = []
    for cover in covering:
        if width == U32.width and cover.offset == 0:
            fixes.append(s.FixChecksum(cover.checksum, old, new, cover.optional, cover.part, old.span))
            continue
        for low, high, shift in _pieces(width, cover.offset):
            was, fresh = (_piece(x, low, high, shift) for x in (old, new))
            fixes.append(s.FixChecksum(cover.checksum, was, fresh, cover.optional, cover.part, old.span))
    return tuple(fixes)


def _pieces(width: int, offset: int) -> list[tuple[int, int, int]]:
    """Cut a field at the 16-bit words of a checksum: (lowest bit, highest bit + 1, place in the word) of each piece."""
    pieces, done = [], 0
    while done < width:
        room = 16 - (offset + done) % 16
        take = min(room, width - done)
        pieces.append((width - done - take, width - done, room - take))
        done += take
    return pieces


def _piece(value: e.Expr, low: int, high: int, shift: int) -> e.Expr:
    width = bit_width(value.type) or 0
    moved = e.Binary(">>", value, e.Const(low, Bits(8))) if low else value
    cut = e.Cast(moved, Bits(high - low)) if high - low < width - low else moved
    word = cut if cut.type == U16 else e.Cast(cut, U16)
    return e.Binary("<<", word, e.Const(shift, Bits(8))) if shift else word
