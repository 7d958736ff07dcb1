"""Requests to time a chain with: which op drops each is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from bertha_ir.cost_models.calibration import probes
from bertha_ir.interpreter.frame import Framing, ways
from bertha_ir.interpreter.packet import set_bits
from bertha_ir.interpreter.program import Machine
from bertha_ir.interpreter.traffic import Chance, constants
from bertha_ir.message import Fixed
from bertha_ir.passes.lowering.program import apart, frame_part, merge
from bertha_ir.passes.traffic import traffic_of

if TYPE_CHECKING:
    from bertha_ir.interpreter.packet import Endpoint
    from bertha_ir.message import Message
    from bertha_ir.plan import Hook, Plan
    from bertha_ir.program import DeviceProgram, Header
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph, Op

TRIED, SEED, NOW = 600, 7, 1_000_000_000_000
CLIENTS, FIRST_PORT, USUAL = 24, 1024, 0.5  # sockets of the client, which send this share of what is tried
ALIKE = 0.7  # share of fields that are those of a request that passes
NETWORK = {"ethernet", "vlan", "ipv4", "ipv6", "udp", "tcp"}
SPARE = 16  # bytes behind the headers


@frozen
class Side:
    """Ops in an order, and the graph that they are from."""

    specification: Specification
    graph: Graph
    ops: tuple[Op, ...]
    hook: Hook

    def whole(self, count: int | None = None) -> tuple[DeviceProgram, ...]:
        """Return one program of the first ops, or of all."""
        part = frame_part(self.specification, self.graph, self.ops[:count], self.ops)
        return (merge(self.graph.stack, "h1", self.hook, [part]),)

    def apart(self, count: int | None = None) -> tuple[DeviceProgram, ...]:
        """Return a program for each of the first ops, or of all."""
        return apart(self.specification, self.graph, self.ops, "h1", self.hook)[:count]

    def remembers(self, frame: bytes) -> int:
        """Return how many rows of state a frame leaves behind, when it is the first."""
        machine = Machine(self.whole()[0], lambda _: NOW)
        machine.run(frame)
        return sum(len(rows) for rows in machine.states.rows.values())

    def ends_at(self, frame: bytes) -> int:
        """Return how many ops a frame meets: those up to the one that drops it, else all."""
        row = [Machine(p, lambda _: NOW) for p in self.apart()]
        for count, machine in enumerate(row, 1):
            outcome = machine.run(frame)
            if outcome.verdict != "pass":
                return count
            frame = outcome.data
        return len(self.ops)


@define
class Trying:
    """Makes requests of one length, in the plainest frames that there are. Their fields are of the chain's numbers now
    and then, and mostly those of one that passes, once there is one.
    """

    side: Side
    plan: Plan
    chance: Chance = field(init=False)
    alone: list[DeviceProgram] = field(init=False)
    like: list[tuple[dict[int, int], Endpoint]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        side = self.side
        self.chance = Chance(SEED, constants(side.whole()))
        parts = (frame_part(side.specification, side.graph, (op,), side.ops) for op in side.ops)
        self.alone = [merge("alone", "h1", side.hook, [part]) for part in parts]

    def found(self) -> dict[int | None, list[bytes]]:
        """Return requests by the place of the one op that would drop them: the number of all when none would, None when
        several would, or it is none of the chain's.
        """
        specification, found = self.side.specification, dict[int | None, list[bytes]]()
        layouts = {m.name: m for m in specification.messages}
        transport = next(op.transport for op in self.side.graph.ops if op.transport is not None)
        framing = Framing(layouts, transport, min((w for w in ways(layouts, transport) if "ipv4" in w), key=len))
        inner = [h for h in self.side.whole()[0].headers if h.name not in {*NETWORK, *framing.way}]
        spots, least = _spots([layouts[h.name] for h in inner], inner)
        size = max(traffic_of(specification, self.plan.stack, "request").size, least + SPARE)
        address, port = self.plan.service or (None, 0)
        for _ in range(TRIED):
            values, sender = self._drawn(spots)
            payload = bytearray(size)
            for spot in spots:
                set_bits(payload, spot.at, spot.width, values[spot.at])
            frame = framing.build(sender, (address or probes.SERVICE, port), bytes(payload), {})
            by = self._dropped_by(frame)
            found.setdefault(by, []).append(frame)
            if by == len(self.alone):
                self.like.append((values, sender))
        return found

    def _drawn(self, spots: list[_Spot]) -> tuple[dict[int, int], Endpoint]:
        """Return values for the fields at some bits, and who sends them."""
        chance = self.chance
        values, sender = {s.at: chance.number(s.width) for s in spots}, chance.endpoint()
        if self.like and chance.some(ALIKE):
            old, before = chance.rng.choice(self.like)
            values |= {at: value for at, value in old.items() if chance.some(ALIKE)}
            sender = before if chance.some(ALIKE) else sender
        hosts = {d.name: d.get("address") for d in self.side.specification.site.devices}
        client = hosts.get(self.plan.hosts[0] or "")
        if isinstance(client, int) and chance.some(USUAL):
            sender = client, FIRST_PORT + chance.rng.randrange(CLIENTS)
        return values | {s.at: s.fixed for s in spots if s.fixed is not None}, sender

    def _dropped_by(self, frame: bytes) -> int | None:
        outcomes = [Machine(program, lambda _: NOW).run(frame) for program in self.alone]
        if any(o.block is None or o.verdict == "bounce" for o in outcomes):
            return None
        places = [at for at, o in enumerate(outcomes) if o.verdict == "drop"]
        return None if len(places) > 1 else places[0] if places else len(self.alone)


@frozen
class _Spot:
    """A field behind the network's headers: its first bit and its bits, and what it must hold."""

    at: int
    width: int
    fixed: int | None


def _spots(messages: list[Message], headers: list[Header]) -> tuple[list[_Spot], int]:
    """Return the fields of headers that lie one behind another, and the bytes of these."""
    found, start = [], 0
    for message, header in zip(messages, headers, strict=True):
        held = {f.name: f.rule.value for f in message.rules(Fixed) if isinstance(f.rule, Fixed)}
        for f in header.fields:
            value = held.get(f.name)
            number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
            found.append(_Spot(8 * start + header.bit_offset(f.name), f.width, number))
        start += header.size
    return found, start
