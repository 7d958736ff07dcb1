"""Prints the record of a message: a named tuple, and what lies between it and its bytes."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.backends.names import Names, comment
from bertha_ir.backends.python.inline import Cut
from bertha_ir.backends.python.payload import Pieces, as_bytes
from bertha_ir.types import Bits, Bytes, bit_width

if TYPE_CHECKING:
    from bertha_ir.message import Message, MessageField

CODES = {8: "B", 16: "H", 32: "I", 64: "Q"}
# What `typing.NamedTuple` and `tuple` define, and Python's own words.
FIELD_NAMES = frozenset(keyword.kwlist) | frozenset(("count", "index"))


@frozen
class Record:
    """A message's class in the module. `fields` are its attributes, by the message's names."""

    message: Message
    name: str
    layout: str
    fields: dict[str, str]

    @classmethod
    def of(cls, message: Message, names: Names) -> Record:
        """Choose the names: the message's own, unless Python, a tuple or the module has them already."""
        name, inside = names.fresh(message.name), Names(FIELD_NAMES)
        fields = {f.name: inside.fresh(f.name) for f in message.fields}
        return cls(message, name, names.fresh(f"{name}_layout"), fields)

    @property
    def text(self) -> str:
        """The class, and its layout."""
        fields = "\n".join(f"    {self.fields[f.name]}: {_annotation(f)}" for f in self.message.fields)
        what = f'class {self.name}(NamedTuple):\n    """The message `{comment(self.message.name)}`."""\n\n{fields}'
        return f"{what}\n\n\n{self._layout()}"

    def _layout(self) -> str:
        codes = [code_of(f.type) for f in self.message.fixed_fields]
        if all(codes):
            return f'{self.layout} = Struct(">{"".join(c or "" for c in codes)}")'
        sizes = (_size(f) for f in self.message.fixed_fields)
        return f'{self.layout} = BitStruct("{" ".join(sizes)}")'

    def packed(self) -> Pieces:
        """Return the bytes of the record `value` in parts."""
        values = ", ".join(f"value.{self.fields[f.name]}" for f in self.message.fixed_fields)
        fixed = Pieces((f"{self.layout}.pack({values})",), self.message.size)
        if not self.message.has_tail:
            return fixed
        tail = f"value.{self.fields[self.message.fields[-1].name]}"
        return Pieces((*fixed.parts, tail), fixed.fixed, (tail,))

    def checks(self) -> list[str]:
        """Return the tests of fields of bytes, which `struct` would fill up or cut instead of refusing them."""
        sized = [(self.fields[f.name], f.type.size) for f in self.message.fixed_fields if isinstance(f.type, Bytes)]
        return [
            line
            for name, size in sized
            for line in (
                f"if len(value.{name}) != {size}:",
                f'    raise ValueError("`{name}` takes {size} bytes")',
            )
        ]

    def unpacked(self, data: str, front: int) -> Cut:
        """Return how the record lies in a variable, from byte `front` on. Its own constructor would check the number
        of fields, and take a quarter longer.
        """
        behind = front + self.message.size
        fields = f"{self.layout}.unpack_from({data}{f', {front}' if front else ''})"
        if self.message.has_tail:
            tail = as_bytes(f"{data}[{behind}:]")
            return Cut(f"len({data}) < {behind}", f"tuple.__new__({self.name}, (*{fields}, {tail}))")
        return Cut(f"len({data}) != {behind}", f"tuple.__new__({self.name}, {fields})")


def _annotation(field: MessageField) -> str:
    return "int" if isinstance(field.type, Bits) else "bytes"


def code_of(type_: Bits | Bytes) -> str | None:
    """Return the letter by which `struct` packs a word or so many bytes, or None when it has none."""
    width = bit_width(type_) or 0
    return CODES.get(width) if isinstance(type_, Bits) else f"{width // 8}s"


def _size(field: MessageField) -> str:
    width = bit_width(field.type) or 0
    return str(width) if isinstance(field.type, Bits) else f"{width // 8}s"
