"""Builds frames: a message with the headers of the network in front of it, whose lengths and checksums are right."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.interpreter.packet import Endpoint, Packet, Record
from bertha_ir.interpreter.stack import header_of
from bertha_ir.message import Checksum, Fixed, Length
from bertha_ir.types import bit_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.message import Message
    from bertha_ir.spec import Transport

Network = dict[str, Record]


def internet_checksum(data: bytes) -> int:
    """Return the Internet checksum, summed over everything (RFC 1071)."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ways(messages: Mapping[str, Message], transport: Transport) -> tuple[tuple[str, ...], ...]:
    """Return each row of headers, outermost first, that may lie in front of a transport's payload."""
    found: list[tuple[str, ...]] = []

    def climb(way: tuple[str, ...]) -> None:
        parents = [p.message for p in messages[way[0]].parents if p.message in messages and p.message not in way]
        if not parents and transport.src_ip.header in way:
            found.append(way)
        for parent in parents:
            climb((parent, *way))

    climb((transport.header,))
    return tuple(found)


@frozen
class Framing:
    """The headers in front of a transport's payload, outermost first: `way`, one of `ways`."""

    messages: Mapping[str, Message]
    transport: Transport
    way: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes in front of the payload."""
        return sum(self.messages[name].size for name in self.way)

    def build(
        self, src: Endpoint, dst: Endpoint, payload: bytes, given: Mapping[str, Record], *, summed: bool = True
    ) -> bytes:  # fmt: skip
        """Return the frame of a message. `given` has fields of headers; addresses, lengths and checksums are computed,
        checksums that may be left out only when `summed`.
        """
        packet = self._laid(bytearray(self.size) + payload)
        for name, field, value in self._demanded():
            packet.write(name, field, value)
        for name in self.way:
            for field, value in given.get(name, {}).items():
                packet.write(name, field, value)
        for part, value in zip(self.addresses(), (*src, *dst), strict=True):
            packet.write(*part, value)
        for name in self.way:
            for f in self.messages[name].rules(Length):
                minus = f.rule.minus if isinstance(f.rule, Length) else 0
                packet.write(name, f.name, len(packet.data) - packet.at[name] - minus)
        for name in reversed(self.way):
            self._sum(packet, name, summed=summed)
        return bytes(packet.data)

    def fields(self, frame: bytes) -> Network:
        """Return the fields of all headers of a frame that is long enough for them."""
        packet = self._laid(bytearray(frame))
        return {n: {f.name: packet.read(n, f.name) for f in self.messages[n].fixed_fields} for n in self.way}

    def ends(self, frame: bytes) -> tuple[Endpoint, Endpoint]:
        """Return where a frame comes from and goes to."""
        fields = self.fields(frame)
        src_ip, src_port, dst_ip, dst_port = (int(fields[h][f]) for h, f in self.addresses())
        return (src_ip, src_port), (dst_ip, dst_port)

    def free(self) -> tuple[tuple[str, str, int], ...]:
        """Return the fields that may hold anything: header, name, bits."""
        taken = {(name, field) for name, field, _ in self._demanded()} | set(self.addresses())
        return tuple(
            (name, f.name, bit_width(f.type) or 0)
            for name in self.way
            for f in self.messages[name].fixed_fields
            if f.rule is None and (name, f.name) not in taken
        )

    def addresses(self) -> tuple[tuple[str, str], ...]:
        """Return the header and name of the fields with the addresses: of the source, then of the destination."""
        t = self.transport
        return tuple((f.header, f.name) for f in (t.src_ip, t.src_port, t.dst_ip, t.dst_port))

    def _laid(self, data: bytearray) -> Packet:
        packet, at = Packet(data), 0
        for name in self.way:
            packet.extract(header_of(self.messages[name]), at)
            at += self.messages[name].size
        return packet

    def _demanded(self) -> tuple[tuple[str, str, int | bytes], ...]:
        """Return the fields that must hold a value for the headers to follow one another."""
        fixed = [
            (name, f.name, f.rule.value)
            for name in self.way
            for f in self.messages[name].rules(Fixed)
            if isinstance(f.rule, Fixed)
        ]
        return (*fixed, *((above, f, v) for above, name in pairwise(self.way) for f, v in self._leads(above, name)))

    def _leads(self, above: str, name: str) -> tuple[tuple[str, int], ...]:
        return next(p.when for p in self.messages[name].parents if p.message == above)

    def _sum(self, packet: Packet, name: str, *, summed: bool) -> None:
        message = self.messages[name]
        for field in message.rules(Checksum):
            rule, at = field.rule, packet.at[name]
            packet.write(name, field.name, 0)
            if not isinstance(rule, Checksum) or (rule.optional and not summed):
                continue
            if rule.over == "header":
                total = internet_checksum(bytes(packet.data[at : at + message.size]))
            else:
                total = internet_checksum(self._pseudo(packet, name) + bytes(packet.data[at:]))
            packet.write(name, field.name, total or (0xFFFF if rule.optional else 0))

    def _pseudo(self, packet: Packet, name: str) -> bytes:
        """Return the addresses, the number that announces the header, and the length (RFC 768, RFC 8200 8.1)."""
        above = self.way[self.way.index(name) - 1]
        announced = sum(value for _, value in self._leads(above, name))
        ends = b"".join(_wire(packet, f.header, f.name) for f in (self.transport.src_ip, self.transport.dst_ip))
        return ends + struct.pack(">II", announced, len(packet.data) - packet.at[name])


def _wire(packet: Packet, header: str, name: str) -> bytes:
    value = packet.read(header, name)
    width = packet.layouts[header].field(name).width
    return value if isinstance(value, bytes) else value.to_bytes(width // 8, "big")
