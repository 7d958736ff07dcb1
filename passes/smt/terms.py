"""Byte strings and primitives as z3 terms.

A byte string of any length is a `Text`: known bytes, then what is left of an opaque one. Opaque are the payload that
comes in and whatever a primitive makes; they are values of an uninterpreted sort, `at(x, i)` is a byte of one and
`size(x)` its length. A primitive is an uninterpreted function; its laws (`bertha_ir/primitives.py`) and what `at`,
`size` and `cat` mean are asserted for the terms that occur, never as quantified axioms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3
from attrs import Factory, define, frozen

from bertha_ir.passes.smt.context import all_of, bits, no, opaque, truth, word, yes
from bertha_ir.primitives import PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.program import Table

MAX_SIZE = 65_535
"""Bytes that a message which comes in may have: what a UDP length can count."""

MAX_MADE = 1 << 24
"""Bytes that a primitive whose growth varies is taken to make at most, and that state holds of a byte string."""

MAX_SANE = 1 << 28
"""More bytes than any byte string has. What a path makes of a message that is too short for it has more, as 32 bits
wrap. Laws say nothing of that: otherwise they would say that there are no short messages.
"""


def joined(parts: Sequence[z3.BitVecRef]) -> z3.BitVecRef:
    """Return the bits of several terms, first ones highest."""
    return z3.simplify(z3.Concat(*parts)) if len(parts) > 1 else parts[0]


@frozen(eq=False)
class Text:
    """A byte string: the bytes of `head`, then `base` without its first `cut` bytes, if there is a base."""

    head: tuple[z3.BitVecRef, ...] = ()
    base: z3.ExprRef | None = None
    cut: int = 0

    def byte(self, index: int) -> z3.BitVecRef:
        """Return the byte at an index that is known to lie inside."""
        if index < len(self.head):
            return self.head[index]
        return _at(self.base, bits(self.cut + index - len(self.head), 32))

    def exposed(self, count: int) -> Text:
        """Return the same bytes with at least `count` of them in the head."""
        more = tuple(self.byte(i) for i in range(len(self.head), count))
        return Text(self.head + more, self.base, self.cut + len(more))

    def dropped(self, count: int) -> Text:
        """Return what follows the first `count` bytes."""
        whole = self.exposed(count)
        return Text(whole.head[count:], whole.base, whole.cut)

    def size(self) -> z3.BitVecRef:
        """Return the length in bytes, 32 bits."""
        known = bits(len(self.head) - self.cut, 32)
        return known if self.base is None else z3.simplify(_size(self.base) + known)

    def same(self, other: Text, facts: Facts) -> z3.BoolRef:
        """Return when two byte strings are equal."""
        ours, theirs = self._shortest(), other._shortest()
        one_base = ours.base is theirs.base or (
            ours.base is not None and theirs.base is not None and ours.base.eq(theirs.base)
        )
        if not one_base:
            return facts.term(ours) == facts.term(theirs)
        if len(ours.head) - ours.cut != len(theirs.head) - theirs.cut:
            return no()
        count = max(len(ours.head), len(theirs.head))
        return all_of(*(ours.byte(i) == theirs.byte(i) for i in range(count)))

    def _shortest(self) -> Text:
        """Return the same bytes with those at the head's end that are the base's own counted to the base."""
        head, cut = list(self.head), self.cut
        while cut and head and head[-1].eq(_at(self.base, bits(cut - 1, 32))):
            head.pop()
            cut -= 1
        return Text(tuple(head), self.base, cut)


def text_of(data: bytes) -> Text:
    """Return constant bytes."""
    return Text(tuple(bits(b, 8) for b in data))


def text_of_bits(value: z3.BitVecRef) -> Text:
    """Return the bytes of a term of whole bytes."""
    count = value.size() // 8
    cuts = (z3.Extract(8 * (count - i) - 1, 8 * (count - i - 1), value) for i in range(count))
    return Text(tuple(z3.simplify(c) for c in cuts))


@frozen(eq=False)
class Application:
    """A primitive's result: what was applied to what. `text` is the last argument, if it is a byte string."""

    primitive: str
    leading: tuple[z3.ExprRef, ...]
    text: Text | None
    term: z3.ExprRef

    @property
    def result(self) -> Text:
        """Return the result as a byte string, if it is one."""
        return Text((), self.term)


@frozen(eq=False)
class Lookup:
    """What a table of many entries, as a function of its key, was asked."""

    table: Table
    key: tuple[z3.BitVecRef, ...]
    hit: z3.BoolRef
    row: tuple[z3.BitVecRef, ...]


@define
class Facts:
    """What holds of the terms that occur. With `ideal`, what a primitive makes that conceals is a function of nothing
    but the size of what it conceals.
    """

    ideal: bool = False
    known: list[z3.BoolRef] = Factory(list)
    applications: dict[int, Application] = Factory(dict)
    lookups: list[Lookup] = Factory(list)
    _terms: dict[int, z3.ExprRef] = Factory(dict)

    def fresh(self, name: str) -> Text:
        """Return a byte string that comes in, of up to `MAX_SIZE` bytes."""
        base = z3.Const(name, opaque())
        self.known.append(z3.ULE(_size(base), MAX_SIZE))
        return Text((), base)

    def stored(self, row: tuple[z3.ExprRef, ...]) -> None:
        """Say of a row that was found in a state how long its byte strings may be."""
        self.known += [z3.ULE(_size(part), MAX_MADE) for part in row if part.sort() == opaque()]

    def opaque(self, base: z3.ExprRef) -> Text:
        """Return a byte string that a term of the uninterpreted sort stands for."""
        return Text((), base)

    def term(self, text: Text) -> z3.ExprRef:
        """Return a byte string as a term of the uninterpreted sort, with what is known of it."""
        text = text._shortest()  # noqa: SLF001  (the canonical form is the class's own business)
        if text.base is not None and not text.head and not text.cut:
            return text.base
        made = self._spelled(text)
        if made.get_id() not in self._terms:
            self._terms[made.get_id()] = made
            self.known.append(_size(made) == text.size())
            self.known += [_at(made, bits(i, 32)) == byte for i, byte in enumerate(text.head)]
        return made

    def _spelled(self, text: Text) -> z3.ExprRef:
        if text.base is None and not text.head:
            return z3.Const("empty", opaque())
        rest = None
        if text.base is not None:
            rest = _tail(text.base, bits(text.cut, 32)) if text.cut else text.base
        if not text.head:
            assert rest is not None  # noqa: S101  INVARIANT: one of the two is there
            return rest
        width = 8 * len(text.head)
        if rest is None:
            return z3.Function(f"literal{len(text.head)}", word(width), opaque())(joined(text.head))
        cat = z3.Function(f"cat{len(text.head)}", word(width), opaque(), opaque())
        made = cat(joined(text.head), rest)
        self.known.append(_tail(made, bits(len(text.head), 32)) == rest)
        return made

    def apply(self, name: str, leading: tuple[z3.ExprRef, ...], text: Text) -> Text:
        """Return the result of a primitive that turns a byte string into another, with its laws."""
        law = PRIMITIVES[name]
        if self.ideal and "conceals" in law.laws:
            return self._concealed(name, text)
        source = self.term(text)
        made = _function(name, (*leading, source), opaque())(*leading, source)
        if made.get_id() in self.applications:
            return Text((), made)
        self.applications[made.get_id()] = Application(name, leading, text, made)
        size = _size(made)
        grown = z3.ULE(size, MAX_MADE) if law.growth is None else size == text.size() + law.growth
        self.known.append(z3.Implies(_sane(text), grown))
        if law.inverse is not None:
            back = PRIMITIVES[law.inverse]
            given = (*leading[: len(back.arguments) - 1], made)
            self.known.append(_function(law.inverse, given, opaque())(*given) == source)
            self.known.append(_succeeds(law.inverse, given))
        return Text((), made)

    def _concealed(self, name: str, text: Text) -> Text:
        made = z3.Function(f"{name} ideal", word(32), opaque())(text.size())
        self.known.append(_size(made) == text.size() + (PRIMITIVES[name].growth or 0))
        return Text((), made)

    def attempt(self, name: str, leading: tuple[z3.ExprRef, ...], text: Text) -> tuple[z3.BoolRef, Text]:
        """Return when a primitive that may fail does not, and its result then."""
        text = text._shortest()  # noqa: SLF001  (as in `term`)
        undone = self._undone(name, leading, text)
        if undone is not None:
            return yes(), undone
        source = self.term(text)
        given = (*leading, source)
        result = self.apply(name, leading, text)
        growth = PRIMITIVES[name].growth
        if growth is not None and growth < 0:
            self.known.append(z3.Implies(all_of(_sane(text), _succeeds(name, given)), z3.UGE(text.size(), -growth)))
        return _succeeds(name, given), result

    def _undone(self, name: str, leading: tuple[z3.ExprRef, ...], text: Text) -> Text | None:
        """Return what was given to the primitive whose inverse `name` is, when its result is what comes here."""
        if text.base is None or text.head or text.cut:
            return None
        made = self.applications.get(text.base.get_id())
        if made is None or PRIMITIVES[made.primitive].inverse != name or made.text is None:
            return None
        same = all(a.eq(b) for a, b in zip(leading, made.leading, strict=False))
        return made.text if same else None

    def digest(self, name: str, value: z3.BitVecRef) -> z3.BitVecRef:
        """Return the result of a primitive on bits of whole bytes, such as a hash; computed when the bits are known."""
        primitive = PRIMITIVES[name]
        width = primitive.result.width  # type: ignore[union-attr]  # what takes bits gives bits
        value = z3.simplify(value)
        if z3.is_bv_value(value) and primitive.reference is not None:
            return bits(primitive.reference(value.as_long().to_bytes(value.size() // 8, "big")), width)
        made = _function(name, (value,), word(width))(value)
        self.applications[made.get_id()] = Application(name, (value,), None, made)
        return made


def _at(base: z3.ExprRef, index: z3.BitVecRef) -> z3.BitVecRef:
    return z3.Function("at", opaque(), word(32), word(8))(base, index)


def _size(base: z3.ExprRef) -> z3.BitVecRef:
    return z3.Function("size", opaque(), word(32))(base)


def _sane(text: Text) -> z3.BoolRef:
    return z3.simplify(z3.ULE(text.size(), MAX_SANE))


def _tail(base: z3.ExprRef, cut: z3.BitVecRef) -> z3.ExprRef:
    return z3.Function("tail", opaque(), word(32), opaque())(base, cut)


def _function(name: str, given: tuple[z3.ExprRef, ...], result: z3.SortRef) -> z3.FuncDeclRef:
    widths = "".join(f"_{g.size()}" for g in given if z3.is_bv(g))
    return z3.Function(f"{name}{widths}", *(g.sort() for g in given), result)


def _succeeds(name: str, given: tuple[z3.ExprRef, ...]) -> z3.BoolRef:
    return _function(f"{name}_succeeds", given, truth())(*given)
