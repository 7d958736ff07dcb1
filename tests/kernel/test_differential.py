"""What the kernel does with emitted programs is, verdict, bytes and state, what the interpreter does."""

import random
import struct

import pytest
from attrs import evolve
from compiling import compiled, examples
from loading import compared, loaded, needs_kernel
from packets import Traffic, patched
from samples import SERVICE_IP, SERVICE_PORT, SHARDS, filter_count_limit, kv_egress, kv_ingress
from switches import looked_up, remembered

from bertha_ir import api

pytestmark = needs_kernel
COUNT = 1000
H1 = 0x0A000001


def kv_request(source):
    """A request of the key-value store with something behind it."""
    return source.randbytes(26 + source.randrange(40))


def memcached_get(source):
    """memcached's UDP frame, `get ` and a key, mostly of letters."""
    first = source.choice((source.randrange(256), source.randrange(65, 91), source.randrange(97, 123)))
    return source.randbytes(2) + b"\0\0\0\1\0\0get " + bytes([first]) + source.randbytes(source.randrange(20)) + b"\r\n"


TRAFFIC = {
    "kv_shard": Traffic((H1, 4242), ((H1, 9001), (H1, 9002), (H1, 9003)), kv_request),
    "memcached_steer": Traffic((H1, 11211), ((H1, 11301), (H1, 11302), (H1, 11303)), memcached_get),
}
EXAMPLES = [
    (folder.name, placed.program)
    for folder in examples()
    for placed in api.build(sorted(folder.glob("*.chunnel"))).programs
    if placed.backend == "ebpf"
]


def test_every_example_is_here():
    """Each example has traffic here, and programs for the server's interface in both directions."""
    assert {(name, p.device, p.hook) for name, p in EXAMPLES} >= {
        (name, "h1", hook) for name in TRAFFIC for hook in ("ingress", "egress")
    }


@pytest.mark.parametrize(("example", "program"), EXAMPLES, ids=[f"{n}-{p.device}-{p.name}" for n, p in EXAMPLES])
def test_examples_are_the_interpreters(example, program, tmp_path):
    """1,000 packets, right and wrong, through each program of each compiled example; over 200 are rewritten."""
    seen = compared(program, TRAFFIC[example].frames(1, COUNT), tmp_path)
    (block,) = program.blocks
    assert seen[block.name, "changed"] > 200
    assert seen[None, "pass"] > 150


@pytest.mark.parametrize("make", [kv_ingress, kv_egress])
def test_hand_written_store_is_the_interpreters(make, tmp_path):
    """The samples' requests and answers."""
    program = make()
    seen = compared(program, Traffic((SERVICE_IP, SERVICE_PORT), SHARDS, kv_request).frames(2, COUNT), tmp_path)
    assert seen[program.blocks[0].name, "changed"] > 200
    assert seen[None, "pass"] > 150


@pytest.mark.parametrize("hook", ["ingress", "egress"])
def test_filters_and_counters_are_the_interpreters(hook, tmp_path):
    """Prefixes, ranges, a map by source and a cell: 1,000 packets from 14 sources, some refused."""
    clients = (*((0x0A000100 + i, 7) for i in range(12)), (0x0A090901, 1), (0xC0A80505, 2))
    about = Traffic((SERVICE_IP, SERVICE_PORT), SHARDS, kv_request, clients=clients)
    source = random.Random(3)
    frames = [patched(f, 15, source.randbytes(1)) for f in about.frames(3, COUNT)]
    seen = compared(evolve(filter_count_limit(), hook=hook), frames, tmp_path)
    assert seen["guard", "drop"] > 100
    assert seen["guard", "pass"] > 100


@pytest.mark.parametrize("hook", ["ingress", "egress"])
def test_tables_of_every_kind_are_the_interpreters(hook, tmp_path):
    """Longest prefixes, ranges, exact pairs and arrays, hit and missed, a second time under a condition."""
    source = random.Random(5)
    addresses = (0, 1, 0x0A000001, 0x0A010203, 0x0A010204, 0x0AFFFFFF, 0x0A000000, 0xC0A80001, 0xFFFFFFFF)
    frames = []
    for _ in range(COUNT):
        known = source.choice((*addresses, source.getrandbits(32)))
        small = source.choice((0, 6, 7, 99, 100, 198, 199, 200, 255, source.randrange(256)))
        probe = struct.pack("!IBI", known, small, source.getrandbits(32)) + source.randbytes(16)
        frames.append(bytes(12) + b"\x88\xb5" + probe)
    seen = compared(evolve(looked_up(), hook=hook), frames, tmp_path)
    assert seen["probe", "changed"] == COUNT


@pytest.mark.parametrize("hook", ["ingress", "egress"])
def test_maps_are_the_interpreters(hook, tmp_path):
    """Set, add, delete, look up and ask, under a key of two parts and in a cell; drops and bounces."""
    source = random.Random(4)
    frames = []
    for _ in range(COUNT):
        verb = source.choice((0, 1, 1, 2, 3, 4, 4, 200))
        command = bytes([verb, source.choice((0, 31, 32, 33, 255))]) + source.randbytes(8 + source.randrange(9))
        frames.append(source.randbytes(12) + b"\x88\xb5" + command)
    seen = compared(evolve(remembered(), hook=hook), frames, tmp_path)
    assert min(seen["command", verdict] for verdict in ("pass", "drop", "bounce")) > 50


QUERY = Traffic(
    (H1, 4242),
    ((H1, 9001), (0x0A000002, 9002), (H1, 9003)),
    lambda source: source.randbytes(19 + source.randrange(20)),
    clients=((0x0A000009, 5555), (0x0A000008, 6), (0xC0A80101, 7)),
)
STACKS = {
    "shard": "shard(key = Query.name, shards = [a, b, c]) |> udp(4242)",
    "steer": "steer(by = Query.kind, ranges = [0..9 -> a, 200..255 -> b], otherwise = c) |> udp(4242)",
    "steer by a word": "steer(by = Query.wide, ranges = [0..0x7fffffffffffffff -> a], otherwise = b) |> udp(4242)",
    "balance": "load_balance(by = Query.wide, backends = [a, b, c]) |> udp(4242)",
    "firewall": "firewall(deny = [192.168.0.0/16]) |> shard(key = Query.id, shards = [a, b]) |> udp(4242)",
    "allow": "allow(sources = [10.0.0.0/24]) |> shard(key = Query.id, shards = [a, b]) |> udp(4242)",
    "count": "count(by = Query.kind) |> shard(key = Query.id, shards = [a, c]) |> udp(4242)",
    "count twice": "count(by = Query.wide) |> count(by = ipv4.src) |> tag(where = Query.odd, mark = 7) |> udp(4242)",
    "tag": "tag(where = Query.odd, mark = 77) |> tag(where = ipv4.dscp, mark = 46) |> udp(4242)",
    "rewrite": "rewrite(old = 10.0.0.1:4242, new = b) |> udp(4242)",
}


@pytest.mark.parametrize("name", STACKS)
def test_library_chunnels_are_the_interpreters(name, tmp_path):
    """Each chunnel of the library that a kernel can run, compiled from text, at XDP on the server."""
    programs = [p.program for p in compiled(STACKS[name]).programs if p.backend == "ebpf" and p.program.device == "h1"]
    assert "ingress" in [p.hook for p in programs]
    changed = 0
    for number, program in enumerate(programs):
        folder = tmp_path / str(number)
        folder.mkdir()
        seen = compared(program, QUERY.frames(number, COUNT), folder)
        assert sum(count for (block, what), count in seen.items() if block and what in {"pass", "drop"}) > 200
        changed += seen[program.blocks[0].name, "changed"]
    assert changed > 100


def test_a_fault_drops_its_share(tmp_path):
    """The kernel's own chance: of 2,000 messages half are lost, give or take six standard deviations."""
    built = compiled("fault(500) |> udp(4242)")
    program = next(p.program for p in built.programs if p.program.hook == "ingress" and p.program.device == "h1")
    frames = [f for f in QUERY.frames(9, 200) if f[12:14] == b"\x08\x00"]
    good = patched(next(f for f in frames if f[30:34] == b"\x0a\0\0\1" and len(f) > 80), 40, b"\0\0")
    with loaded(program, tmp_path) as kernel:
        lost = [kernel.verdict(good)[0] for _ in range(2000)].count("drop")
    assert abs(lost - 1000) < 6 * 2000**0.5 / 2


def test_a_limit_is_kept_by_the_clock(tmp_path):
    """One message a second and three at once: of 50 within a moment three pass; the bucket is remembered by its key."""
    built = compiled("limit(rate = 1, burst = 3, by = Query.kind) |> udp(4242)")
    program = next(p.program for p in built.programs if p.program.hook == "ingress" and p.program.device == "h1")
    frames = [f for f in QUERY.frames(9, 200) if f[12:14] == b"\x08\x00"]
    good = patched(next(f for f in frames if f[30:34] == b"\x0a\0\0\1" and len(f) > 80), 40, b"\0\0")
    with loaded(program, tmp_path) as kernel:
        first = [kernel.verdict(patched(good, 44, b"\1"))[0] for _ in range(50)]
        assert first == ["pass"] * 3 + ["drop"] * 47
        assert kernel.verdict(patched(good, 44, b"\2"))[0] == "pass"
        (bucket,) = kernel.maps.values()
        assert {key for key, _ in bucket.items()} == {(1,), (2,)}
