"""Headers that an op of the path puts in front of a message's payload, or takes off, in the frame around it, which says
how long it is and sums it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.message import Checksum, Length
from bertha_ir.passes.lowering.wire import Cover, fix_checksums, word_type
from bertha_ir.types import U16, Bits

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.message import Message, MessageField
    from bertha_ir.passes.lowering.wire import Wire
    from bertha_ir.types import Type


@frozen
class Room:
    """The place of a header behind the transport's. A frame that a header would make longer than its length fields can
    say is dropped, as a socket drops such a message.
    """

    wire: Wire
    message: Message

    @property
    def size(self) -> int:
        """Bytes of the header."""
        return self.message.size

    def pushed(self, fields: tuple[tuple[str, e.Expr], ...], node: s.Push) -> tuple[s.Stmt, ...]:
        """Return the statements that put the header there, with values for some fields."""
        done: list[s.Stmt] = [s.If(self._too_long(), (s.Drop(node.span),), span=node.span)]
        done.append(s.Push(self.message.name, (), node.span, self.wire.transport.header))
        for name, value in fields:
            zero = e.Const(0, value.type)
            if value != zero:
                field = e.Field(self.message.name, name, value.type, node.span)
                done += [*fix_checksums(zero, value, self._covering(name)), s.Assign(field, value, node.span)]
        return tuple(done)

    def popped(self, otherwise: s.Body, node: s.Pop) -> tuple[s.Stmt, ...]:
        """Return the statements that take the header off, and run `otherwise` where the message is too short for it."""
        behind = self.wire.transport.header
        (length,) = self.wire.messages[behind].rules(Length)
        needed = e.Const(self.wire.messages[behind].size + self.size - _less(length), length.type)
        short = e.Binary("<", _field(behind, length), needed)
        done: list[s.Stmt] = [
            s.If(short, otherwise, span=node.span),
            s.Pop(self.message.name, (s.Drop(node.span),), node.span, behind),
        ]
        for declared in self.message.fixed_fields:
            old = _field(self.message.name, declared)
            done += fix_checksums(old, e.Const(0, old.type), self._covering(declared.name))
        return tuple(done)

    def resized(self, by: int, fresh: Callable[[str, Type], e.Local]) -> tuple[s.Stmt, ...]:
        """Return the statements that let every length field say `by` bytes more."""
        done: list[s.Stmt] = []
        for owner in self.wire.spine:
            for declared in self.wire.messages[owner].rules(Length):
                field, new = _field(owner, declared), fresh("length", declared.type)
                sum_ = e.Binary("+" if by > 0 else "-", field, e.Const(abs(by), declared.type))
                covering = (*self.wire.checksums(owner, declared.name, ()), *self._pseudo(owner))
                done += [s.Let(new.name, sum_), *fix_checksums(field, new, covering), s.Assign(field, new)]
        return tuple(done)

    def _too_long(self) -> e.Expr:
        """Return the condition that the outermost length field cannot say the message's length with the header."""
        owner, declared = next(
            (name, f) for name in self.wire.spine for f in self.wire.messages[name].rules(Length)
        )  # fmt: skip
        field = _field(owner, declared)
        most = (1 << field.type.width) - 1 - self.size  # type: ignore[union-attr]  # lengths are words
        return e.Binary(">", field, e.Const(most, field.type))

    def _covering(self, name: str) -> tuple[Cover, ...]:
        """Return the network's checksums over a field of the header."""
        covering = self.wire.checksums(self.message.name, name, (self.message.name,))
        return tuple(cover for cover in covering if cover.checksum.header in self.wire.spine)

    def _pseudo(self, owner: str) -> tuple[Cover, ...]:
        """Return the checksums whose pseudo-header has the length that `owner` says of itself, too."""
        rules = ((f.name, f.rule) for f in self.wire.messages[owner].rules(Checksum))
        return tuple(
            Cover(e.Field(owner, name, U16), rule.optional, 0, "address")
            for name, rule in rules
            if isinstance(rule, Checksum) and rule.over != "header"
        )


def _field(owner: str, declared: MessageField) -> e.Field:
    return e.Field(owner, declared.name, word_type(declared.type))


def _less(declared: MessageField) -> int:
    assert isinstance(declared.rule, Length)  # noqa: S101  INVARIANT: chosen by its rule
    return declared.rule.minus


def room_of(wire: Wire, header: str) -> Room | None:
    """Return the room for a header; None where the transport does not say how long a message is, or the header is of no
    whole number of words of a checksum, which would shift all that is summed behind it.
    """
    message, last = wire.messages[header], wire.messages[wire.transport.header]
    words = all(isinstance(word_type(f.type), Bits) for f in message.fixed_fields)
    whole = message.size % 2 == 0 and last.size % 2 == 0
    return Room(wire, message) if words and whole and len(last.rules(Length)) == 1 else None
