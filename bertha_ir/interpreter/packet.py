"""A packet in the interpreter: bytes, and headers as views on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir.program import ADDRESS
from bertha_ir.types import Bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.program import Header

Endpoint = tuple[int, int]
Record = dict[str, int | bytes]


def get_bits(data: bytes | bytearray, offset: int, width: int) -> int:
    """Return `width` bits from bit `offset`, most significant first."""
    first, last = offset // 8, (offset + width + 7) // 8
    window = int.from_bytes(data[first:last], "big")
    return window >> (last * 8 - offset - width) & ((1 << width) - 1)


def set_bits(data: bytearray, offset: int, width: int, value: int) -> None:
    """Overwrite `width` bits from bit `offset`."""
    first, last = offset // 8, (offset + width + 7) // 8
    shift = last * 8 - offset - width
    window = int.from_bytes(data[first:last], "big")
    window = window & ~(((1 << width) - 1) << shift) | value << shift
    data[first:last] = window.to_bytes(last - first, "big")


def copied(network: Mapping[str, Record]) -> dict[str, Record]:
    """Return a copy of the network's headers, for a packet of its own."""
    return {header: dict(fields) for header, fields in network.items()}


@define
class Packet:
    """Bytes with views: `at` maps each known header to its byte offset, `layouts` to its fields.

    `src`, `dst` are meaningful for datagrams; in a frame the addresses are fields of its headers. `outside`: the fields
    of the network's headers in front of a message that is run without its frame.
    """

    data: bytearray
    src: Endpoint = (0, 0)
    dst: Endpoint = (0, 0)
    value: Record | None = None
    at: dict[str, int] = Factory(dict)
    layouts: dict[str, Header] = Factory(dict)
    outside: dict[str, Record] = Factory(dict)

    def extract(self, header: Header, offset: int) -> bool:
        """Make `header` readable at byte `offset`; False when the bytes do not reach."""
        if offset + header.size > len(self.data):
            return False
        self.at[header.name], self.layouts[header.name] = offset, header
        return True

    def read(self, header: str, name: str) -> int | bytes:
        """Return a field's value."""
        if header == ADDRESS:
            end = self.src if name.startswith("src") else self.dst
            return end[name.endswith("port")]
        if self._is_outside(header):
            return self.outside[header][name]
        layout = self.layouts[header]
        field = layout.field(name)
        value = get_bits(self.data, 8 * self.at[header] + layout.bit_offset(name), field.width)
        return value.to_bytes(field.width // 8, "big") if isinstance(field.type, Bytes) else value

    def write(self, header: str, name: str, value: int | bytes) -> None:
        """Change a field's value."""
        if header == ADDRESS:
            self._write_address(name, int(value))
            return
        if self._is_outside(header):
            self.outside[header][name] = value
            return
        layout = self.layouts[header]
        number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
        start = 8 * self.at[header] + layout.bit_offset(name)
        set_bits(self.data, start, layout.field(name).width, number)

    def _is_outside(self, header: str) -> bool:
        """Whether a name means the network's header; not once a header of the same name was pushed."""
        return header in self.outside and header not in self.at

    def _write_address(self, name: str, value: int) -> None:
        which, part = name.split("_")
        ip, port = self.src if which == "src" else self.dst
        end = (ip, value) if part == "port" else (value, port)
        self.src, self.dst = (end, self.dst) if which == "src" else (self.src, end)

    def end(self, header: str | None) -> int:
        """Return the byte offset behind a header; 0 for none."""
        return 0 if header is None else self.at[header] + self.layouts[header].size

    def push(self, header: Header, offset: int = 0) -> None:
        """Insert a zeroed header at byte `offset` and shift what lies behind it."""
        self.data[offset:offset] = bytes(header.size)
        self.at = {h: at + header.size if at >= offset else at for h, at in self.at.items()}
        self.at[header.name], self.layouts[header.name] = offset, header

    def pop(self, header: str) -> Record:
        """Cut a header out and return what its fields held."""
        start, layout = self.at.pop(header), self.layouts.pop(header)
        self.at[header], self.layouts[header] = start, layout
        fields = {f.name: self.read(header, f.name) for f in layout.fields}
        del self.at[header]
        del self.data[start : start + layout.size]
        self.at = {h: at - layout.size if at > start else at for h, at in self.at.items()}
        return fields
