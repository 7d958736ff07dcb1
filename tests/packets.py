"""Frames for tests: around one service, right ones and ones that are wrong in every way, each run the same."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable

Endpoint = tuple[int, int]
SHORTEST = 14  # bytes: the kernel runs no program on less than an Ethernet header
IP_HEADER, UDP_HEADER = 20, 8
UDP, TCP = 17, 6
TAG, SERVICE_TAG = b"\x81\x00", b"\x88\xa8"


def ones_sum(data: bytes) -> int:
    """The Internet checksum's sum (RFC 1071), written apart from the code under test."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def address(end: Endpoint) -> bytes:
    """The four bytes of an endpoint's address."""
    return end[0].to_bytes(4, "big")


def datagram(src: Endpoint, dst: Endpoint, payload: bytes, *, tags: bytes = b"", options: bytes = b"") -> bytes:
    """A right UDP datagram over IPv4 in an Ethernet frame, behind VLAN `tags` and with IP `options`."""
    length = UDP_HEADER + len(payload)
    udp = struct.pack(">HHHH", src[1], dst[1], length, 0) + payload
    total = ~ones_sum(address(src) + address(dst) + struct.pack(">HH", UDP, length) + udp) & 0xFFFF
    udp = udp[:6] + struct.pack(">H", total or 0xFFFF) + udp[8:]
    size = IP_HEADER + len(options)
    ip = (
        struct.pack(">BBHHHBBH", 0x40 | size // 4, 0, size + length, 7, 0x4000, 64, UDP, 0)
        + address(src)
        + address(dst)
    )
    ip = ip + options
    ip = ip[:10] + struct.pack(">H", ~ones_sum(ip) & 0xFFFF) + ip[12:]
    return b"\2\0\0\0\0\1\2\0\0\0\0\x09" + tags + b"\x08\x00" + ip + udp


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """The data with `new` written over what was at `at`."""
    return data[:at] + new + data[at + len(new) :]


def any_payload(source: random.Random) -> bytes:
    """Up to 80 bytes of anything."""
    return source.randbytes(source.randrange(80))


@frozen
class Traffic:
    """What frames are about: requests from `client` to `to`; `others` are where a program sends them instead and
    where answers come from. `payload` makes what a right request carries.
    """

    to: Endpoint
    others: tuple[Endpoint, ...]
    payload: Callable[[random.Random], bytes] = any_payload
    client: Endpoint = (0x0A000009, 5555)
    clients: tuple[Endpoint, ...] = field(default=())

    def frames(self, seed: int, count: int) -> list[bytes]:
        """`count` frames: half of them right requests and answers, the others of every kind in turn."""
        source = random.Random(seed)
        return [self._frame(source, number) for number in range(count)]

    def _frame(self, source: random.Random, number: int) -> bytes:
        kind = (request, answer, request, *KINDS)[source.randrange(3) if number % 2 else 3 + number // 2 % len(KINDS)]
        data = kind(self, source)
        return data + bytes(max(0, SHORTEST - len(data)))

    def sender(self, source: random.Random) -> Endpoint:
        """Who sends a request."""
        return source.choice(self.clients or (self.client,))


def request(about: Traffic, source: random.Random, **more: bytes) -> bytes:
    """A right request."""
    return datagram(about.sender(source), about.to, about.payload(source), **more)


def answer(about: Traffic, source: random.Random, **more: bytes) -> bytes:
    """A right answer, from one of the others."""
    return datagram(source.choice(about.others), about.sender(source), any_payload(source), **more)


def either(about: Traffic, source: random.Random, **more: bytes) -> bytes:
    """A right request or a right answer."""
    return source.choice((request, answer))(about, source, **more)


def at_ip(offset: int, *values: bytes | int) -> Callable[[Traffic, random.Random], bytes]:
    """A kind: right, but for one of `values` (or that many bytes of chance) at an offset from the IPv4 header."""

    def make(about: Traffic, source: random.Random) -> bytes:
        value = source.choice(values)
        new = value if isinstance(value, bytes) else source.randbytes(value)
        return patched(either(about, source), SHORTEST + offset, new)

    return make


def cut(about: Traffic, source: random.Random) -> bytes:
    """A frame that ends too early."""
    data = either(about, source)
    return data[: source.randrange(SHORTEST, len(data))]


def short_payload(about: Traffic, source: random.Random) -> bytes:
    """A right datagram with fewer bytes than a message has."""
    payload = about.payload(source)
    return datagram(about.client, about.to, payload[: source.randrange(len(payload) + 1)])


def padded(about: Traffic, source: random.Random) -> bytes:
    """A frame with bytes behind the datagram."""
    return either(about, source) + source.randbytes(source.randrange(1, 30))


def near_length(offset: int, header: int) -> Callable[[Traffic, random.Random], bytes]:
    """A kind: a length field that is a few bytes too long or too short for what follows it."""

    def make(about: Traffic, source: random.Random) -> bytes:
        data = either(about, source)
        right = len(data) - SHORTEST - (IP_HEADER if header == UDP_HEADER else 0)
        wrong = max(0, right + source.choice((-9, -3, -2, -1, 1, 2, 3, 9)))
        return patched(data, SHORTEST + offset, struct.pack(">H", wrong))

    return make


def elsewhere(about: Traffic, source: random.Random) -> bytes:
    """A right datagram to another port or another address."""
    ip, port = about.to
    end = source.choice(((ip, port ^ 1), (ip ^ 1, port), (source.getrandbits(32), port), (ip, source.getrandbits(16))))
    return datagram(about.client, end, about.payload(source))


def optioned(about: Traffic, source: random.Random) -> bytes:
    """A right datagram behind IP options."""
    return either(about, source, options=source.choice((b"\1\1\1\0", bytes(8), b"\x94\x04\0\0")))


def tagged(about: Traffic, source: random.Random) -> bytes:
    """A right datagram behind one VLAN tag, or two."""
    one = TAG + source.randbytes(2)
    return either(about, source, tags=source.choice((one, one, one + one, SERVICE_TAG + b"\0\1" + one)))


def turned(about: Traffic, source: random.Random) -> bytes:
    """A checksum that comes to 0, or to 0xffff, once the other address is written: the corner of RFC 1624."""
    other = source.choice(about.others)
    old, new = source.choice(((about.to, other), (other, about.to)))
    words = struct.pack(">IHIH", old[0] ^ 0xFFFFFFFF, old[1] ^ 0xFFFF, *new)
    checksum = ones_sum(words) if source.random() < 0.5 else ones_sum(words) ^ 0xFFFF
    make = request if old == about.to else answer
    at = SHORTEST + (source.choice((10, 26)))
    return patched(make(about, source), at, struct.pack(">H", checksum))


def six(about: Traffic, source: random.Random) -> bytes:
    """The datagram over IPv6."""
    udp = request(about, source)[SHORTEST + IP_HEADER :]
    head = struct.pack(">IHBB", 0x60000000, len(udp), UDP, 64) + source.randbytes(32)
    return bytes(12) + b"\x86\xdd" + head + udp


def asking(about: Traffic, source: random.Random) -> bytes:
    """An ARP request for the service's address."""
    arp = b"\0\1\x08\0\6\4\0\1" + source.randbytes(6) + address(about.client) + bytes(6) + address(about.to)
    return b"\xff" * 6 + source.randbytes(6) + b"\x08\x06" + arp


def noise(_: Traffic, source: random.Random) -> bytes:
    """Bytes of chance, with a known type or without."""
    data = source.randbytes(source.randrange(SHORTEST, 120))
    return patched(data, 12, source.choice((b"\x08\x00", b"\x81\x00", b"\x86\xdd", data[12:14])))


def flipped(about: Traffic, source: random.Random) -> bytes:
    """One byte of a right frame is another."""
    data = either(about, source)
    return patched(data, source.randrange(len(data)), source.randbytes(1))


EDGES = (b"\0\0", b"\xff\xff", b"\0\1", b"\xff\xfe", 2)
KINDS: tuple[Callable[[Traffic, random.Random], bytes], ...] = (
    at_ip(0, b"\x44", b"\x46", b"\x4f", b"\x55", b"\x65", 1),  # version and header length
    near_length(2, IP_HEADER),
    at_ip(2, b"\0\0", b"\0\x1b", b"\0\x1c", b"\xff\xff", 2),  # total length
    near_length(24, UDP_HEADER),
    at_ip(24, b"\0\0", b"\0\7", b"\0\x08", b"\xff\xff", 2),  # UDP's length
    at_ip(26, *EDGES),  # UDP's checksum; 0 means none
    at_ip(10, *EDGES),  # the header's checksum
    turned,
    cut,
    short_payload,
    padded,
    elsewhere,
    at_ip(6, b"\x20\0", b"\x20\1", b"\0\1", b"\x1f\xff", b"\x80\0"),  # fragments: first, middle, last; the reserved bit
    at_ip(9, bytes([TCP]), b"\1", 1),  # the protocol
    optioned,
    tagged,
    tagged,
    six,
    asking,
    noise,
    lambda _, source: source.randbytes(SHORTEST),
    flipped,
)
