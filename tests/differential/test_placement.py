"""A placed program does to frames what the stack, as written, does to messages; and checksums stay right."""

import random
import struct

import pytest
from compiling import SITE, compiled
from frames import frame

from bertha_ir.interpreter.halves import until_the_wire
from bertha_ir.interpreter.program import Machine
from bertha_ir.interpreter.stack import StackMachine
from bertha_ir.program import DeviceProgram

CLIENT, SERVICE = (0x0A000009, 5555), (0x0A000001, 4242)
STACKS = {
    "shard by an integer": "shard(key = Query.wide, shards = [a, b, c]) |> udp(4242)",
    "shard by bytes": "shard(key = Query.name, shards = [a, b, c]) |> udp(4242)",
    "steer": "steer(by = Query.kind, ranges = [0..9 -> a, 200..255 -> b], otherwise = c) |> udp(4242)",
    "tag, odd offset": "tag(where = Query.odd, mark = 77) |> shard(key = Query.odd, shards = [a, b]) |> udp(4242)",
    "balance": "load_balance(by = Query.wide, backends = [a, b, c]) |> udp(4242)",
    "filter by source": "firewall(deny = [10.0.0.8/31]) |> shard(key = Query.id, shards = [a, b]) |> udp(4242)",
    "allow by source": "allow(sources = [10.0.0.8/31]) |> shard(key = Query.id, shards = [a, b]) |> udp(4242)",
    "below a header": "serialize(Query) |> shard(key = Query.wide, shards = [a, b, c]) |> number |> udp(4242)",
    "put in on the way": "serialize(Query) |> wrap(7) |> shard(key = Query.wide, shards = [a, b]) |> udp(4242)",
    "put in and taken out": "serialize(Query) |> number |> wrap(7) |> tag(Query.odd, 7) |> unwrap(7) |> udp(4242)",
    "in another order": "tag(Query.odd, 7) |> firewall(deny = [10.0.0.8/31]) |> udp(4242)",
    "behind a header": "serialize(Query) |> number |> shard(key = Query.wide, shards = [a, b, c]) |> udp(4242)",
}

POLICIES = {
    "put in and taken out": "policy { deny wrap on h1; deny unwrap on h1; deny tag on h1; }",
    "in another order": "policy { prefer tag on [kernel(h1)]; prefer firewall on [tor]; }",
}

NUMBER = """
message numbered { sequence: u24; }
chunnel number() {
  place: endpoint; needs both ends;
  state sent: u24;
  on send(m) { push numbered { sequence = sent }; sent += 1; }
  on recv(m) { pop numbered else drop; }
}
chunnel wrap(vni: u24) { place: path; on packet(m) { push vxlan { vni = vni }; } }
chunnel unwrap(vni: u24) { place: path; on packet(m) { pop vxlan else drop; if m.vxlan.vni != vni { drop; } } }
"""

ON_THE_WAY = (("c1", "egress"), ("tor", "pipeline"), ("h1", "ingress"))


@pytest.mark.parametrize("name", STACKS)
def test_a_placed_program_keeps_the_stacks_meaning(name):
    """For 300 random messages: same verdict, destination and payload, and checksums as if sent so from the start."""
    rng = random.Random(name)
    built = compiled(STACKS[name], more=NUMBER, site=SITE + POLICIES.get(name, ""))
    request = next(g for g in dict(built.snapshots)["after undo"] if g.direction == "request")
    way = [p.program for place in ON_THE_WAY for p in built.programs if p.active and is_at(p.program, place)]
    machines = [Machine(program) for program in way]
    messages = {m.name: m for m in built.specification.messages}
    packs = "serialize" in STACKS[name]
    sender, written = (StackMachine(until_the_wire(request, path=p), messages) for p in (False, True))
    for _ in range(300):
        record = {
            "id": rng.getrandbits(16), "kind": rng.getrandbits(8), "flags": 0, "name": rng.randbytes(4),
            "odd": rng.getrandbits(8), "word": rng.getrandbits(16), "wide": rng.getrandbits(64),
            "rest": rng.randbytes(rng.randrange(9)),
        }  # fmt: skip
        start = {"value": record} if packs else {"payload": packed(record)}
        (sent,) = sender.run(src=CLIENT, dst=SERVICE, **start)
        arrived = written.run(src=CLIENT, dst=SERVICE, **start)
        assert travel(machines, frame(CLIENT, SERVICE, sent.payload)) == [
            frame(a.src, a.dst, a.payload) for a in arrived
        ]


def is_at(program: DeviceProgram, place: tuple[str, str]) -> bool:
    return (program.device, program.hook) == place


def travel(machines: list[Machine], data: bytes) -> list[bytes]:
    """The frame behind the last of the machines on its way; none when one drops it."""
    for machine in machines:
        outcome = machine.run(data)
        if outcome.verdict == "drop":
            return []
        data = outcome.data
    return [data]


def packed(record: dict[str, int | bytes]) -> bytes:
    """A `Query` on the wire."""
    *fixed, rest = record.values()
    return struct.pack(">HBB4sBHQ", *fixed) + rest
