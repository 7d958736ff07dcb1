"""Prints the record of a message: a named tuple, and the functions between it and its bytes."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.backends.names import Names, comment
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
        for verb in ("pack", "unpack"):
            names.taken.add(f"{verb}_{name}")
        fields = {f.name: inside.fresh(f.name) for f in message.fields}
        return cls(message, name, names.fresh(f"{name}_layout"), fields)

    def text(self, used: str) -> str:
        """Return the class, its layout, and of `pack_NAME` and `unpack_NAME` what the text `used` calls."""
        fields = "\n".join(f"    {self.fields[f.name]}: {_annotation(f)}" for f in self.message.fields)
        what = f'class {self.name}(NamedTuple):\n    """The message `{comment(self.message.name)}`."""\n\n{fields}'
        printers = {"pack": self._pack, "unpack": self._unpack}
        functions = [f() for verb, f in printers.items() if re.search(rf"\b{verb}_{self.name}\(", used)]
        return "\n\n\n".join([what, self._layout(), *functions])

    def _layout(self) -> str:
        codes = [_code(f) for f in self.message.fixed_fields]
        if all(codes):
            return f'{self.layout} = Struct(">{"".join(c or "" for c in codes)}")'
        sizes = (_size(f) for f in self.message.fixed_fields)
        return f'{self.layout} = BitStruct("{" ".join(sizes)}")'

    def _pack(self) -> str:
        values = ", ".join(f"value.{self.fields[f.name]}" for f in self.message.fixed_fields)
        rest = f" + value.{self.fields[self.message.fields[-1].name]}" if self.message.has_tail else ""
        return f'''def pack_{self.name}(value):
    """Return the bytes of a record."""
{self._checks()}    return {self.layout}.pack({values}){rest}'''

    def _checks(self) -> str:
        """Return the tests of fields of bytes, which `struct` would fill up or cut instead of refusing them."""
        sized = [(self.fields[f.name], f.type.size) for f in self.message.fixed_fields if isinstance(f.type, Bytes)]
        return "".join(
            f'    if len(value.{name}) != {size}:\n        raise ValueError("`{name}` takes {size} bytes")\n'
            for name, size in sized
        )

    def _unpack(self) -> str:
        size, tail = self.message.size, self.message.has_tail
        return f'''def unpack_{self.name}(data):
    """Return the record that bytes hold; `PrimitiveError` when they are not as many as its fields take."""
    if len(data) {"<" if tail else "!="} {size}:
        raise primitives.PrimitiveError("not the size of a {self.name}")
    return {self.name}(*{self.layout}.unpack_from(data){f", data[{size}:]" if tail else ""})'''


def _annotation(field: MessageField) -> str:
    return "int" if isinstance(field.type, Bits) else "bytes"


def _code(field: MessageField) -> str | None:
    width = bit_width(field.type) or 0
    return CODES.get(width) if isinstance(field.type, Bits) else f"{width // 8}s"


def _size(field: MessageField) -> str:
    width = bit_width(field.type) or 0
    return str(width) if isinstance(field.type, Bits) else f"{width // 8}s"
