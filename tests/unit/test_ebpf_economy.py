"""The eBPF backend asks, reads and compares as seldom as it can, and not more seldom."""

import re

from attrs import evolve
from samples import ETHERNET, IPV4, KV, PARSER, REQUEST, RESPONSE, UDP, VLAN, kv_ingress

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.base import Unit
from bertha_ir.backends.ebpf.bounds import Bounds
from bertha_ir.backends.ebpf.comparisons import comparisons
from bertha_ir.backends.ebpf.target import EbpfBackend
from bertha_ir.backends.printing import Place
from bertha_ir.backends.reach import Reach
from bertha_ir.program import Block, DeviceProgram, ParseState, Transition
from bertha_ir.types import BOOL, U8, U16, U64

TRUE = e.Const(value=True, type=BOOL)
OP = e.Field("KvRequest", "op", U8)
KEY = e.Field("KvRequest", "key", U64)


def program(*blocks: Block, parser: tuple[ParseState, ...] = PARSER) -> DeviceProgram:
    """Blocks behind a parser of the sharded store's headers."""
    headers = (ETHERNET, VLAN, IPV4, UDP, KV)
    return DeviceProgram("p", "h1", "frame", "ingress", headers, parser, (), (), blocks)


def checks(*needs: tuple[str, ...], parser: tuple[ParseState, ...] = PARSER) -> dict[str, int]:
    """The bytes asked for at each state, with a block for each set of headers."""
    made = program(*(Block(f"b{n}", headers, TRUE, ()) for n, headers in enumerate(needs)), parser=parser)
    return Bounds(made, Reach.of(made)).checks


def taken(body: s.Body) -> str:
    """The C function of a block that runs `body` on requests."""
    block = Block("b", ("KvRequest",), TRUE, body)
    text = EbpfBackend().emit(Unit(program(block)))["p.bpf.c"]
    return text[text.index("take_b(") : text.index('SEC("xdp")\nint')]


def test_all_that_is_needed_is_asked_for_at_once():
    """54 bytes in front of the message of 26, and 4 more where there is a tag."""
    assert checks(("KvRequest",)) == {"ethernet": 68, "vlan": 58, "ipv4": 0, "udp": 0, "KvRequest": 0}


def test_a_block_that_needs_less_is_asked_for_first():
    """A frame that ends behind UDP's header is the response's, so that a request is asked for where it begins."""
    wanted = {"ethernet": 42, "vlan": 32, "ipv4": 0, "udp": 0, "KvRequest": 26}
    assert checks(REQUEST.needs, RESPONSE.needs) == wanted
    assert checks(("ethernet",), ("KvRequest",)) == {"ethernet": 14, "vlan": 4, "ipv4": 20, "udp": 8, "KvRequest": 26}
    assert checks((), ("udp",)) == {"ethernet": 14, "vlan": 4, "ipv4": 20, "udp": 8, "KvRequest": 26}


def test_nothing_is_asked_for_behind_what_nobody_takes():
    """Without a block all is asked for at once; a transition without a condition hides those behind it."""
    assert checks()["ethernet"] == 68
    blind = (ParseState("ethernet", (Transition((), "ipv4"), Transition((("ethertype", 5),), "vlan"))),)
    parser = (*blind, ParseState("ipv4"), ParseState("vlan"))
    assert checks(("ipv4",), ("vlan",), parser=parser)["ethernet"] == 34


def test_ways_of_different_lengths_meet():
    """What is known on every way to a header is known there; the least counts."""
    parser = (
        ParseState("ethernet", (Transition((("ethertype", 1),), "ipv4"), Transition((("ethertype", 2),), "vlan"))),
        ParseState("vlan", (Transition((), "udp"),)),
        ParseState("ipv4", (Transition((), "udp"),)),
        ParseState("udp"),
    )
    assert checks(("udp",), parser=parser) == {"ethernet": 26, "vlan": 0, "ipv4": 28, "udp": 0}


def test_fields_that_share_bytes_are_compared_at_once():
    """Bits of one byte, or of a byte in a word; not neighbours, nor what no access reads, nor a field twice."""
    nibbles = [(Place(0, 1, 4, 4), 4), (Place(0, 1, 0, 4), 5)]
    assert comparisons("p", nibbles) == ["*(p + 0) == 69U"]
    assert comparisons("p", [(Place(6, 1, 5, 1), 1), (Place(6, 2, 0, 13), 2)]) == [
        "((__u32)bpf_ntohs(*(__be16 *)(p + 6)) & 0x3fff) == 8194U"
    ]
    assert comparisons("p", [(Place(0, 1, 0, 8), 1), (Place(1, 1, 0, 8), 2)]) == ["*(p + 0) == 1U", "*(p + 1) == 2U"]
    assert len(comparisons("p", [(Place(0, 2, 4, 12), 1), (Place(1, 2, 0, 12), 2)])) == 2
    assert len(comparisons("p", [(Place(0, 1, 0, 8), 1), (Place(0, 1, 0, 8), 2)])) == 2
    assert comparisons("p", [(Place(0, 6, 0, 48), 1)]) == [
        "((__u64)bpf_ntohl(*(__be32 *)(p + 0)) << 16 | (__u32)bpf_ntohs(*(__be16 *)(p + 4))) == 1ULL"
    ]


def test_bytes_of_a_field_are_read_from_the_frame():
    """Of a field, or of a copy of it: then the copy is not made. Not of other shifts, nor of bytes that it has not."""
    low, high = e.Cast(KEY, U8), e.Cast(e.Binary(">>", KEY, e.Const(56, U64)), U8)
    text = taken((s.Assign(OP, e.Binary("^", low, high)),))
    assert "(__u32)*(KvRequest + 25) ^ (__u32)*(KvRequest + 18)" in text
    copy = e.Local("copy", U64)
    second = e.Cast(e.Binary(">>", copy, e.Const(8, U64)), U8)
    text = taken((s.Let("copy", KEY), s.Assign(OP, second)))
    assert "= (__u32)*(KvRequest + 24);" in text
    assert not re.search(r"\bcopy\b", text)
    for by in (4, 12):
        odd = e.Cast(e.Binary(">>", copy, e.Const(by, U64)), U8)
        assert f"(copy >> {by}ULL)" in taken((s.Let("copy", KEY), s.Assign(OP, odd)))


def test_a_copy_is_read_once_a_field_changes():
    """Behind an assignment to any field, and in a loop that has one behind."""
    change = s.Assign(KEY, e.Const(7, U64))
    use = s.Assign(OP, e.Cast(e.Local("copy", U64), U8))
    assert "(__u8)copy" in taken((s.Let("copy", KEY), change, use))
    assert "(__u8)copy" in taken((s.Let("copy", KEY), s.Repeat(2, (use, change))))
    again = s.Assign(e.Local("copy", U64), e.Const(1, U64))
    assert "(__u8)copy" in taken((s.Let("copy", KEY), s.If(TRUE, (again,), ()), use))


def test_the_rest_of_a_frame_is_compared_whole():
    """The bytes from a header on are one variable; the frame's size and the header's offset are not computed."""
    text = EbpfBackend().emit(Unit(kv_ingress()))["kv_ingress.bpf.c"]
    assert "<= ipv4_rest)" in text
    assert "at_offset" not in text
    block = evolve(REQUEST, body=(s.Assign(e.Field("udp", "length", U16), _short(_rest())),), guard=TRUE)
    text = EbpfBackend().emit(Unit(program(block)))["p.bpf.c"]
    assert "(__u16)(__u32)ipv4_rest" in text


def _rest() -> e.Expr:
    return e.Binary("-", e.FrameSize(), e.HeaderOffset("ipv4"))


def _short(of: e.Expr) -> e.Expr:
    return e.Cast(of, U16)
