"""Headers that XDP programs put in front of a payload or take off: kernel, interpreter and frames made anew agree."""

import random

import pytest
from compiling import compiled
from loading import compared, loaded, needs_kernel
from packets import Traffic, datagram, patched

from bertha_ir import stmt as s
from bertha_ir.backends.ebpf import extent
from bertha_ir.backends.ebpf.source import Source
from bertha_ir.backends.ebpf.split import LONGEST
from bertha_ir.walk import walk

pytestmark = needs_kernel
COUNT = 600
CLIENT, SERVICE = (0x0A000009, 5555), (0x0A000001, 4242)
TAG = b"\x81\x00\x00\x05"
VXLAN = bytes.fromhex("0800000000000700")
INNER = bytes.fromhex("020000000001") + bytes.fromhex("020000000002") + b"\x88\xb5"
CHUNNELS = """
message mark { low: u4; high: u12; name: bytes[4]; }
message brief { x: u16; }
message roomy_header { a: u64; b: u64; c: u64; d: u64; e: u64; f: bytes[8]; g: mac; h: u16; i: u64; }
chunnel wrap(vni: u24) { place: path; on packet(m) { push vxlan { vni = vni }; } }
chunnel unwrap(vni: u24) {
  place: path;
  state wrong: map[u24 -> u64; 4096];
  on packet(m) { pop vxlan else drop; if m.vxlan.vni != vni { wrong[m.vxlan.vni] += 1; drop; } }
}
chunnel tunnel() {
  place: path;
  on packet(m) { push inner_ethernet { dst = 02:00:00:00:00:01, src = 02:00:00:00:00:02 }; push vxlan { vni = 7 }; }
}
chunnel outwards() { place: path; on packet(m) { pop vxlan else drop; pop inner_ethernet else drop; } }
chunnel some(by: field) {
  place: path;
  on packet(m) { if m.by & 1 == 0 { push mark { low = m.by as u4, high = 0xabc, name = "abcd" }; m.by = 77; bounce; } }
}
chunnel back() {
  place: path;
  on packet(m) { pop mark else { bounce; } push mark { low = m.mark.high as u4, high = 3 }; }
}
chunnel layered() {
  place: path;
  on packet(m) {
    push mark { low = 5, high = 0x123, name = "abcd" };
    push vxlan { vni = m.mark.high as u24 };
    push inner_ethernet { src = m.udp.length as mac, dst = (m.src.port as u48) + 1 };
    m.mark.low = 9;
    m.inner_ethernet.dst += m.mark.low as mac;
  }
}
chunnel shortly() { place: path; on packet(m) { push brief { x = 0xfff7 }; push vxlan { vni = 9 }; push brief { }; } }
chunnel unshortly() { place: path; on packet(m) { pop brief else drop; if m.brief.x != 0 { drop; } } }
chunnel roomy() {
  place: path;
  on packet(m) { push roomy_header { }; push roomy_header { b = 0xff, g = 02:00:00:00:00:01, h = 9 }; }
}
"""
STACKS = {
    "put in front": "wrap(7)",
    "taken off": "unwrap(7)",
    "put in front and taken off": "wrap(9) |> unwrap(9)",
    "two put in front": "tunnel",
    "two taken off": "outwards",
    "in one case only, and bounced": "some(by = Query.kind)",
    "of the network's fields, bounced": "some(by = ipv4.ttl)",
    "another in its place": "back",
    "before and behind": "count(by = Query.kind) |> wrap(7) |> tag(Query.odd, 9) |> count(by = Query.word)",
    "and sent elsewhere": "shard(key = Query.wide, shards = [a, b, c]) |> wrap(5) |> tag(where = ipv4.dscp, mark = 3)",
    "made of what others are and were": "layered",
    "of less than a word": "shortly |> unshortly |> shortly",
    "as much as there is room for": "roomy",
}


def payload(source):
    """VXLAN's header or another, with or without a Query behind it, or too little."""
    head = source.choice((VXLAN, VXLAN + INNER, VXLAN[:-2] + b"\x09\0", bytes(8), b""))
    data = head + source.randbytes(source.randrange(60))
    return data[: source.randrange(len(data) + 1)] if source.random() < 0.2 else data


def at_xdp(chain):
    """The server's program of a chain."""
    built = compiled(f"{chain} |> udp(4242)", more=CHUNNELS)
    return next(p.program for p in built.programs if p.program.device == "h1" and p.program.hook == "ingress")


@pytest.mark.parametrize("name", STACKS)
def test_headers_are_moved_as_in_the_interpreter(name, tmp_path):
    """600 frames, right and wrong, tagged or not, padded, with and without sums: same verdicts, bytes and state."""
    program = at_xdp(STACKS[name])
    assert any(isinstance(n, s.Push | s.Pop) for n in walk(program.blocks))
    about = Traffic(SERVICE, ((0x0A000001, 9001), (0x0A000002, 9002)), payload, CLIENT)
    seen = compared(program, about.frames(1, COUNT), tmp_path)
    assert seen[program.blocks[0].name, "pass"] + seen[program.blocks[0].name, "bounce"] > COUNT // 20
    assert seen[None, "pass"] > COUNT // 10


@pytest.mark.parametrize("name", STACKS)
def test_parts_move_headers_as_the_interpreter(name, tmp_path, monkeypatch):
    """The same, of programs that are cut wherever they may be, as if hardly anything fitted the verifier's limits."""
    monkeypatch.setattr(extent, "ROOM", 100)
    program = at_xdp(STACKS[name])
    (parts,) = Source(program).parts.values()
    assert len(parts) <= LONGEST
    assert len(parts) > 1 or len(program.blocks[0].body) == 1
    about = Traffic(SERVICE, ((0x0A000001, 9001), (0x0A000002, 9002)), payload, CLIENT)
    compared(program, about.frames(1, COUNT), tmp_path)


@pytest.mark.parametrize("tags", [b"", TAG])
@pytest.mark.parametrize("chain", ["wrap(7)", "unwrap(7)", "tunnel", "outwards"])
def test_frames_are_what_a_sender_would_have_sent(chain, tags, tmp_path):
    """200 right messages, of even and odd lengths: as if made with the header, or without it, from the start; a message
    without a sum has none.
    """
    head = VXLAN + (INNER if chain in {"tunnel", "outwards"} else b"")
    source = random.Random(2)
    checksum = 14 + len(tags) + 20 + 6
    with loaded(at_xdp(chain), tmp_path) as kernel:
        for _ in range(200):
            data = source.randbytes(source.randrange(100))
            inside, outside = (datagram(CLIENT, SERVICE, d, tags=tags) for d in (data, head + data))
            came, goes = (inside, outside) if chain in {"wrap(7)", "tunnel"} else (outside, inside)
            assert kernel.verdict(came) == ("pass", goes)
            unsummed = (patched(frame, checksum, b"\0\0") for frame in (came, goes))
            assert kernel.verdict(next(unsummed)) == ("pass", next(unsummed))


def test_a_frame_without_room_is_dropped(tmp_path):
    """A program runs again on what it left until the room in front is used up; then that frame is dropped."""
    with loaded(at_xdp("wrap(7)"), tmp_path) as kernel:
        frame = datagram(CLIENT, SERVICE, b"data")
        assert kernel.run(frame, 20)[0] == 2  # XDP_PASS
        assert kernel.run(frame, 40)[0] == 1  # XDP_DROP
        assert kernel.verdict(frame)[0] == "pass"
