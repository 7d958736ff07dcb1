"""Prints the record of a message: a named tuple, and the functions between it and its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.backends.names import Names
from bertha_ir.backends.python.fields import FIELD_NAMES
from bertha_ir.types import Bits, bit_width

if TYPE_CHECKING:
    from bertha_ir.message import Message, MessageField

CODES = {8: "B", 16: "H", 32: "I", 64: "Q"}


def record(message: Message) -> str:
    """Return the source of the class and of `pack_NAME`, `unpack_NAME`."""
    names = field_names(message)
    fields = "\n".join(f"    {names[f.name]}: {_annotation(f)}" for f in message.fields)
    return f'''class {message.name}(NamedTuple):
    """The message `{message.name}`."""

{fields}


{_codec(message, names)}'''


def field_names(message: Message) -> dict[str, str]:
    """Return the attribute of each field: its own name, unless Python or a tuple has that already."""
    names = Names(FIELD_NAMES)
    return {f.name: names.fresh(f.name) for f in message.fields}


def _annotation(field: MessageField) -> str:
    return "int" if isinstance(field.type, Bits) else "bytes"


def _codec(message: Message, names: dict[str, str]) -> str:
    codes = [_code(f) for f in message.fixed_fields]
    tail = names[message.fields[-1].name] if message.has_tail else None
    test = f"len(data) < {message.size}" if message.has_tail else f"len(data) != {message.size}"
    rest = f", data[{message.size}:]" if tail else ""
    values = [f"value.{names[f.name]}" for f in message.fixed_fields]
    if all(codes):
        packed = f"_{message.name}.pack({', '.join(values)})"
        unpacked = f"*_{message.name}.unpack_from(data)"
        layout = f'_{message.name} = Struct(">{"".join(c or "" for c in codes)}")\n\n\n'
    else:
        packed, unpacked, layout = *_by_bits(message, values), ""
    return f'''{layout}def pack_{message.name}(value):
    """Return the bytes of a record."""
    return {packed}{f" + value.{tail}" if tail else ""}


def unpack_{message.name}(data):
    """Return the record that bytes hold; `PrimitiveError` when they are not as many as its fields take."""
    if {test}:
        raise primitives.PrimitiveError("not the size of a {message.name}")
    return {message.name}({unpacked}{rest})'''


def _code(field: MessageField) -> str | None:
    width = bit_width(field.type) or 0
    return CODES.get(width) if isinstance(field.type, Bits) else f"{width // 8}s"


def _by_bits(message: Message, values: list[str]) -> tuple[str, str]:
    """Return the expressions for layouts that `struct` does not know: all fields as one integer."""
    whole, parts, left = [], [], 8 * message.size
    for field, value in zip(message.fixed_fields, values, strict=True):
        width = bit_width(field.type) or 0
        left -= width
        number = value if isinstance(field.type, Bits) else f'int.from_bytes({value}, "big")'
        whole.append(f"{number} << {left}")
        cut = f'(int.from_bytes(data[:{message.size}], "big") >> {left} & {hex((1 << width) - 1)})'
        parts.append(cut if isinstance(field.type, Bits) else f'{cut}.to_bytes({width // 8}, "big")')
    return f'({" | ".join(whole)}).to_bytes({message.size}, "big")', ", ".join(parts)
