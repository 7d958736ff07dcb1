"""What a model that did not come true teaches: the real results of hashes, tables and codecs for its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3
from attrs import frozen

from bertha_ir.interpreter.store import find
from bertha_ir.passes.smt.context import all_of, bits
from bertha_ir.passes.smt.witness import Reader
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.runtime.primitives import PrimitiveError
from bertha_ir.types import Bytes

if TYPE_CHECKING:
    from bertha_ir.passes.smt.encode import Encoding
    from bertha_ir.passes.smt.terms import Application, Lookup, Text

LONGEST = 96
"""Bytes of an argument or a result that a lesson spells out."""


@frozen(eq=False)
class Lesson:
    """`when` these are the arguments, `then` this is the result: in every model."""

    when: z3.BoolRef
    then: z3.BoolRef

    @property
    def rule(self) -> z3.BoolRef:
        """Return it as one formula."""
        return z3.Implies(self.when, self.then)


def lessons(encoding: Encoding, model: z3.ModelRef) -> list[Lesson]:
    """Return what is true of the model's arguments, and is not so in the model."""
    teacher = _Teacher(Reader(encoding, model))
    facts = encoding.world.facts
    found = [teacher.digest(made) if made.text is None else teacher.codec(made) for made in facts.applications.values()]
    found += [teacher.lookup(asked) for asked in facts.lookups]
    return [lesson for lesson in found if lesson is not None and not teacher.reader.holds(lesson.rule)]


@frozen(eq=False)
class _Teacher:
    reader: Reader

    def digest(self, made: Application) -> Lesson | None:
        """Return what a primitive on bits really gives."""
        reference = PRIMITIVES[made.primitive].reference
        if reference is None:
            return None
        (value,) = made.leading
        given = self.reader.number(value)
        result = reference(given.to_bytes(value.size() // 8, "big"))
        return Lesson(value == given, made.term == result)

    def lookup(self, asked: Lookup) -> Lesson:
        """Return what a large table really holds."""
        key = tuple(self.reader.number(part) for part in asked.key)
        row = find(asked.table, key)
        here = all_of(*(part == k for part, k in zip(asked.key, key, strict=True)))
        there = [a == b for a, b in zip(asked.row, row or (), strict=False)]
        return Lesson(here, all_of(asked.hit == (row is not None), *there))

    def codec(self, made: Application) -> Lesson | None:
        """Return what a primitive on a byte string that came in really gives."""
        primitive, text = PRIMITIVES[made.primitive], made.text
        if primitive.reference is None or text is None or not _came_in(text):
            return None
        data = self.reader.text(text)
        if len(data) > LONGEST:
            return None
        numbers = [self.reader.number(term) for term in made.leading]
        types = primitive.arguments[: len(numbers)]
        given = [n.to_bytes(t.size, "big") if isinstance(t, Bytes) else n for n, t in zip(numbers, types, strict=True)]  # type: ignore[arg-type]  # keys have a size
        try:
            result = primitive.reference(*given, data)
        except PrimitiveError:
            return None
        shown = made.result.exposed(min(len(result), LONGEST))
        here = all_of(*(a == b for a, b in zip(made.leading, numbers, strict=True)), _is(text, data))
        there = [byte == value for byte, value in zip(shown.head, result, strict=False)]
        return Lesson(here, all_of(made.result.size() == len(result), *there))


def _came_in(text: Text) -> bool:
    return text.base is None or text.base.num_args() == 0


def _is(text: Text, data: bytes) -> z3.BoolRef:
    """Return when a byte string has these bytes, and no more."""
    same = (text.byte(i) == bits(value, 8) for i, value in enumerate(data))
    return all_of(text.size() == len(data), *same)
