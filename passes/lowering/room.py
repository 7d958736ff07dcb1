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
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bertha_ir.message import Message, MessageField
    from bertha_ir.passes.lowering.wire import Wire
    from bertha_ir.types import Type

_STEADY = (e.Const, e.Local, e.Unary, e.Binary, e.Cast, e.Choose, e.Address, e.Part)


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

    def opened(self, by: int, nodes: tuple[s.Push, ...]) -> tuple[s.Stmt, ...]:
        """Return the statements that put headers there, of `by` bytes together, each in front of the one before."""
        behind, span = self.wire.transport.header, nodes[0].span
        pushes = (s.Push(node.header, (), node.span, behind) for node in nodes)
        return (s.If(self._too_long(by), (s.Drop(span),), span=span), *pushes)

    def filled(self, fields: tuple[tuple[str, e.Expr], ...], node: s.Push) -> tuple[s.Stmt, ...]:
        """Return the statements that give fields of the header, which is there, their values."""
        done: list[s.Stmt] = []
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

    def _too_long(self, by: int) -> e.Expr:
        """Return the condition that the outermost length field cannot say the message's length with `by` bytes more."""
        owner, declared = next(
            (name, f) for name in self.wire.spine for f in self.wire.messages[name].rules(Length)
        )  # fmt: skip
        field = _field(owner, declared)
        most = (1 << field.type.width) - 1 - by  # type: ignore[union-attr]  # lengths are words
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


def pushed_at_once(body: Sequence[s.Stmt]) -> tuple[s.Push, ...]:
    """Return the pushes that a body begins with, as far as none says of a header what one before it changes."""
    found: list[s.Push] = []
    for node in body:
        known = {push.header for push in found}
        if not isinstance(node, s.Push) or node.header in known or (found and not _steady(node)):
            break
        found.append(node)
    return tuple(found)


def _steady(node: s.Push) -> bool:
    """Whether what a push writes is made of nothing that another push changes."""
    values = tuple(value for _, value in node.fields)
    return all(isinstance(n, _STEADY) for n in walk(values) if isinstance(n, e.Expr))
