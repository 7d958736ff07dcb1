"""The eBPF backend: what it prints, what it refuses and where, and that no name in a source can become code."""

import json
import re
import subprocess
from pathlib import Path
from platform import machine
from shutil import which

import pytest
from attrs import evolve
from samples import HEADERS, PARSER, filter_count_limit, header, ipv4, kv_egress, kv_ingress, kv_pipeline, kv_process
from switches import TRUE, hostile, inputs, looked_up, remembered

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.base import BACKENDS, Unit
from bertha_ir.backends.ebpf.block import bare
from bertha_ir.backends.ebpf.names import RESERVED
from bertha_ir.backends.ebpf.target import EbpfBackend
from bertha_ir.backends.ebpf.words import load, stores
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.program import Block, DeviceProgram, Entry, ParseState, State, Table, Transition
from bertha_ir.source import SourceFile, Span
from bertha_ir.types import BOOL, BYTES, U8, U16, U32, U64, Bits, Bytes

GOLDEN = Path(__file__).parents[1] / "golden"
PROGRAMS = (kv_ingress, kv_egress, kv_pipeline, filter_count_limit, remembered, looked_up, inputs, hostile)
needs_clang = pytest.mark.skipif(which("clang") is None, reason="clang is not on PATH")


def files(program: DeviceProgram) -> dict[str, str]:
    assert EbpfBackend().validate(Unit(program)) == ()
    return EbpfBackend().emit(Unit(program))


def at(text: str) -> Span:
    return Span(SourceFile("a.chunnel", text), 0, len(text))


def found(program: DeviceProgram) -> list[str]:
    """Each diagnostic as its code and the text it underlines."""
    diagnostics = EbpfBackend().validate(Unit(program))
    assert all(d.help and not d.message.endswith(".") for d in diagnostics)
    return [f"{d.code.number()} {d.span.text if d.span else None}" for d in diagnostics]


def running(*body: s.Stmt, **changes: object) -> DeviceProgram:
    """A program that runs `body` on every UDP frame."""
    block = Block("b", ("ethernet", "ipv4", "udp"), TRUE, body)
    program = DeviceProgram("p", "h1", "frame", "ingress", HEADERS, PARSER, (), (), (block,), span=at("program"))
    return evolve(program, **changes)


def compiles(text: str, folder: Path) -> None:
    """clang takes the text without a warning."""
    source = folder / "p.bpf.c"
    source.write_text(text)
    include = f"-I/usr/include/{machine()}-linux-gnu"
    options = (
        "-O2",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-parameter",
        "-Wno-sign-compare",
        "-target",
        "bpf",
    )
    command = ("clang", *options, include, "-c", source, "-o", folder / "p.o")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_registry_names_the_backend():
    """`ebpf` is the backend for frames in kernels."""
    backend = BACKENDS.get("ebpf")
    assert (backend.name, backend.roots, backend.kinds) == ("ebpf", ("frame",), ("kernel",))


@pytest.mark.parametrize("make", [kv_ingress, kv_egress])
@pytest.mark.parametrize("suffix", ["bpf.c", "maps.json"])
def test_sharded_store_is_printed_as_expected(make, suffix, update_golden):
    """The files of the sharded key-value store, to the byte."""
    name = f"{make().name}.{suffix}"
    golden, text = GOLDEN / f"ebpf_{name}", files(make())[name]
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text()


@needs_clang
@pytest.mark.parametrize("hook", ["ingress", "egress"])
@pytest.mark.parametrize("make", PROGRAMS, ids=lambda f: f.__name__)
def test_clang_takes_what_is_printed(make, hook, tmp_path):
    """Every sample compiles for both hooks without a warning, hostile names and all."""
    emitted = files(evolve(make(), hook=hook))
    (text,) = (text for name, text in emitted.items() if name.endswith(".bpf.c"))
    compiles(text, tmp_path)


def test_hostile_names_are_inert():
    """Quotes, newlines, comment marks and directives come out as words: the only directives are the printer's own."""
    emitted = files(hostile())
    assert set(emitted) == {"x___evil__error.bpf.c", "x___evil__error.maps.json", "Makefile"}
    text = emitted["x___evil__error.bpf.c"]
    directives = re.findall(r"^\s*#.*", text, re.MULTILINE)
    assert [d.split()[0] for d in directives] == ["#include"] * 4 + ["#define"] * 2
    assert "evil()" not in text
    assert "passwd" in text
    assert "/etc" not in text
    assert text.count("/*") == text.count("*/")
    assert json.loads(emitted["x___evil__error.maps.json"])["maps"][0]["name"] == "taken"


@needs_clang
@pytest.mark.parametrize("word", [*sorted(RESERVED), "XDP_PASS", "__u32", "bpf_ntohs", "main", "BPF_ANY", "offsetof"])
def test_words_of_c_are_no_names(word, tmp_path):
    """Whatever is called like a word of C, of its headers or of the printed file still compiles."""
    named = header(word, (word, 8), ("other", 8))
    value = e.Field(word, word, U8)
    body = (
        s.Let(word, value),
        s.Lookup(f"{word}_t", (e.Local(word, U8),), f"{word}_hit", (e.Local(f"{word}_v", U8),)),
        s.If(e.Local(f"{word}_hit", BOOL), (s.Assign(value, e.Local(f"{word}_v", U8)),)),
        s.Store(word, (e.Local(word, U8),), "add", (e.Const(1, U8),)),
    )
    table = Table(f"{word}_t", "exact", (U8,), (U8,), 4, (Entry((1,), (2,)),))
    block = Block(word, (word,), TRUE, body, (word,))
    state = State(word, (U8,), (U8,), 4)
    program = DeviceProgram(word, word, "frame", "ingress", (named,), (ParseState(word),), (table,), (state,), (block,))
    compiles(next(text for name, text in files(program).items() if name.endswith(".c")), tmp_path)


HERE = at("here")
ZERO, WORD = e.Const(0, U32), ipv4("src")
LONG = header("long", ("three", 3), ("wide", 64), ("rest", 5), ("widest", 128))
TABLE = Table("t", "range", (U16,), (U8,), 257, (), at("t: ranges[u16 -> u8; 257]"))


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (s.Assign(e.Payload(), e.Const(b"a", BYTES), HERE), "CH321"),
        (s.Let("x", e.Size(e.Payload(HERE))), "CH321"),
        (s.Let("x", e.Secret("key", Bytes(32), HERE)), "CH321"),
        (s.Reply(e.Const(b"", BYTES), HERE), "CH322"),
        (s.Emit(e.Const(b"", BYTES), HERE), "CH322"),
        (s.Clone(e.Const((1, 2), e.ENDPOINT), HERE), "CH322"),
        (s.Push("udp", (), HERE), "CH323"),
        (s.Pop("udp", (), HERE), "CH323"),
        (s.Let("x", e.Const(0, Bits(65), HERE)), "CH324"),
        (s.Let("x", e.Cast(WORD, Bits(65), HERE)), "CH324"),
        (s.Let("x", e.Call("crc32", (WORD,), U32, HERE)), "CH325"),
        (s.Let("x", e.Call("nonce", (), Bits(96), HERE)), "CH325"),
        (s.Attempt(e.Local("x", U32), WORD, (), HERE), "CH325"),
        (s.ForEach("hits", e.Local("k", U32), e.Local("v", U64), (), HERE), "CH326"),
        (s.Repeat(257, (), HERE), "CH326"),
        (s.Let("x", e.Field("vlan", "id", Bits(12), HERE)), "CH328"),
        (s.Let("x", e.HeaderOffset("vlan", HERE)), "CH328"),
        (s.Let("x", e.Element("list", ZERO, U32, HERE)), "CH329"),
        (s.Let("x", e.Param("p", U32, HERE)), "CH329"),
    ],
)
def test_what_a_kernel_cannot_hold_is_refused_where_it_stands(node, code):
    """The diagnostic underlines the statement or expression, at the top of a body and inside an `If`."""
    assert f"{code} here" in found(running(node))
    assert f"{code} here" in found(running(s.If(e.Const(value=True, type=BOOL), (), (node,))))


PUSH, POP = s.Push("long", (), HERE, "udp"), s.Pop("long", (s.Drop(),), HERE, "udp")


@pytest.mark.parametrize(
    ("body", "hook", "expected"),
    [
        ((POP, PUSH, s.If(TRUE, (PUSH,))), "ingress", []),
        ((PUSH,), "egress", ["at TC cannot push `long`; one at XDP could"]),
        (
            (evolve(PUSH, behind=None),),
            "ingress",
            ["cannot push `long` and keep the lengths and checksums around it right"],
        ),
        (
            (evolve(POP, otherwise=()),),
            "ingress",
            ["cannot pop `long` and keep the lengths and checksums around it right"],
        ),
        ((s.Repeat(2, (POP,)),), "ingress", ["cannot pop `long` again and again"]),
        ((PUSH,) * 6, "ingress", ["cannot push `long`: a frame has room for 128 bytes more"]),
    ],
)
def test_headers_are_moved_where_a_kernel_can(body, hook, expected):
    """At XDP, behind a header that is there, not in a loop, and up to the room in front of a frame."""
    program = running(*body, hook=hook, headers=(*HEADERS, LONG))
    messages = [d.message for d in EbpfBackend().validate(Unit(program))]
    assert messages == [f"a kernel program {text}" for text in expected]


STEP = s.Assign(e.Local("x", U32), e.Binary("*", e.Local("x", U32), WORD))
ODD = e.Binary("==", e.Local("x", U32), ZERO)
ADD = s.Store("m", (WORD, ZERO), "add", (e.Const(1, U64),), HERE)
MANY = State("m", (U32, U32), (U64,), 4)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ((s.Repeat(256, (s.Repeat(256, (STEP,) * 4),), HERE),), "2,884,608 instructions would be walked through, more"),
        ((s.Repeat(64, (s.Repeat(200, (s.If(ODD, (STEP,)),)),), HERE),), "12,800 branches lie on one way through it"),
        ((s.If(ODD, (ADD,) * 80, (), HERE),), "its keys and values take 1,280 bytes, and the stack has 512"),
        ((s.Repeat(200, (s.Repeat(200, (STEP,)),), HERE),) * 33, "the chain comes to 34 programs, and 33 may call one"),
        ((s.Repeat(200, (s.Repeat(200, (STEP,)),), HERE),) * 32, None),
        ((s.Repeat(256, (s.Repeat(100, (STEP,) * 2),), HERE),), None),
        ((ADD,) * 700, None),
    ],
    ids=["instructions", "branches", "stack", "parts", "as many as there may be", "near", "cut"],
)
def test_what_no_cut_makes_fit_is_refused_where_it_stands(body, expected):
    """A statement that alone is beyond a limit, and the 34th part; what fits, or does when it is cut, is not."""
    diagnostics = EbpfBackend().validate(Unit(running(s.Let("x", ZERO), *body, states=(MANY,))))
    if expected is None:
        assert diagnostics == ()
        return
    (one,) = diagnostics
    assert (one.code.number(), one.span) == ("CH330", HERE)
    assert expected in one.message


def test_programs_of_processes_are_refused():
    """XDP and TC see frames: a program on datagrams is refused whole."""
    assert found(evolve(kv_process(), span=at("stack kv"))) == ["CH320 stack kv"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tables": (TABLE,)}, "CH327 t: ranges[u16 -> u8; 257]"),
        ({"tables": (evolve(TABLE, kind="lpm", keys=(Bits(12),)),)}, "CH324 t: ranges[u16 -> u8; 257]"),
        ({"states": (State("m", (Bytes(9),), (U8,), 4, span=at("m: map")),)}, "CH324 m: map"),
        ({"states": (State("m", (U8,), (BYTES,), 4, span=at("m: map")),)}, "CH324 m: map"),
    ],
)
def test_tables_and_state_that_do_not_fit_are_refused_where_they_are_declared(changes, expected):
    """More ranges than are searched, prefixes of odd lengths, values wider than a register."""
    assert found(running(**changes)) == [expected]
    assert found(running(tables=(evolve(TABLE, size=256),))) == []


def test_fields_that_no_register_holds_are_refused():
    """64 bits in 9 bytes, read by a body or by the parser; 128 bits, compared by the parser."""
    body = (s.Let("x", e.Field("long", "wide", U64, HERE)),)
    block = Block("b", ("long",), TRUE, body)
    program = running(headers=(LONG,), parser=(ParseState("long"),), blocks=(block,))
    assert found(program) == ["CH324 here"]
    for name in ("wide", "widest"):
        parser = (ParseState("long", (Transition(((name, 0),), "next"),)), ParseState("next"))
        parsed = evolve(program, headers=(LONG, header("next", ("x", 8))), parser=parser, blocks=())
        assert found(parsed) == ["CH324 program"]


def test_blocks_that_need_a_header_some_frames_lack_are_refused():
    """A block for tagged frames only would be offered no frame at all."""
    block = Block("b", ("ethernet", "vlan", "ipv4"), TRUE, (s.Drop(),))
    assert found(running(blocks=(block,))) == ["CH328 program"]
    assert found(running(blocks=(evolve(block, needs=("ethernet", "ipv4")),))) == []


def test_primitives_are_those_of_the_table():
    """Each primitive that the table says eBPF has is printed or spelled out; each other one is refused."""
    for name, primitive in PRIMITIVES.items():
        if primitive.arguments == () and isinstance(primitive.result, Bits):
            call = s.Let("x", e.Call(name, (), primitive.result, HERE))
            assert bool(found(running(call))) == ("ebpf" not in primitive.targets)


def test_words_are_read_and_written_whole_or_in_parts():
    """Sizes that no access has are put together from two; a value is masked to what is left."""
    assert load("p", 3, 3) == "((__u32)(__u32)bpf_ntohs(*(__be16 *)(p + 3)) << 8 | (__u32)*(p + 5))"
    assert stores("p", 0, 6, "x") == [
        "*(__be32 *)(p + 0) = bpf_htonl((x >> 16));",
        "*(__be16 *)(p + 4) = bpf_htons((x & 65535ULL));",
    ]
    assert [bare(text) for text in ("(a)", "(a) + (b)", "a", "((a))")] == ["a", "(a) + (b)", "a", "(a)"]
