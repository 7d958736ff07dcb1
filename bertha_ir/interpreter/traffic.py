"""Makes messages to try programs with, the same ones for the same seed.

What is tried is made of the constants of bodies, conditions and tables, their neighbours, and of what was sent before,
so that conditions meet and keys hit entries; the rest is chance.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from attrs import Factory, define, field, frozen

from bertha_ir import expr as e
from bertha_ir.interpreter.packet import set_bits
from bertha_ir.message import Fixed
from bertha_ir.program import Entry, Table
from bertha_ir.types import Bits, bit_width
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bertha_ir.interpreter.frame import Framing
    from bertha_ir.interpreter.packet import Endpoint, Record
    from bertha_ir.interpreter.stack import View
    from bertha_ir.message import Message

KEPT = 64  # values that are remembered, to be sent again
LONGEST = 24  # bytes of a tail
PADDING = 18  # bytes: what the shortest message needs to fill a frame (IEEE 802.3, clause 4.2.3.3)
WORD = 128  # bits


@frozen
class Sending:
    """What an application sends, and how it lies on the wire: `given` fields of the network's headers, zeros behind
    the message, and whether a checksum that may be left out is there.
    """

    payload: bytes
    value: Record | None
    src: Endpoint
    dst: Endpoint
    framing: Framing | None
    given: Mapping[str, Record] = Factory(dict)
    padding: int = 0
    summed: bool = True


def constants(trees: tuple[object, ...]) -> tuple[int, ...]:
    """Return the numbers that occur in bodies and tables, and those beside them."""
    found = {0, 1}
    for node in walk(trees):
        match node:
            case e.Const(int() as value):
                found.add(int(value))
            case e.Const(bytes() as value):
                found.add(int.from_bytes(value, "big"))
            case e.Const((ip, port)):
                found |= {ip, port}
            case Entry(match, values):
                found |= {int(n) for n in (*match, *values) if isinstance(n, int)}
            case Table(_, "lpm", (key,)):
                found |= {start + (1 << key.width - length) - 1 for start, length in (x.match for x in node.entries)}
    return tuple(sorted({n + d for n in found for d in (-1, 0, 1)} - {-1}))


@define
class Chance:
    """The source of all that is tried. `pool`: numbers worth trying."""

    seed: int
    pool: tuple[int, ...]
    rng: random.Random = field(init=False)
    used: list[int] = field(factory=list, init=False)
    near: dict[int, tuple[int, ...]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311  (tests, not secrets)

    def number(self, width: int) -> int:
        """Return a number of so many bits."""
        draw, mask = self.rng.random(), (1 << width) - 1
        if draw < 0.5:  # noqa: PLR2004  (a share, as below)
            value = self.rng.choice(self._fitting(width)) & mask
            value ^= 1 << self.rng.randrange(width) if draw < 0.1 else 0  # noqa: PLR2004
        elif draw < 0.65 and self.used:  # noqa: PLR2004
            value = self.rng.choice(self.used) & mask
        else:
            value = self.rng.getrandbits(width)
        self.used = [*self.used[-KEPT:], value]
        return value

    def _fitting(self, width: int) -> tuple[int, ...]:
        """Return the numbers worth trying in so many bits: half of the time those that are not much shorter."""
        if width not in self.near:
            self.near[width] = tuple(n for n in self.pool if width // 2 < n.bit_length() <= width)
        return self.near[width] if self.near[width] and self.some(0.5) else self.pool

    def some(self, share: float) -> bool:
        """Return true in this share of the cases."""
        return self.rng.random() < share

    def endpoint(self) -> Endpoint:
        """Return an address and a port."""
        return self.number(32), self.number(16)

    def tail(self) -> bytes:
        """Return a few bytes."""
        return self.rng.randbytes(self.rng.randrange(LONGEST + 1))

    def record(self, message: Message) -> Record:
        """Return a decoded message."""
        made: Record = {}
        for f in message.fields:
            width = bit_width(f.type)
            if isinstance(f.rule, Fixed):
                made[f.name] = f.rule.value
            elif width is None:
                made[f.name] = self.tail()
            else:
                number = self._wide(width)
                made[f.name] = number if isinstance(f.type, Bits) else number.to_bytes(width // 8, "big")
        return made

    def _wide(self, width: int) -> int:
        return self.number(width) if width <= WORD else self.rng.getrandbits(width)

    def payload(self, views: tuple[View, ...]) -> bytes:
        """Return bytes on which headers lie where they are looked for; now and then too few of them."""
        size = max((v.offset + v.header.size for v in views), default=0)
        data = bytearray(self.rng.randbytes(size) + self.tail())
        for view in views:
            for f in view.header.fields:
                if self.some(0.8):
                    at = 8 * view.offset + view.header.bit_offset(f.name)
                    set_bits(data, at, f.width, self._wide(f.width))
            for name, value in view.fixed if self.some(0.9) else ():
                at = 8 * view.offset + view.header.bit_offset(name)
                number = value if isinstance(value, int) else int.from_bytes(value, "big")
                set_bits(data, at, view.header.field(name).width, number)
        return bytes(data[: self.rng.randrange(size)] if size and self.some(0.1) else data)

    def given(self, framing: Framing) -> dict[str, Record]:
        """Return values for the fields of the network that may hold anything."""
        made: dict[str, Record] = {}
        for header, name, width in framing.free():
            made.setdefault(header, {})[name] = self._wide(width)
        return made


def secrets_of(trees: tuple[object, ...], chance: Chance) -> dict[str, bytes]:
    """Return a key for each secret that bodies name."""
    sizes = {n.name: getattr(n.type, "size", None) or 32 for n in walk(trees) if isinstance(n, e.Secret)}
    return {name: chance.rng.randbytes(sizes[name]) for name in sorted(sizes)}


def strangers(frame: bytes, framing: Framing, ports: frozenset[int], chance: Chance) -> Iterator[bytes]:
    """Yield frames like one, which are no message of the stack: too short, fragments, or of another service."""
    yield frame[: chance.rng.randrange(len(frame))]
    (_, dst), fields = framing.ends(frame), framing.fields(frame)
    payload = frame[framing.size :]
    other = next(p for p in iter(lambda: chance.rng.getrandbits(16), -1) if p not in ports)
    away = (chance.rng.getrandbits(32), chance.rng.getrandbits(16))
    yield framing.build(away, (dst[0], other), payload, fields)
    demanded = [(name, f.name) for name in framing.way for f in framing.messages[name].rules(Fixed)]
    for name, field_ in chance.rng.sample(demanded, min(1, len(demanded))):
        old = fields[name][field_]
        if isinstance(old, int):
            broken = {**fields, name: {**fields[name], field_: old ^ 1}}
            yield framing.build(away, dst, payload, broken)
