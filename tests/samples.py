"""A device program written by hand: the sharded key-value store of Bertha's paper, as lowering makes it."""

from bertha_ir.expr import Binary, Cast, Const, Expr, Field, FrameSize, HeaderOffset, Local
from bertha_ir.primitives import expand_fnv1a
from bertha_ir.program import (
    Block,
    DeviceProgram,
    Entry,
    Header,
    HeaderField,
    ParseState,
    State,
    Table,
    Transition,
)
from bertha_ir.stmt import Assign, Drop, FixChecksum, If, Let, Lookup, Store
from bertha_ir.types import BOOL, U8, U16, U32, U64, Bits


def header(name: str, *fields: tuple[str, int]) -> Header:
    return Header(name, tuple(HeaderField(n, Bits(w)) for n, w in fields))


ETHERNET = header("ethernet", ("dst", 48), ("src", 48), ("ethertype", 16))
VLAN = header("vlan", ("priority", 3), ("drop_eligible", 1), ("id", 12), ("ethertype", 16))
IPV4 = header(
    "ipv4", ("version", 4), ("ihl", 4), ("dscp", 6), ("ecn", 2), ("total_length", 16), ("identification", 16),
    ("reserved", 1), ("dont_fragment", 1), ("more_fragments", 1), ("fragment_offset", 13),
    ("ttl", 8), ("protocol", 8), ("checksum", 16), ("src", 32), ("dst", 32),
)  # fmt: skip
UDP = header("udp", ("src_port", 16), ("dst_port", 16), ("length", 16), ("checksum", 16))
KV = header("KvRequest", ("request", 64), ("client", 64), ("op", 8), ("flags", 8), ("key", 64))

SERVICE_IP, SERVICE_PORT = 0x0A000001, 4242
SHARDS = ((0x0A000001, 9001), (0x0A000001, 9002), (0x0A000002, 9003))
IPV4_FIXED = (("version", 4), ("ihl", 5), ("more_fragments", 0), ("fragment_offset", 0), ("protocol", 17))
PARSER = (
    ParseState(
        "ethernet", (Transition((("ethertype", 0x0800),), "ipv4"), Transition((("ethertype", 0x8100),), "vlan"))
    ),
    ParseState("vlan", (Transition((("ethertype", 0x0800),), "ipv4"),)),
    ParseState("ipv4", (Transition(IPV4_FIXED, "udp"),)),
    ParseState("udp", (Transition((("dst_port", SERVICE_PORT),), "KvRequest"),)),
    ParseState("KvRequest"),
)


def ipv4(name: str, width: int = 32) -> Field:
    return Field("ipv4", name, Bits(width))


def udp(name: str) -> Field:
    return Field("udp", name, U16)


def all_of(*conditions: Expr) -> Expr:
    result, *rest = conditions
    for condition in rest:
        result = Binary("and", result, condition)
    return result


def lengths_hold(needed: int) -> Expr:
    """The IPv4 datagram lies in the frame, UDP's in IPv4's, and `needed` bytes behind the UDP header in UDP's."""
    total = Cast(ipv4("total_length", 16), U32)
    return all_of(
        Binary("<=", total, Binary("-", FrameSize(), HeaderOffset("ipv4"))),
        Binary(">=", total, Const(28, U32)),
        Binary("<=", Cast(udp("length"), U32), Binary("-", total, Const(20, U32))),
        Binary(">=", udp("length"), Const(8 + needed, U16)),
    )


def rewrite(which: str, ip: Expr, port: Expr) -> tuple[Assign | FixChecksum, ...]:
    """Change an address and keep both checksums right."""
    address, number = ipv4(which), udp(f"{which}_port")
    return (
        FixChecksum(ipv4("checksum", 16), address, ip, optional=False),
        FixChecksum(udp("checksum"), address, ip, optional=True),
        Assign(address, ip),
        FixChecksum(udp("checksum"), number, port, optional=True),
        Assign(number, port),
    )


SHARD_TABLE = Table(
    "shard_shards", "array", (U32,), (U32, U16), 64, tuple(Entry((i,), s) for i, s in enumerate(SHARDS))
)
REQUEST = Block(
    "kv_request",
    ("ethernet", "ipv4", "udp", "KvRequest"),
    all_of(Binary("==", ipv4("dst"), Const(SERVICE_IP, U32)), lengths_hold(26)),
    (
        Let("index", Cast(Binary("%", expand_fnv1a(Field("KvRequest", "key", U64)), Const(3, U64)), U32)),
        Lookup("shard_shards", (Local("index", U32),), None, (Local("to_ip", U32), Local("to_port", U16))),
        *rewrite("dst", Local("to_ip", U32), Local("to_port", U16)),
    ),
    ("shard.packet",),
)
SOURCES = Table("shard_back", "exact", (U32, U16), (), 64, tuple(Entry(s) for s in SHARDS))
RESPONSE = Block(
    "kv_response",
    ("ethernet", "ipv4", "udp"),
    lengths_hold(0),
    (
        Lookup("shard_back", (ipv4("src"), udp("src_port")), "known", ()),
        If(Local("known", BOOL), rewrite("src", Const(SERVICE_IP, U32), Const(SERVICE_PORT, U16))),
    ),
    ("shard.undo",),
)
HEADERS = (ETHERNET, VLAN, IPV4, UDP, KV)


def kv_ingress() -> DeviceProgram:
    """Requests, as XDP on the server's interface runs them."""
    return DeviceProgram("kv_ingress", "h1", "frame", "ingress", HEADERS, PARSER, (SHARD_TABLE,), (), (REQUEST,))


def kv_egress() -> DeviceProgram:
    """Responses, as TC egress on the server's interface runs them."""
    parser = (*PARSER[:3], ParseState("udp"))
    return DeviceProgram("kv_egress", "h1", "frame", "egress", HEADERS[:4], parser, (SOURCES,), (), (RESPONSE,))


def kv_pipeline() -> DeviceProgram:
    """Both directions, as a switch runs them."""
    blocks = (REQUEST, RESPONSE)
    return DeviceProgram("kv_tor", "tor", "frame", "pipeline", HEADERS, PARSER, (SHARD_TABLE, SOURCES), (), blocks)


def kv_process() -> DeviceProgram:
    """Requests, as a userspace process runs them on datagrams."""
    key = expand_fnv1a(Field("KvRequest", "key", U64))
    body = (
        Let("index", Cast(Binary("%", key, Const(3, U64)), U32)),
        Lookup("shard_shards", (Local("index", U32),), None, (Local("to_ip", U32), Local("to_port", U16))),
        Assign(Field("address", "dst_ip", U32), Local("to_ip", U32)),
        Assign(Field("address", "dst_port", U16), Local("to_port", U16)),
    )
    block = Block("kv_request", ("KvRequest",), Const(value=True, type=BOOL), body, ("shard.packet",))
    return DeviceProgram(
        "kv_request", "h1", "datagram", "process", (KV,), (ParseState("KvRequest"),), (SHARD_TABLE,), (), (block,)
    )


def filter_count_limit() -> DeviceProgram:
    """Deny prefixes, count by source, and let each source send 10 packets: tables of every kind, maps, drops."""
    deny = Table("deny", "lpm", (U32,), (), 1024, (Entry((0xC0A80000, 16)), Entry((0x0A090900, 24))))
    classes = Table(
        "classes", "range", (U8,), (U32,), 64, (Entry((0, 31), (1,)), Entry((32, 47), (2,)), Entry((60, 63), (3,)))
    )
    hits = State("hits", (U32,), (U64,), 65536)
    total = State("total", (), (U64,))
    dscp = Cast(ipv4("dscp", 6), U8)
    body = (
        Lookup("deny", (ipv4("src"),), "denied", ()),
        If(Local("denied", BOOL), (Drop(),)),
        Lookup("classes", (dscp,), "classed", (Local("class", U32),)),
        Store("total", (), "add", (Const(1, U64),)),
        Store("hits", (ipv4("src"),), "add", (Cast(Local("class", U32), U64),)),
        Lookup("hits", (ipv4("src"),), "seen", (Local("n", U64),)),
        If(Binary(">", Local("n", U64), Const(10, U64)), (Drop(),)),
    )
    block = Block("guard", ("ethernet", "ipv4", "udp"), lengths_hold(0), body, ("firewall", "count", "limit"))
    parser = (*PARSER[:3], ParseState("udp"))
    return DeviceProgram(
        "guard", "h1", "frame", "ingress", HEADERS[:4], parser, (deny, classes), (hits, total), (block,)
    )


__all__ = ["filter_count_limit", "kv_egress", "kv_ingress", "kv_pipeline", "kv_process"]
