"""Small device programs, each of which does much of one kind of work: where they differ, their times do.

No chunnel of the library is among them: those are what a calibrated profile is tried on.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.message import Message, MessageField
from bertha_ir.program import Block, DeviceProgram, Entry, Header, HeaderField, ParseState, State, Table, Transition
from bertha_ir.types import BOOL, BYTES, U8, U16, U32, U64, Bits, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.program import Root

SOURCE, SERVICE, PORT = 0x0A000009, 0x0A000001, 4242
UDP_HEADER, IP_HEADER = 8, 20


def _header(name: str, *fields: tuple[str, int]) -> Header:
    return Header(name, tuple(HeaderField(n, Bits(w)) for n, w in fields))


ETHERNET = _header("ethernet", ("dst", 48), ("src", 48), ("ethertype", 16))
IPV4 = _header(
    "ipv4", ("version", 4), ("ihl", 4), ("dscp", 6), ("ecn", 2), ("total_length", 16), ("identification", 16),
    ("fragment", 16), ("ttl", 8), ("protocol", 8), ("checksum", 16), ("src", 32), ("dst", 32),
)  # fmt: skip
UDP = _header("udp", ("src_port", 16), ("dst_port", 16), ("length", 16), ("checksum", 16))
WORDS = 8
PROBE = _header(
    "probe", *((f"a{i}", 64) for i in range(WORDS)), *((f"b{i}", 32) for i in range(WORDS)),
    *((f"c{i}", 16) for i in range(WORDS)), *((f"d{i}", 8) for i in range(WORDS)),
)  # fmt: skip
HEADERS = (ETHERNET, IPV4, UDP, PROBE)
PARSER = (
    ParseState("ethernet", (Transition((("ethertype", 0x0800),), "ipv4"),)),
    ParseState("ipv4", (Transition((("version", 4), ("ihl", 5), ("protocol", 17)), "udp"),)),
    ParseState("udp", (Transition((("dst_port", PORT),), "probe"),)),
    ParseState("probe"),
)
KEY = SOURCE
MODES: tuple[Literal["set", "add"], ...] = ("set", "add")
STEPS = (("+", 0x1B3), (">>", 3), ("&", 0xFFFFFF), ("|", 0x10))
TRUE = e.Const(value=True, type=BOOL)


def word(name: str) -> e.Field:
    """Return a field of the probe's header."""
    return e.Field("probe", name, PROBE.field(name).type)


OUT = word("a7")  # changes from one run to the next; nothing else reads it


@frozen
class Probe:
    """A program that is timed. `name` says what it does most of."""

    name: str
    program: DeviceProgram


@frozen
class Made:
    """What a probe consists of besides its parser."""

    name: str
    body: s.Body
    tables: tuple[Table, ...] = ()
    states: tuple[State, ...] = ()


def on_frames(hook: str) -> Iterator[Probe]:
    """Yield the probes of a hook that sees frames: `ingress` (XDP) or `egress` (TC)."""
    yield Probe("empty", _frame("empty", hook, 1, ()))
    yield Probe("one header", _frame("one", hook, 1, (Block("one", ("ethernet",), TRUE, (_turn(),)),)))
    for parsed in (3, 4):
        needs = tuple(h.name for h in HEADERS[:parsed])
        field = e.Field("udp", "src_port", U16) if parsed == 3 else word("c0")  # noqa: PLR2004
        block = Block("deep", needs, TRUE, (s.Assign(field, e.Const(5000, U16)),))
        yield Probe(f"{parsed} headers", _frame("deep", hook, parsed, (block,)))
    for made in (*_everywhere(), *_checksums(), *_call("now", U64), *_call("random", U32)):
        yield Probe(made.name, _program(made, "frame", hook))


def on_datagrams() -> Iterator[Probe]:
    """Yield the probes of a process, which sees what a datagram carries."""
    block = Block("none", ("address",), TRUE, ())
    yield Probe("empty", DeviceProgram("probe", "here", "datagram", "process", (), (), (), (), (block,)))
    for made in (*_everywhere(), *_call("now", U64), *_call("random", U32)):
        yield Probe(made.name, _program(made, "datagram", "process"))


def _frame(name: str, hook: str, parsed: int, blocks: tuple[Block, ...]) -> DeviceProgram:
    last = ParseState(HEADERS[parsed - 1].name)
    parser = (*PARSER[: parsed - 1], last)
    return DeviceProgram(name, "here", "frame", hook, HEADERS[:parsed], parser, (), (), blocks)  # type: ignore[arg-type]


def _turn() -> s.Assign:
    return s.Assign(e.Field("ethernet", "src", Bits(48)), e.Const(1, Bits(48)))


def _program(made: Made, root: Root, hook: str) -> DeviceProgram:
    frames = root == "frame"
    needs = tuple(h.name for h in (HEADERS if frames else HEADERS[3:]))
    block = Block("probe", needs, _guard() if frames else TRUE, made.body)
    headers, parser = (HEADERS, PARSER) if frames else (HEADERS[3:], PARSER[3:])
    return DeviceProgram(
        "probe", "here", root, hook, headers, parser, made.tables, made.states, (block,)  # type: ignore[arg-type]
    )  # fmt: skip


def _guard() -> e.Expr:
    """Return what lowering asks of a frame, too: that it is for the service, and that its lengths hold."""
    total, length = e.Field("ipv4", "total_length", U16), e.Field("udp", "length", U16)
    wide = e.Cast(total, U32)
    least = UDP_HEADER + PROBE.size
    conditions = (
        e.Binary("==", e.Field("ipv4", "dst", U32), e.Const(SERVICE, U32)),
        e.Binary("==", e.Field("udp", "dst_port", U16), e.Const(PORT, U16)),
        e.Binary("<=", wide, e.Binary("-", e.FrameSize(), e.HeaderOffset("ipv4"))),
        e.Binary(">=", wide, e.Const(IP_HEADER + UDP_HEADER, U32)),
        e.Binary("<=", e.Cast(length, U32), e.Binary("-", wide, e.Const(IP_HEADER, U32))),
        e.Binary(">=", length, e.Const(least, U16)),
    )
    result: e.Expr = conditions[0]
    for condition in conditions[1:]:
        result = e.Binary("and", result, condition)
    return result


def _chain(name: str, operations: tuple[tuple[str, int], ...], count: int) -> Made:
    """Return `count` operations, in turn, each on the result of the one before and a field, so that none can be left
    out.
    """
    value: e.Expr = word("a0")
    body: list[s.Stmt] = []
    for i in range(count):
        value = e.Binary("^", value, word(f"a{1 + i % 4}"))
        op, by = operations[i % len(operations)]
        value = e.Binary(op, value, e.Const(by, U64))
        body.append(s.Let(f"v{i}", value))
        value = e.Local(f"v{i}", U64)
    return Made(f"{count} {name}", (*body, s.Assign(OUT, value)))


def _everywhere() -> Iterator[Made]:
    """Yield what runs at every hook."""
    yield Made("a store", (s.Assign(OUT, e.Const(1, U64)),))
    yield Made("a store of 16 bits", (s.Assign(word("c7"), e.Const(1, U16)),))
    yield Made("a store of 8 bits", (s.Assign(word("d7"), e.Const(1, U8)),))
    yield from (_chain("steps", STEPS, n) for n in (4, 16, 64))
    yield from (_chain("multiplications", (("*", 0x100000001B3),), n) for n in (8, 32))
    yield from (_chain("divisions", (("%", 1000003),), n) for n in (2, 8))
    yield from (_moves(n) for n in (4, 16))
    yield from (_branches(n) for n in (4, 16))
    yield from (_reads(n) for n in (8, 24))
    yield from (_writes(n) for n in (8, 24))
    yield from _tables()
    yield from _states()


def _moves(count: int) -> Made:
    taken = e.Local("v", U64)
    moved = (s.Assign(taken, e.Local("w", U64)), s.Assign(e.Local("w", U64), taken)) * (count // 2)
    return Made(f"{count} moves", (s.Let("v", word("a0")), s.Let("w", word("a1")), *moved, s.Assign(OUT, taken)))


def _branches(count: int) -> Made:
    seen = tuple(
        s.If(e.Binary("==", word(f"b{i % WORDS}"), e.Const(i, U32)), (s.Drop(),)) for i in range(100, 100 + count)
    )  # fmt: skip
    return Made(f"{count} branches", seen)


def _reads(count: int) -> Made:
    names = [f"{kind}{i}" for kind in "bcd" for i in range(WORDS)][:count]
    value: e.Expr = word("a0")
    body: list[s.Stmt] = []
    for i, name in enumerate(names):
        value = e.Binary("^", value, e.Cast(word(name), U64))
        body.append(s.Let(f"v{i}", value))
        value = e.Local(f"v{i}", U64)
    return Made(f"{count} reads", (*body, s.Assign(OUT, value)))


def _writes(count: int) -> Made:
    names = [f"{kind}{i}" for kind in "bcd" for i in range(WORDS)][:count]
    narrow = {"b": U32, "c": U16, "d": U8}
    written = tuple(s.Assign(word(n), e.Cast(e.Local("v", U64), narrow[n[0]])) for n in names)
    return Made(f"{count} writes", (s.Let("v", word("a0")), *written))


def _found(table: str, key: e.Expr, count: int) -> s.Body:
    """Look a key up `count` times, each key made from the last value found, and write what comes out."""
    body: list[s.Stmt] = []
    value: e.Expr = e.Const(0, U32)
    for i in range(count):
        mixed = e.Binary("^", key, value) if i else key
        body += [
            s.Let(f"k{i}", mixed),
            s.Lookup(table, (e.Local(f"k{i}", U32),), f"h{i}", (e.Local(f"v{i}", U32),)),
        ]
        value = e.Local(f"v{i}", U32)
    return (*body, s.Assign(OUT, e.Cast(value, U64)))


def _rows(kind: str, count: int, size: int) -> Table:
    """Return a table of `count` rows that give 0; what is looked up, KEY, is in the last of those in order."""
    rows: list[tuple[int, ...]]
    match kind:
        case "array":
            rows = [(i,) for i in range(count)]
        case "exact":
            rows = [(KEY - i,) for i in range(count)]
        case "range":
            rows = [(KEY - 2 * i, KEY - 2 * i) for i in range(count)]
        case _:
            first = (KEY >> 16) - count // 8
            rows = [((first + i) << 16, 16) for i in range(count)]
    return Table(kind, kind, (U32,), (U32,), size, tuple(Entry(r, (0,)) for r in rows))  # type: ignore[arg-type]


def _tables() -> Iterator[Made]:
    index = e.Binary("&", word("b6"), e.Const(7, U32))
    for count in (1, 6):
        for kind, rows, size in (("array", 64, 64), ("exact", 8, 64), ("exact", 1000, 2000), ("range", 7, 64)):
            table = _rows(kind, rows, size)
            yield Made(
                f"{count} look-ups {kind} {rows}",
                _found(kind, index if kind == "array" else word("b0"), count),
                (table,),
            )
    for kind, rows, size in (
        ("exact", 100, 128),
        ("range", 60, 64),
        *(("lpm", n, 1024) for n in (1, 2, 4, 8, 16, 64, 256, 1000)),
    ):
        yield Made(f"a look-up {kind} {rows}", _found(kind, word("b0"), 1), (_rows(kind, rows, size),))


Keys = tuple[e.Expr, ...]
FORMS = {
    "map": State("seen", (U32,), (U64,), 4096),
    "lru": State("seen", (U32,), (U64,), 4096, evicts=True),
    "cell": State("seen", (), (U64,)),
}


def _states() -> Iterator[Made]:
    """Yield accesses to one row again and again, and to several; to some that were just looked up."""
    for form, state in FORMS.items():
        keys: tuple[Keys, ...] = tuple((word(f"b{i}"),) if state.keys else () for i in range(4))
        for count in (1, 4):
            yield Made(f"{count} look-ups {form}", _looked(keys[:1] * count), (), (state,))
            for mode in MODES:
                yield Made(f"{count} {mode} {form}", (_stored(keys[0], mode),) * count, (), (state,))
            both = (_stored(keys[0], "set"), s.Delete("seen", keys[0]))
            yield Made(f"{count} delete {form}", both * count, (), (state,))
        if state.keys:
            yield Made(f"4 rows {form}", _looked(keys), (), (state,))
            for mode in MODES:
                known = ((_look(k, f"v{i}"), _stored(k, mode, e.Local(f"v{i}", U64))) for i, k in enumerate(keys))
                yield Made(f"4 {mode} {form}, looked up", tuple(chain.from_iterable(known)), (), (state,))


def _look(keys: Keys, name: str) -> s.Lookup:
    return s.Lookup("seen", keys, None, (e.Local(name, U64),))


def _stored(keys: Keys, mode: Literal["set", "add"], value: e.Expr | None = None) -> s.Store:
    return s.Store("seen", keys, mode, (value or word("a1"),))


def _looked(keys: tuple[Keys, ...]) -> s.Body:
    """Look keys up, which are put in if they are not there, and write what comes out."""
    body: list[s.Stmt] = []
    for i, key in enumerate(k for k in dict.fromkeys(keys) if k):
        there = e.Local(f"there{i}", BOOL)
        body += [
            s.Lookup("seen", key, there.name, ()),
            s.If(e.Unary("not", there), (_stored(key, "set", e.Const(1, U64)),)),
        ]
    value: e.Expr = e.Const(0, U64)
    for i, key in enumerate(keys):
        body.append(_look(key, f"v{i}"))
        value = e.Binary("^", value, e.Local(f"v{i}", U64))
    return (*body, s.Assign(OUT, value))


def _checksums() -> Iterator[Made]:
    ip, udp = e.Field("ipv4", "checksum", U16), e.Field("udp", "checksum", U16)
    own = e.Field("ipv4", "identification", U16)
    source = e.Field("ipv4", "src", U32)
    places = {
        "header": (ip, [own]),
        "content": (udp, [word(f"c{i}") for i in range(3)]),
        "address": (udp, [source]),
    }
    for part, (checksum, fields) in places.items():
        for count in range(1, len(fields) + 1):
            body: list[s.Stmt] = []
            for i, field in enumerate(fields[:count]):
                new = e.Local(f"n{i}", field.type)
                body += [
                    s.Let(f"n{i}", word("b0") if field is source else word("c7")),
                    s.FixChecksum(checksum, field, new, optional=checksum == udp, part=part),  # type: ignore[arg-type]
                    s.Assign(field, new),
                ]
            yield Made(f"{count} checksum {part}", tuple(body))


def _call(name: str, kind: Bits) -> Iterator[Made]:
    for count in (1, 4):
        value: e.Expr = word("a0")
        body: list[s.Stmt] = []
        for i in range(count):
            call: e.Expr = e.Call(name, (), kind)
            value = e.Binary("^", value, call if kind == U64 else e.Cast(call, U64))
            body.append(s.Let(f"v{i}", value))
            value = e.Local(f"v{i}", U64)
        yield Made(f"{count} {name}", (*body, s.Assign(OUT, value)))


def packing(root: Root) -> tuple[DeviceProgram, Message]:
    """Return a program that packs a record (`send`) or unpacks it (`recv`), and the record's message."""
    message = Message("probe", (), (MessageField("kind", U16), MessageField("key", U64), MessageField("rest", BYTES)))
    if root == "send":
        body: s.Body = (s.Assign(e.Payload(), e.Call("pack", (e.Value("probe"),), BYTES)),)
    else:
        found = e.Call("unpack", (e.Payload(),), Record("probe"))
        body = (s.Attempt(e.Value("probe"), found, (s.Drop(),)),)
    header = Header("probe", (HeaderField("kind", U16), HeaderField("key", U64)))
    block = Block("probe", (), TRUE, body)
    made = DeviceProgram(root, "here", root, "process", (header,), (), (), (), (block,), "probe")
    return made, message


def payload() -> bytes:
    """Return the bytes that the probes' header is laid over. `b0` holds the address that frames come from."""
    words = range(1, WORDS + 1)
    wide = b"".join(w.to_bytes(8, "big") for w in words)
    narrow = b"".join(w.to_bytes(4, "big") for w in words[1:])
    return wide + SOURCE.to_bytes(4, "big") + narrow + b"".join(w.to_bytes(2, "big") for w in words) + bytes(words)


def frame(source: tuple[int, int], service: tuple[int, int], content: bytes) -> bytes:
    """Return an Ethernet frame around a datagram between two endpoints, with right checksums."""
    length = UDP_HEADER + len(content)
    udp = struct.pack(">HHHH", source[1], service[1], length, 0) + content
    total = checksum(struct.pack(">IIBBH", source[0], service[0], 0, 17, length) + udp) or 0xFFFF
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, IP_HEADER + length, 7, 0, 64, 17, 0, source[0], service[0])
    ip = ip[:10] + checksum(ip).to_bytes(2, "big") + ip[12:]
    return bytes(12) + b"\x08\x00" + ip + udp[:6] + total.to_bytes(2, "big") + udp[8:]


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(int(w) for w in struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
