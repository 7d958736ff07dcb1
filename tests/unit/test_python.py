"""The Python backend: what it prints does what the interpreter does, or the program is refused where it stands."""

import random
import re
from pathlib import Path

import pytest
from attrs import evolve
from compiling import compiled, examples
from emitted import Pair, imported, record_of, source
from packets import Traffic
from samples import (
    HEADERS,
    PARSER,
    SERVICE_IP,
    SERVICE_PORT,
    SHARDS,
    filter_count_limit,
    header,
    kv_egress,
    kv_ingress,
    kv_pipeline,
    kv_process,
)
from switches import TRUE, arithmetic, counted, hostile, inputs, looked_up, remembered

from bertha_ir import api
from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.base import BACKENDS, Unit
from bertha_ir.backends.python.target import PythonBackend
from bertha_ir.message import Message, MessageField
from bertha_ir.program import Block, DeviceProgram, ParseState, State
from bertha_ir.runtime.state import BitStruct, Secrets
from bertha_ir.source import SourceFile, Span
from bertha_ir.types import BOOL, BYTES, U8, U16, U32, Bits, Bytes

GOLDEN = Path(__file__).parents[1] / "golden"
EXAMPLES = {p.name: p for p in examples()}
TRAFFIC = Traffic((SERVICE_IP, SERVICE_PORT), SHARDS, lambda source: source.randbytes(20 + source.randrange(20)))
ANY = Span(SourceFile("a.chunnel", "here"), 0, 4)
MORE = """
message numbered { sequence: u24; }
message Tiny over udp { a: u3; b: u13; c: bytes[3]; index: u8; count: u40; _x: u1; data: u7; rest: bytes; }
message Exact over udp { id: u32; odd: u24; }
message Secrets over udp { primitives: u16; value: u8; }
chunnel number() {
  place: endpoint; needs both ends;
  state sent: u24;
  on send(m) { push numbered { sequence = sent }; sent += 0xff_fffe; }
  on recv(m) { pop numbered else drop; }
}
chunnel only_odd() {
  place: endpoint; needs both ends;
  state missed: u8;
  state last: bytes[4];
  on send(m) { last = 0x0102_0304 as u32 as bytes[4]; push numbered { sequence = 5 }; }
  on recv(m) { pop numbered else { missed += 1; drop; } if m.numbered.sequence & 1 == 0 { drop; } }
}
"""
MACS = "inside_dst = 02:00:00:00:00:01, inside_src = 02:00:00:00:00:02"
CODECS = {
    "bytes": "udp(4242)",
    "record": "serialize(Query) |> udp(4242)",
    "fields of odd widths": "serialize(Tiny) |> udp(4242)",
    "a record without tail": "serialize(Exact) |> udp(4242)",
    "a record called as the runtime's own": "serialize(Secrets) |> udp(4242)",
    "compressed": "serialize(Query) |> compress |> udp(4242)",
    "compressed bytes": "compress |> udp(4242)",
    "encrypted": 'serialize(Query) |> compress |> encrypt(key = secret("key")) |> udp(4242)',
    "framed": "serialize(Query) |> http2 |> tcp(4242)",
    "in a tunnel": f"serialize(Query) |> encapsulate(vni = 5, {MACS}) |> udp(4789)",
    "behind a header": "serialize(Query) |> number |> udp(4242)",
    "behind two": "serialize(Tiny) |> number |> number |> udp(4242)",
    "dropping": "serialize(Exact) |> only_odd |> udp(4242)",
}


def frames(count):
    return TRAFFIC.frames(7, count)


def commands(count):
    """Frames of any length that the programs for switches know, more often than chance would have them."""
    rng = random.Random(8)
    for _ in range(count):
        data = rng.randbytes(rng.randrange(120))
        if rng.random() < 0.7:
            data = (
                rng.choice((b"\1", data[:1]))
                + data[1:12]
                + b"\x88\xb5"
                + bytes([rng.choice((0, 1, 2, 3, 200))])
                + data[15:]
            )
        yield data


@pytest.mark.parametrize("make", [kv_ingress, kv_egress, kv_pipeline, filter_count_limit, counted])
def test_frames_are_handled_as_in_the_interpreter(make, monkeypatch):
    """1,000 frames, right and wrong: same verdict, same bytes; state goes on from frame to frame."""
    pair = Pair(make(), monkeypatch)
    outcomes = [(pair.run(frame), frame) for frame in frames(1000)]
    changed = sum(got[:2] != ("pass", frame) for got, frame in outcomes)
    assert 50 < changed < 950


@pytest.mark.parametrize("make", [remembered, looked_up, inputs, hostile])
def test_state_tables_and_inputs_are_those_of_the_interpreter(make, monkeypatch):
    """Every kind of table and store, verdicts, inputs from outside; with names that try to be code."""
    pair = Pair(make(), monkeypatch)
    assert sum(pair.run(data)[1] != data for data in commands(500)) > 20


@pytest.mark.parametrize("seed", range(40))
def test_random_expressions_have_the_interpreters_value(seed, monkeypatch):
    """Arithmetic of every width, shifts, divisions, choices, checksums."""
    pair, rng = Pair(arithmetic(seed, 15), monkeypatch), random.Random(seed)
    for _ in range(50):
        pair.run(rng.randbytes(rng.choice((38, 300, 400))))


def test_datagrams_are_sent_where_the_interpreter_says(monkeypatch):
    """Addresses in, addresses out; a datagram too short for the key keeps its own."""
    pair, rng = Pair(kv_process(), monkeypatch), random.Random(4)
    towards = {pair.run(rng.randbytes(rng.randrange(60)), (1, 2), (3, 4))[3] for _ in range(300)}
    assert towards == {(3, 4), *SHARDS}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_programs_agree(name, monkeypatch):
    """Every Python program of every example, on 300 random inputs."""
    built = api.build(sorted(EXAMPLES[name].glob("*.chunnel")))
    agree(built, monkeypatch, random.Random(name))


@pytest.mark.parametrize("name", CODECS)
def test_codecs_agree_and_undo_each_other(name, monkeypatch):
    """`encode` gives the interpreter's bytes, `decode` its record; both drop the same of what was damaged."""
    built, rng = compiled(CODECS[name], more=MORE), random.Random(name)
    agree(built, monkeypatch, rng)


def agree(built, monkeypatch, rng):
    """Run all Python programs of a compilation that do all of their end's work, and leave none to a device beside it;
    what was encoded is decoded, whole and damaged.
    """
    messages = built.specification.messages
    pairs = {
        (p.program.name.removesuffix("_standby").rpartition("_")[0], p.program.root): Pair(
            p.program, monkeypatch, messages
        )
        for p in built.programs
        if p.backend == "python" and not p.offloads
    }
    for (direction, root), pair in pairs.items():
        for _ in range(300):
            if root == "datagram":
                pair.run(rng.randbytes(rng.randrange(60)), (1, 2), (3, 4))
            elif root == "send":
                round_trip(pair, pairs[direction, "recv"], messages, rng)


def round_trip(sender, receiver, messages, rng):
    message = next((m for m in messages if m.name == sender.program.message), None)
    value = message and {f.name: random_value(f.type, rng) for f in message.fields}
    data = rng.randbytes(rng.randrange(60))
    sent = sender.run(data, value=value)
    received = receiver.run(sent)
    if received is not None:
        assert (received == data) if value is None else (list(received) == list(value.values()))
    receiver.run(sent[: rng.randrange(len(sent) + 1)])
    at = rng.randrange(len(sent)) if sent else 0
    receiver.run(sent[:at] + rng.randbytes(1) + sent[at + 1 :])
    receiver.run(rng.randbytes(rng.randrange(40)))


def random_value(type_, rng):
    if isinstance(type_, Bits):
        return rng.getrandbits(type_.width)
    return rng.randbytes(rng.randrange(30) if type_.size is None else type_.size)


@pytest.mark.parametrize("name", ["kv_request", "kv_request_recv"])
def test_the_example_is_printed_as_expected(name, update_golden):
    """The sharded store's program on the path and the server's codec, to the byte."""
    folder = EXAMPLES["kv_shard"]
    files = api.artifact(api.build([folder / "kv.chunnel", folder / "site.chunnel"]))
    text, golden = files[f"python/{name}.py"].decode(), GOLDEN / f"python_{name}.txt"
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("make", [kv_pipeline, filter_count_limit, remembered, looked_up, hostile, kv_process])
def test_printing_is_deterministic_and_tidy(make):
    """Twice the same; no line ends in a space, at most two lines are blank in a row, and the end is one newline."""
    text = source(make())
    assert text == source(make())
    assert not re.search(r"[ \t]\n|\n\n\n\n|\n\n$", text)
    assert text.endswith("\n")


def test_hostile_names_stay_inert():
    """A program's name, its device's, ops', headers', fields' and a message's cannot leave their comment or word."""
    message = Message(
        'M"""\nimport os\n', (), (MessageField("x y", U8), MessageField("class", U8), MessageField("__a", U8))
    )
    value = e.Call("pack", (e.Value(message.name),), BYTES)
    block = Block("b", (), TRUE, (s.Assign(e.Payload(), value),), ('"""\nimport os',))
    program = DeviceProgram('p"""\nimport os', '"""', "send", "process", (), (), (), (), (block,), message.name)
    text = source(program, [message])
    assert "\nimport" not in text
    assert text.count('"""') == 2 * len(re.findall(r'"""[^"]*"""', text))
    (name,) = PythonBackend().emit(Unit(program, (message,)))
    assert re.fullmatch(r"\w+\.py", name)
    module = imported(text)
    assert module.encode(record_of(module)(1, 2, 3)) == b"\1\2\3"


def test_registry_names_the_backend():
    """`python` is the backend for hosts, and takes every root."""
    backend = BACKENDS.get("python")
    assert (backend.name, backend.kinds) == ("python", ("host",))
    assert set(backend.roots) == {"frame", "datagram", "send", "recv"}


def at_end(*body, root="recv", **changes):
    block = Block("b", (), TRUE, body)
    program = DeviceProgram("p", "h1", root, "process", (HEADERS[3],), (), (), (), (block,), span=ANY)
    return evolve(program, **changes)


def in_frame(*body):
    block = Block("b", ("ethernet",), TRUE, body)
    return DeviceProgram("p", "h1", "frame", "ingress", HEADERS, PARSER, (), (), (block,))


def found(program):
    diagnostics = PythonBackend().validate(Unit(program))
    assert all(d.help and not d.message.endswith(".") for d in diagnostics)
    return [f"{d.code.number()} {d.span.text if d.span else None}" for d in diagnostics]


DROP, BYTE = (s.Drop(),), e.Const(b"a", BYTES)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (at_end(s.Reply(BYTE, ANY)), "CH300"),
        (at_end(s.Emit(BYTE, ANY)), "CH300"),
        (at_end(s.Clone(e.Const((1, 2), e.ENDPOINT), ANY), root="datagram"), "CH300"),
        (at_end(s.If(TRUE, (s.Push("udp", (), ANY),))), "CH301"),
        (at_end(s.Repeat(2, (s.Pop("udp", DROP, ANY),))), "CH301"),
        (at_end(s.Pop("udp", (), ANY)), "CH301"),
        (at_end(s.Pop("udp", (s.If(TRUE, DROP),), ANY)), "CH301"),
        (at_end(s.Let("x", e.Param("p", U32), ANY)), "CH302"),
        (at_end(s.Let("x", e.Get("hits", None, U32), ANY)), "CH302"),
        (at_end(s.Let("x", e.Field("address", "dst_ip", U32), ANY)), "CH303"),
        (at_end(s.Assign(e.Field("address", "dst_ip", U32), e.Const(1, U32), ANY), root="send"), "CH303"),
        (in_frame(s.Assign(e.Payload(), BYTE, ANY)), "CH304"),
        (in_frame(s.Push("udp", (), ANY)), "CH304"),
        (in_frame(s.Pop("udp", DROP, ANY)), "CH304"),
    ],
)
def test_what_a_process_does_not_run_is_refused_where_it_stands(program, code):
    """The diagnostic underlines the statement or the expression."""
    assert set(found(program)) == {f"{code} here"}


def test_pops_that_end_are_taken():
    """By a drop on every way."""
    both = s.If(TRUE, (s.Let("x", e.Const(1, U8)), s.Drop()), DROP)
    assert found(at_end(s.Pop("udp", (both,), ANY))) == []


def run_datagram(monkeypatch, *body, states=(), fields=(("kind", 8), ("other", 8))):
    head = header("head", *fields)
    block = Block("b", ("head",), TRUE, body)
    program = DeviceProgram("p", "h1", "datagram", "process", (head,), (ParseState("head"),), (), states, (block,))
    return Pair(program, monkeypatch)


KIND, OTHER = e.Field("head", "kind", U8), e.Field("head", "other", U8)


def number(value):
    return e.Const(value, U8)


def test_chains_of_conditions_are_elif(monkeypatch):
    """An `else` that is one `if` becomes `elif`, unless its test needs statements of its own first."""
    long = KIND
    for i in range(12):
        long = e.Binary("+", long, e.Binary("*", OTHER, number(i + 2)))
    last = s.If(e.Binary("==", long, number(9)), (s.Assign(OTHER, number(4)),), (s.Assign(OTHER, number(5)),))
    second = s.If(e.Binary("==", KIND, number(2)), (s.Assign(OTHER, number(2)),), (last,))
    pair = run_datagram(monkeypatch, s.If(e.Binary("==", KIND, number(1)), (s.Assign(OTHER, number(1)),), (second,)))
    for kind in range(256):
        pair.run(bytes([kind, kind ^ 5, 7]))
    assert pair.text.count("elif") == 1
    assert re.search(r"else:\n +step\w* = ", pair.text)


def test_loops_locals_and_what_comes_behind_a_drop(monkeypatch):
    """`repeat` with a local that changes; a branch that drops, one that bounces."""
    local = e.Local("n", U8)
    pair = run_datagram(
        monkeypatch,
        s.Let("n", number(1)),
        s.Repeat(5, (s.Assign(local, e.Binary("*", local, KIND)), s.Assign(OTHER, e.Binary("^", OTHER, local)))),
        s.If(e.Binary("<", OTHER, number(100)), (s.Drop(),), (s.If(e.Binary(">", OTHER, number(200)), (s.Bounce(),)),)),
    )
    assert {pair.run(bytes([k, o]))[0] for k in range(0, 256, 3) for o in range(0, 256, 51)} == {
        "pass",
        "drop",
        "bounce",
    }


def test_payload_and_headers_change_together(monkeypatch):
    """Headers are written where pushes and pops have moved them to; sizes are those of the moment."""
    head = e.Field("head", "other", U8)
    pair = run_datagram(
        monkeypatch,
        s.Push("head", (("kind", OTHER), ("other", e.Cast(e.Size(e.Payload()), U8)))),
        s.Assign(head, e.Binary("+", head, number(1))),
        s.Assign(e.Payload(), e.Payload()),
    )
    for size in range(10):
        pair.run(bytes(range(size)))


def test_state_of_bytes_begins_as_zeros_of_its_size(monkeypatch):
    """A cell of bytes that was never set, and rows that the least recently used leaves first."""
    wide = Bytes(2)
    states = (State("last", (), (wide,)), State("by", (U8,), (wide,), 2, evicts=True))
    pair = run_datagram(
        monkeypatch,
        s.Store("last", (), "set", (e.Cast(e.Binary("*", e.Cast(KIND, U16), e.Const(257, U16)), wide),)),
        s.Lookup("last", (), None, (e.Local("before", wide),)),
        s.Lookup("by", (OTHER,), "there", (e.Local("row", wide),)),
        s.If(e.Local("there", BOOL), (s.Assign(KIND, e.Cast(e.Cast(e.Local("row", wide), U16), U8)),)),
        s.Store("by", (OTHER,), "set", (e.Local("before", wide),)),
        states=states,
    )
    rng = random.Random(1)
    for _ in range(300):
        pair.run(bytes([rng.randrange(256), rng.randrange(4)]))
    assert pair.module.last.row == pair.machine.states.rows["last"][()]
    assert f"last = Cell(({bytes(2)!r},))" in pair.text


def test_bits_are_packed_as_they_lie_and_refused_when_they_do_not_fit():
    """The counterpart of `struct.Struct` for odd widths."""
    layout = BitStruct("3 13 2s 8")
    packed = layout.pack(5, 0x1234, b"ab", 255)
    assert packed == bytes([0b101_10010, 0x34, 0x61, 0x62, 255])
    assert layout.unpack_from(packed + b"more") == [5, 0x1234, b"ab", 255]
    for wrong in ((8, 0, b"ab", 0), (0, -1, b"ab", 0), (0, 0, b"abc", 0), (0, 0, 5, 0)):
        with pytest.raises(ValueError, match="does not fit a field of"):
            layout.pack(*wrong)


def test_a_secret_that_was_not_given_is_asked_for_by_name():
    """Before the first message."""
    with pytest.raises(LookupError, match="`session`"):
        Secrets()["session"]


def test_codecs_refuse_what_is_no_message():
    """`decode` gives None for a wrong size."""
    built = compiled("serialize(Exact) |> udp(4242)", more=MORE)
    program = next(p.program for p in built.programs if p.program.root == "recv")
    module = imported(source(program, built.specification.messages))
    assert module.decode(bytes(8)) is None
    assert module.decode(bytes(6)) is module.decode(b"") is None
    assert module.decode(bytes(7)) == (0, 0)
    assert type(module.decode(bytes(7))) is record_of(module)


@pytest.mark.parametrize("layout", ["Query", "Tiny"])
def test_fields_of_bytes_are_neither_filled_up_nor_cut(layout):
    """A value too short or too long is refused."""
    built = compiled(f"serialize({layout}) |> udp(4242)", more=MORE)
    program = next(p.program for p in built.programs if p.program.root == "send")
    module = imported(source(program, built.specification.messages))
    right = [b"" if k is bytes else 0 for k in record_of(module).__annotations__.values()]
    at, size = (3, 4) if layout == "Query" else (2, 3)
    for length in (0, size - 1, size + 1):
        right[at] = bytes(length)
        with pytest.raises(ValueError, match=f"takes {size} bytes"):
            module.encode(record_of(module)(*right))
    right[at] = bytes(size)
    assert not any(module.encode(record_of(module)(*right)))


def test_only_what_is_used_is_printed():
    """No parser, no copies and no names for what a program does not touch."""
    text = source(kv_process())
    assert "bytearray" not in text
    assert "src_ip" not in text
    assert "Rows" not in text
    assert "primitives" not in text
