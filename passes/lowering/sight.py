"""How a device sees a message: where its addresses are, which checksums cover a field, and whether bytes are words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.passes.lowering.room import room_of
from bertha_ir.program import ADDRESS
from bertha_ir.types import U16, U32, U48

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.passes.lowering.room import Room
    from bertha_ir.passes.lowering.wire import Cover, Wire
    from bertha_ir.types import Type

Which = Literal["src", "dst"]
Part = Literal["ip", "port"]


class Sight(Protocol):
    """What the lowering of a body asks of a device. `words`: short byte strings are computed with as integers."""

    @property
    def words(self) -> bool:
        """Whether short byte strings are integers here."""

    def address(self, which: Which, part: Part) -> e.Field:
        """Return the field that holds a part of an address."""

    def checksums(self, field: e.Field) -> tuple[Cover, ...]:
        """Return the checksums that cover a field (see `Wire.checksums`)."""

    def turn_around(self, fresh: Callable[[str, Type], e.Local]) -> tuple[s.Stmt, ...]:
        """Return the statements that swap source and destination."""

    def room(self, header: str) -> Room | None:
        """Return where a header is pushed and popped, if something in front of the payload is to be kept right."""


def swap(pairs: tuple[tuple[e.Field, e.Field], ...], fresh: Callable[[str, Type], e.Local]) -> tuple[s.Stmt, ...]:
    """Return statements that exchange fields. Internet checksums are sums: an exchange leaves them right."""
    done: list[s.Stmt] = []
    for one, other in pairs:
        kept = fresh("kept", one.type)
        done += [s.Let(kept.name, one), s.Assign(one, other), s.Assign(other, kept)]
    return tuple(done)


@frozen
class DatagramSight:
    """A process with a socket: addresses come beside the bytes, and the kernel sums."""

    words: bool = True

    def address(self, which: Which, part: Part) -> e.Field:
        """Return a field of the pseudo-header."""
        return e.Field(ADDRESS, f"{which}_{part}", U32 if part == "ip" else U16)

    def checksums(self, field: e.Field) -> tuple[Cover, ...]:  # noqa: ARG002  (the protocol's)
        """Return none."""
        return ()

    def turn_around(self, fresh: Callable[[str, Type], e.Local]) -> tuple[s.Stmt, ...]:
        """Swap the endpoints."""
        parts: tuple[Part, Part] = ("ip", "port")
        return swap(tuple((self.address("src", p), self.address("dst", p)) for p in parts), fresh)

    def room(self, header: str) -> Room | None:  # noqa: ARG002  (the protocol's)
        """Return None: the payload is all there is."""
        return None


@frozen
class FrameSight:
    """A device that sees whole frames."""

    wire: Wire
    inner: tuple[str, ...]
    words: bool = True

    def address(self, which: Which, part: Part) -> e.Field:
        """Return the field of the network or transport header."""
        field = getattr(self.wire.transport, f"{which}_{part}")
        assert isinstance(field, e.Field)  # noqa: S101  INVARIANT: Transport's four fields
        return field

    def checksums(self, field: e.Field) -> tuple[Cover, ...]:
        """Return the covering checksums."""
        if field.header not in self.wire.messages:
            return ()
        return self.wire.checksums(field.header, field.name, self.inner)

    def turn_around(self, fresh: Callable[[str, Type], e.Local]) -> tuple[s.Stmt, ...]:
        """Swap the link-layer addresses, the network's and the ports."""
        parts: tuple[Part, Part] = ("ip", "port")
        pairs = [(self.address("src", p), self.address("dst", p)) for p in parts]
        root = self.wire.front[0] if self.wire.front else self.wire.spine[0]
        names = {f.name for f in self.wire.messages[root].fields}
        if {"src", "dst"} <= names:
            pairs.insert(0, (e.Field(root, "src", U48), e.Field(root, "dst", U48)))
        return swap(tuple(pairs), fresh)

    def room(self, header: str) -> Room | None:
        """Return the room behind the transport's header; None where its lengths and checksums cannot be kept right."""
        return room_of(self.wire, header)
