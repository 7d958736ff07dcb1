"""The P4 backend: what it prints, what it refuses and where, and that no name in a source can become code."""

import json
import re
from pathlib import Path

import pytest
from attrs import evolve
from samples import HEADERS, PARSER, filter_count_limit, header, ipv4, kv_ingress, kv_pipeline, kv_process
from switches import TRUE, counted, hostile, inputs, looked_up, remembered

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.base import BACKENDS, Unit
from bertha_ir.backends.p4.fold import fold
from bertha_ir.backends.p4.names import Names, comment, mangle
from bertha_ir.backends.p4.target import P4Backend
from bertha_ir.backends.p4.words import EXTERNS, bare
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.program import Block, DeviceProgram, ParseState, State, Table, Transition
from bertha_ir.source import SourceFile, Span
from bertha_ir.types import BOOL, BYTES, U8, U16, U32, U64, Bits, Bytes
from bertha_ir.walk import walk

GOLDEN = Path(__file__).parents[1] / "golden"
PROGRAMS = (kv_pipeline, kv_ingress, counted, remembered, looked_up, inputs, hostile)
PORTS = ((1, 2), (2, 1))


def files(program: DeviceProgram, ports=PORTS) -> dict[str, str]:
    unit = Unit(program, ports=ports)
    assert P4Backend().validate(unit) == ()
    return P4Backend().emit(unit)


def at(text: str) -> Span:
    return Span(SourceFile("a.chunnel", text), 0, len(text))


def found(program: DeviceProgram, ports=()) -> list[str]:
    """Each diagnostic as its code and the text it underlines."""
    diagnostics = P4Backend().validate(Unit(program, ports=ports))
    assert all(d.help and not d.message.endswith(".") for d in diagnostics)
    return [f"{d.code.number()} {d.span.text if d.span else None}" for d in diagnostics]


def running(*body: s.Stmt, **changes: object) -> DeviceProgram:
    """A program that runs `body` on every UDP frame."""
    block = Block("b", ("ethernet", "ipv4", "udp"), TRUE, body)
    program = DeviceProgram("p", "tor", "frame", "pipeline", HEADERS, PARSER, (), (), (block,), span=at("program"))
    return evolve(program, **changes)


def test_registry_names_the_backend():
    """`p4` is the backend for frames on switches."""
    backend = BACKENDS.get("p4")
    assert (backend.name, backend.roots, backend.kinds) == ("p4", ("frame",), ("switch",))


@pytest.mark.parametrize("suffix", ["p4", "p4info.txtpb", "entries.json", "commands.txt"])
def test_sharded_store_is_printed_as_expected(suffix, update_golden):
    """The files of the sharded key-value store, to the byte."""
    golden, text = GOLDEN / f"p4_kv_tor.{suffix}", files(kv_pipeline())[f"kv_tor.{suffix}"]
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda f: f.__name__)
def test_finsy_reads_the_p4info_and_takes_every_entry(make):
    """finsy's schema accepts the p4info; each entry of the write request decodes against it to what it was made of."""
    finsy = pytest.importorskip("finsy", reason="the extra `p4` is not installed")
    from google.protobuf import json_format, text_format  # noqa: PLC0415  (comes with finsy)

    program = make()
    emitted = {name.partition(".")[2]: text for name, text in files(program).items()}
    info = text_format.Parse(emitted["p4info.txtpb"], finsy.proto.p4i.P4Info())
    schema = finsy.P4Schema()
    schema.set_p4info(info)
    request = json_format.Parse(emitted["entries.json"], finsy.proto.p4r.WriteRequest())
    decoded = [finsy.P4TableEntry.decode(update.entity, schema) for update in request.updates]
    again = [entry.encode(schema) for entry in decoded]
    assert again == [update.entity for update in request.updates]
    sites = {lookup.container for lookup in nodes(program, s.Lookup)}
    wanted = sum(len(t.entries) * count(program, t) for t in program.tables if t.name in sites) + len(PORTS)
    assert len(decoded) == wanted == len(emitted["commands.txt"].splitlines())


def nodes(program: DeviceProgram, kind: type):
    return [node for node in walk(program.blocks) if isinstance(node, kind)]


def count(program: DeviceProgram, table: Table) -> int:
    return sum(lookup.container == table.name for lookup in nodes(program, s.Lookup))


def test_entries_and_commands_say_the_same():
    """A prefix, a range with its priority, and parameters, in both forms."""
    emitted = files(looked_up())
    assert (
        "Pipeline.probe.prefixes Pipeline.probe.prefixes_hit 0xa000000/8 => 0x2\n" in emitted["looked_up.commands.txt"]
    )
    assert "Pipeline.probe.ranges Pipeline.probe.ranges_hit 0x1->0x63 => 0xb 2\n" in emitted["looked_up.commands.txt"]
    updates = json.loads(emitted["looked_up.entries.json"])["updates"]
    entries = [update["entity"]["tableEntry"] for update in updates]
    assert {"fieldId": 1, "lpm": {"value": "CgAAAA==", "prefixLen": 8}} in [m for x in entries for m in x["match"]]
    assert [] in [x["match"] for x in entries], "a prefix of length 0 leaves the field out"
    assert [x["priority"] for x in entries if "priority" in x][:3] == [3, 2, 1]


def test_stray_bits_of_a_prefix_and_second_entries_are_left_out():
    """10.1.0.255/16 is 10.1.0.0/16, as P4Runtime demands, and of two entries with one match the first counts."""
    program = looked_up()
    prefixes = program.tables[0]
    doubled = evolve(prefixes, entries=(*prefixes.entries, evolve(prefixes.entries[2], values=(99,))))
    commands = files(evolve(program, tables=(doubled, *program.tables[1:])))["looked_up.commands.txt"]
    assert len(re.findall(r"prefixes Pipeline.* 0xa010000/16 => 0x3\n", commands)) == 1
    assert "=> 0x63" not in commands


def test_each_lookup_has_a_table_of_its_own():
    """BMv2 applies a table once a packet: two look-ups in one table are two tables with the same entries."""
    text = files(looked_up())["looked_up.p4"]
    assert re.findall(r"table (pairs\w*)", text) == ["pairs", "pairs_2", "pairs_3"]
    assert text.count("pairs.apply()") == text.count("pairs_2.apply()") == 1


def test_a_port_that_leads_to_several_has_no_wire():
    """`patch` holds what the links settle; where a port could lead to two others, `stations` must say."""
    commands = files(kv_ingress(), ((1, 2), (1, 3), (2, 1), (3, 1)))["kv_ingress.commands.txt"]
    assert [line for line in commands.splitlines() if "patch" in line] == [
        "table_add Pipeline.patch Pipeline.send 0x2 => 0x1",
        "table_add Pipeline.patch Pipeline.send 0x3 => 0x1",
    ]


def test_only_asked_maps_remember_what_is_there():
    """A map that is only read and added to needs no bit per key; one whose keys are asked for has it."""
    assert "present" not in files(running(*_hits(None), states=(_HITS,)))["p.p4"]
    assert "register<bit<1>>(256) hits_present;" in files(running(*_hits("there"), states=(_HITS,)))["p.p4"]


_HITS = State("hits", (U8,), (U64,), 256)


def _hits(hit):
    key = (e.Cast(ipv4("src"), U8),)
    return s.Store("hits", key, "add", (e.Const(1, U64),)), s.Lookup("hits", key, hit, (e.Local("n", U64),))


def test_map_with_too_many_keys_is_refused_at_its_declaration():
    """2^32 addresses do not fit 65536 places; 2^16 do."""
    program = filter_count_limit()
    hits, total = program.states
    program = evolve(program, states=(evolve(hits, span=at("hits: map[u32 -> u64; 65536]")), total))
    assert found(program) == ["CH346 hits: map[u32 -> u64; 65536]"]
    assert found(counted()) == []


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State("m", (U8,), (U8,), 255), "CH346"),
        (State("m", (U8, U8), (U8,), 65535), "CH346"),
        (State("m", (U32,), (U8,), 1 << 32), "CH346"),
        (State("m", (U8,), (U8,), 256, evicts=True), "CH347"),
        (State("m", (BYTES,), (U8,), 256), "CH341"),
        (State("m", (U8,), (Bytes(257),), 256), "CH351"),
    ],
)
def test_state_that_registers_cannot_hold_is_refused(state, code):
    """Too few places, too large an array, eviction, keys of any length, values too wide."""
    assert found(running(states=(evolve(state, span=at("m: map")),))) == [f"{code} m: map"]


ANY = at("here")
ZERO, WORD = e.Const(0, U32), ipv4("src")
LET = s.Let("x", ZERO, ANY)


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (s.Assign(e.Payload(), e.Const(b"a", BYTES), ANY), "CH341"),
        (s.Let("n", e.Size(e.Local("b", BYTES)), ANY), "CH341"),
        (s.Repeat(2, (LET,), ANY), "CH342"),
        (s.ForEach("hits", e.Local("k", U8), e.Local("v", U64), (), ANY), "CH342"),
        (s.Reply(e.Const(b"a", BYTES), ANY), "CH343"),
        (s.Emit(e.Const(b"a", BYTES), ANY), "CH343"),
        (s.Clone(e.Const((1, 2), e.ENDPOINT), ANY), "CH343"),
        (s.Push("udp", (), ANY), "CH344"),
        (s.Pop("udp", (), ANY), "CH344"),
        (s.Let("n", e.Call("nonce", (), Bits(96)), ANY), "CH345"),
        (s.Attempt(e.Local("x", U32), e.Call("aead_open", (), BYTES), (), ANY), "CH345"),
        (s.Let("x", e.Binary("%", ZERO, WORD, ANY)), "CH348"),
        (s.If(e.Binary("==", e.Binary("/", WORD, WORD), WORD), (), (), ANY), "CH348"),
        (
            s.Let("x", e.Local("w", Bytes(300)), ANY),
            "CH351",
        ),
        (s.Let("x", e.Call("fnv1a", (e.Local("w", Bytes(17)),), U64), ANY), "CH351"),
        (s.Let("x", e.Param("p", U32), ANY), "CH352"),
        (s.Let("x", e.Get("hits", None, U32), ANY), "CH352"),
        (s.Let("x", e.Const((1, 2), e.ENDPOINT), ANY), "CH352"),
        (s.Assign(e.Field("address", "dst_ip", U32), ZERO, ANY), "CH352"),
    ],
)
def test_what_a_switch_cannot_do_is_refused_where_it_stands(node, code):
    """The diagnostic underlines the statement or expression, at the top of a body and inside an `If`."""
    inside = s.If(e.Const(value=True, type=BOOL), (), (node,))
    assert found(running(node)) == [f"{code} here"]
    assert found(running(inside)) == [f"{code} here"]


def test_every_mistake_is_found_in_one_run():
    """Nothing hides what comes after it."""
    source = SourceFile("a.chunnel", "one two three")
    first, second = (s.Let("x", e.Param("p", U32), Span(source, *ends)) for ends in ((0, 3), (4, 7)))
    state = State("m", (U32,), (U8,), 2, span=Span(source, 8, 13))
    assert sorted(found(running(first, second, states=(state,)))) == ["CH346 three", "CH352 one", "CH352 two"]


def test_programs_of_processes_are_refused():
    """A switch sees frames."""
    assert found(evolve(kv_process(), span=at("stack kv"))) == ["CH340 stack kv"]


@pytest.mark.parametrize("kind", ["lpm", "range"])
def test_tables_without_a_form_are_refused(kind):
    """Prefixes and ranges over two keys."""
    table = Table("t", kind, (U32, U8), (), 4, (), at("t: ranges"))
    assert found(running(tables=(table,))) == ["CH349 t: ranges"]


def test_parsers_that_loop_are_refused():
    """A header that can follow itself, directly or by way of another."""
    vlan = ParseState("vlan", (Transition((("ethertype", 0x8100),), "vlan"),))
    start = ParseState("ethernet", (Transition((("ethertype", 0x8100),), "vlan"),))
    assert found(running(parser=(start, vlan), blocks=())) == ["CH350 program"]


def test_headers_wider_than_p4c_takes_are_refused():
    """A field of 300 bytes."""
    wide = header("wide", ("ok", 8))
    wide = evolve(wide, fields=(evolve(wide.fields[0], type=Bytes(300)),))
    assert found(running(headers=(wide,), parser=(ParseState("wide"),), blocks=())) == ["CH351 program"]


@pytest.mark.parametrize("port", [-1, 511, 600])
def test_ports_that_no_switch_has_are_refused(port):
    """511 means drop."""
    assert found(running(), ((1, port),)) == ["CH353 program"]


def test_primitives_that_p4_provides_are_printed():
    """Whatever the primitives' table says runs on P4 is arithmetic or one of the externs, and nothing else is."""
    provided = {name for name, primitive in PRIMITIVES.items() if "p4" in primitive.targets and not primitive.expand}
    assert provided == set(EXTERNS)


def test_names_stay_inert():
    """Names with quotes, newlines, comments, directives and keywords come out as words; nothing of them is code."""
    emitted = files(hostile())
    assert {name.partition(".")[0] for name in emitted} == {"x___evil__error"}
    text = emitted["x___evil__error.p4"]
    assert re.findall(r"^#.*$", text, re.MULTILINE) == ["#include <core.p4>", "#include <v1model.p4>"]
    assert "\\" not in text
    assert '"' not in text
    assert "/*" not in text
    declared = re.findall(r"^    bit<8> (\w+);$", text.split("parser ")[0], re.MULTILINE)
    assert declared[:3] == ["apply_", "x____control_evil______", "hdr"]
    assert declared[3:6] == ["a_b", "a_b_2", "a_b_3"]
    commands = emitted["x___evil__error.commands.txt"]
    assert all(re.fullmatch(r"table_add [\w.]+ [\w.]+ 0x[0-9a-f]+ => 0x[0-9a-f]+", c) for c in commands.splitlines())


def test_names_are_new_and_short():
    """No identifier is handed out twice, none is a word of P4, and none grows without bound."""
    names = Names.of_program("hdr")
    given = [names.fresh(n) for n in ("hdr", "hdr", "table", "table", "a" * 500, "é", "", "1x", "_")]
    assert len(set(given)) == len(given)
    assert given[:4] == ["hdr_2", "hdr_3", "table_", "table__2"]
    assert all(re.fullmatch(r"[A-Za-z]\w{0,70}", g, re.ASCII) for g in given)
    assert mangle("__LINE__") == "x__LINE__"
    assert comment("a\n*/ \\ \u2028#") == "a?*/ ? ??"


def test_printing_twice_gives_the_same_bytes():
    """Emission holds no state and depends on no hash seed."""
    assert files(looked_up()) == files(looked_up())


def test_division_by_nothing_is_folded_before_p4c_sees_it():
    """Zero divisors, shifts past the width and constants give what the interpreter gives."""
    x = e.Local("x", U16)
    assert fold(e.Binary("/", x, e.Const(0, U16))) == e.Const(0, U16)
    assert fold(e.Binary("%", x, e.Const(0, U16))) == x
    assert fold(e.Binary("<<", x, e.Const(16, U8))) == e.Const(0, U16)
    assert fold(e.Binary(">>", e.Cast(e.Local("b", U8), U16), e.Const(8, U8))) == e.Const(0, U16)
    assert fold(e.Binary("<<", e.Cast(e.Local("b", U8), U16), e.Const(8, U8))).op == "<<"
    assert fold(e.Binary("-", e.Const(1, U16), e.Const(2, U16))) == e.Const(0xFFFF, U16)


def test_only_parentheses_around_all_are_dropped():
    """`(a) + (b)` keeps its own."""
    assert [bare(x) for x in ("(a + b)", "(a) + (b)", "(bit<8>)x", "((a) + b)", "x")] == [
        "a + b", "(a) + (b)", "(bit<8>)x", "(a) + b", "x",
    ]  # fmt: skip


def test_offsets_follow_the_headers_that_are_there():
    """Ethernet is always in front of IPv4, a VLAN tag sometimes; nothing is in front of Ethernet."""
    body = tuple(s.Let(name, e.HeaderOffset(name)) for name in ("ethernet", "vlan", "ipv4"))
    text = files(running(*body))["p.p4"]
    assert "ethernet = 32w0;" in text
    assert "vlan = 32w14;" in text
    assert "ipv4 = 32w14 + (hdr.vlan.isValid() ? 32w4 : 32w0);" in text
