"""What the kernel asks for, reads and compares at once is what the interpreter does one after another."""

from random import Random

import pytest
from frames import frame
from loading import compared, needs_kernel
from samples import ETHERNET, IPV4, KV, PARSER, UDP, VLAN, kv_egress, kv_ingress, kv_pipeline

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.program import Block, DeviceProgram
from bertha_ir.types import BOOL, U8, U16, U64

pytestmark = needs_kernel
TRUE = e.Const(value=True, type=BOOL)
KEY, OP, COPY = e.Field("KvRequest", "key", U64), e.Field("KvRequest", "op", U8), e.Local("copy", U64)


def cut(chance: Random) -> list[bytes]:
    """Requests, with a tag and without, and their beginnings, of every length that a test run takes."""
    whole = frame((0x0A000009, 1000), (0x0A000001, 4242), chance.randbytes(30))
    tagged = whole[:12] + b"\x81\x00\x00\x05" + whole[12:]
    return [data[:size] for data in (whole, tagged) for size in range(14, len(data) + 1)]


def flipped(chance: Random) -> list[bytes]:
    """Requests with each bit of what the parser compares the other way."""
    whole = frame((0x0A000009, 1000), (0x0A000001, 4242), chance.randbytes(26))
    bits = [(at, bit) for at in (12, 13, 14, 20, 21, 23, 36, 37) for bit in range(8)]
    return [whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :] for at, bit in bits]


@pytest.mark.parametrize(
    "needs",
    [
        [("KvRequest",)],
        [("ethernet", "ipv4", "udp", "KvRequest"), ("udp",)],
        [("KvRequest",), ("ipv4",)],
        [("KvRequest",), ("ethernet",)],
        [("KvRequest",), ()],
    ],
)
def test_frames_that_end_early(needs, tmp_path):
    """Each block drops what it takes, whatever others ask for; those whose parser stops early, too."""
    blocks = tuple(Block(f"b{n}", headers, TRUE, (s.Drop(),)) for n, headers in enumerate(needs))
    program = DeviceProgram("p", "h1", "frame", "ingress", (ETHERNET, VLAN, IPV4, UDP, KV), PARSER, (), (), blocks)
    seen = compared(program, (*cut(Random(1)), *flipped(Random(1))), tmp_path)
    assert all(seen[block.name, "drop"] for block in blocks)
    assert seen[None, "pass"] or () in needs or ("ethernet",) in needs


@pytest.mark.parametrize("make", [kv_ingress, kv_egress, kv_pipeline])
def test_the_store_takes_what_it_took(make, tmp_path):
    """Cut and flipped requests and replies."""
    frames = (*cut(Random(2)), *flipped(Random(2)))
    assert compared(make(), frames, tmp_path)


def test_bytes_of_copies(tmp_path):
    """A copy's bytes are the field's as it was, before and behind a change, in a loop too."""
    byte = e.Cast(e.Binary(">>", COPY, e.Const(16, U64)), U8)
    add = s.Assign(OP, e.Binary("+", OP, byte))
    change = s.Assign(KEY, e.Binary("*", KEY, e.Const(0x10001, U64)))
    again = s.Assign(COPY, e.Binary("+", COPY, e.Const(0x30000, U64)))
    odd = s.If(e.Binary("==", e.Binary("&", OP, e.Const(1, U8)), e.Const(1, U8)), (again,), ())
    port = s.Assign(e.Field("udp", "src_port", U16), e.Cast(e.Cast(KEY, U8), U16))
    body = (s.Let("copy", KEY), add, s.Repeat(3, (add, change)), port, odd, add)
    block = Block("b", ("udp", "KvRequest"), TRUE, body)
    program = DeviceProgram("p", "h1", "frame", "ingress", (ETHERNET, VLAN, IPV4, UDP, KV), PARSER, (), (), (block,))
    chance = Random(3)
    frames = [frame((1, 2), (0x0A000001, 4242), chance.randbytes(26)) for _ in range(200)]
    assert compared(program, frames, tmp_path)["b", "changed"] == 200
