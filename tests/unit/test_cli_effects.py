"""`bertha effects`, the survey and the sizes behind it: everything is read off bodies."""

import json

import pytest

from bertha_ir.cli.main import main
from bertha_ir.frontend.load import library, load, load_uses
from bertha_ir.frontend.uses import library_uses, sample_use
from bertha_ir.passes.survey import survey

OWN = """
endpoint a = 10.0.0.9:9000;
message head { number: u16; }
message tail { number: u32; }
chunnel own(by: field, to: endpoint) {
  place: path;
  state seen: map[type(by) -> u64; 16];
  state last: u64;
  on packet(m) {
    if m.by in seen { bounce; }
    if random() == 1 { drop; }
    seen[m.by] = now();
    last += 1;
    clone to to;
    m.dst = to;
  }
  on reply(m) { last = 0; m.src = to; }
}
"""
SIZES = {
    "": [0],
    "m.payload = m.payload;": [0],
    "m.payload = http2_frame(1, m.payload);": [9],
    "let x = http2_frame(1, m.payload); m.payload = http2_frame(2, x);": [18],
    "m.payload = http2_unframe(m.payload) else drop;": [-9],
    "m.payload = http2_unframe(m.payload) else { };": [-9, 0],
    "m.payload = zstd_compress(m.payload);": None,
    'm.payload = "abc";': None,
    "push head { number = 1 };": [2],
    "push head { number = 1 }; push tail { number = 1 };": [6],
    "pop tail else drop;": [-4],
    "pop tail else { bounce; }": [-4, 0],
    "if m.src.port == 7 { push head { number = 1 }; }": [0, 2],
    "if m.src.port == 7 { push head { number = 1 }; drop; }": [0],
    "if m.src.port == 7 { push head { number = 1 }; bounce; }": [0, 2],
    "if m.src.port == 7 { drop; } else { drop; }": [],
    "drop;": [],
    "m.payload = if m.src.port == 7 then http2_frame(1, m.payload) else m.payload;": [0, 9],
    "repeat 3 { m.dst = m.src; }": [0],
    "repeat 300 { push head { number = 1 }; }": None,
    "repeat 3 { if m.src.port == 7 { drop; } }": [0],
    "reply http2_frame(1, m.payload); emit m.payload;": [0],
}


@pytest.fixture
def own(tmp_path):
    """A file with a chunnel that does a little of everything."""
    (tmp_path / "own.chunnel").write_text(OWN)
    return tmp_path / "own.chunnel"


def answer(capsys, *arguments: object) -> list[dict]:
    assert main(["effects", *map(str, arguments), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["schema"], data["ok"]) == (1, True)
    return data["uses"]


@pytest.mark.parametrize("body", SIZES)
def test_sizes_follow_the_statements(tmp_path, body):
    """Each way through the body that ends in a message going on, or back, contributes its difference in bytes."""
    file = tmp_path / "sized.chunnel"
    file.write_text(
        f"{OWN}chunnel sized() {{ place: endpoint; needs both ends; on send(m) {{ {body} }} on recv(m) {{ }} }}"
    )
    specification, ((sized,),) = load_uses([file], ["sized"])
    growth = survey((sized,), specification)[0].handlers[0].growth
    assert (None if growth is None else sorted(growth)) == SIZES[body]


def test_every_effect_is_listed(capsys, own):
    """Reads, writes, states and how, ends, further messages, inputs: of the body with its arguments, by handler."""
    (use,) = answer(capsys, "own(ipv4.ttl, 10.0.0.1:1)", "--file", own)
    assert (use["use"], use["id"], use["chunnel"], use["place"]) == ("own(ipv4.ttl, 10.0.0.1:1)", "own", "own", "path")
    packet, reply = use["handlers"]
    assert packet == {
        "event": "packet",
        "reads": ["ipv4.ttl"],
        "writes": ["dst.ip", "dst.port"],
        "states": [
            {"name": "seen", "read": True, "written": True},
            {"name": "last", "read": False, "written": True},
        ],
        "drops": True,
        "bounces": True,
        "sends": ["clone"],
        "redirects": True,
        "inputs": ["now", "random"],
        "growth": [0],
    }
    assert (reply["event"], reply["writes"], reply["redirects"]) == ("reply", ["src.ip", "src.port"], False)
    assert (reply["drops"], reply["sends"], reply["inputs"]) == (False, [], [])


def test_addresses_are_the_transports(capsys):
    """Below a transport at the chain's end, the field that holds an address is that part of the address."""
    alone, chained, _ = answer(capsys, "count(udp.src_port)", "count(udp.src_port) |> udp(1)")
    assert alone["handlers"][0]["reads"] == ["udp.src_port"]
    assert chained["handlers"][0]["reads"] == ["src.port"]


def test_arguments_decide(capsys):
    """What an argument makes impossible is no effect: one in none is never sampled."""
    some, none = answer(capsys, "sample(7, 10.0.0.1:1)", "sample(0, 10.0.0.1:1)")
    assert (some["handlers"][0]["sends"], some["handlers"][0]["inputs"]) == (["clone"], ["random"])
    assert (none["handlers"][0]["sends"], none["handlers"][0]["inputs"]) == ([], [])


def test_the_library_is_surveyed_whole(capsys):
    """Every chunnel but the transports, with what its file says of it; sizes where the primitives and headers tell."""
    uses = {u["chunnel"]: u for u in answer(capsys)}
    assert set(uses) == {c.name for c in library() if c.transport is None}
    assert (uses["encrypt"]["both_ends"], uses["encrypt"]["provides"]) == (
        True,
        ["confidential", "authentic", "boundaries"],
    )
    assert uses["http2"]["requires"] == ["ordered", "reliable"]
    growth = {f"{n}.{h['event']}": h["growth"] for n, u in uses.items() for h in u["handlers"]}
    sized = {"encrypt.send": [32], "encrypt.recv": [-32], "http2.send": [9], "reliable.send": [5], "order.recv": [-4]}
    assert {name: growth[name] for name in sized} == sized
    assert (growth["encapsulate.send"], growth["compress.send"], growth["reliable.timer"]) == ([22], None, [])


def test_the_table_fits_a_page(capsys):
    """At most 100 columns, a row for each handler, and the samples that stand for the library."""
    assert main(["effects"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert out.startswith("handler ")
    assert "\nreliable.recv " in out
    assert "\nencrypt      both  confidential, authentic, boundaries  -\n" in out
    assert all(f"  {use}\n" in out for use in library_uses())


def test_the_table_of_given_uses(capsys, own):
    """Signs, words and lists as they are read; no samples are named; a transport alone has no handlers."""
    assert main(["effects", "own(ipv4.ttl, a) |> http2", "--file", str(own)]) == 0
    assert capsys.readouterr().out == (
        "handler     reads     writes            state            does                     inputs       bytes\n"
        "own.packet  ipv4.ttl  dst.ip, dst.port  seen rw, last w  drops, bounces, copies,  now, random  0\n"
        "                                                         routes\n"
        "own.reply   -         src.ip, src.port  last w           -                        -            0\n"
        "http2.send  payload   payload           -                -                        -            +9\n"
        "http2.recv  payload   payload           -                drops                    -            -9\n"
        "\n"
        "use    ends  provides    requires\n"
        "http2  both  boundaries  ordered, reliable\n"
    )
    assert main(["effects", "udp(3)"]) == 0
    assert capsys.readouterr().out == "use  ends  provides    requires\nudp  -     boundaries  -\n"


def test_mistakes_are_diagnostics(capsys):
    """A use that is none: status 1, the argument underlined; with `--json`, as the answer."""
    assert main(["effects", "compress", "cuont(ipv4.dscp)"]) == 1
    err = capsys.readouterr().err
    assert "error[CH012]: no chunnel is called `cuont`\n --> argument 2:1:1\n" in err
    assert main(["effects", "", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (found["code"], found["file"]) == ("CH005", "argument 1")


def test_samples_can_be_used():
    """Every sample is well typed, names its chunnel, and fields are spread: not all choose by one."""
    uses = library_uses()
    _, chains = load_uses((), uses)
    assert [chain[0].chunnel.name for chain in chains] == [c.name for c in library() if c.transport is None]
    fields = {use.partition("by = ")[2].partition(",")[0].rstrip(")") for use in uses if "by = " in use}
    assert len(fields) >= 4
    assert uses == library_uses()


def test_a_sample_fits_the_types_of_its_parameters(tmp_path):
    """Of every type a parameter may have, of the narrowest width and the shortest list."""
    file = tmp_path / "types.chunnel"
    file.write_text(
        "chunnel types(one: u1, wide: u128, yes: bool, four: bytes[4], any: bytes, e: endpoint, f: field,\n"
        "g: type(f), m: message, k: secret[16], l: list[u2; 3..4], s: list[bool; 0..1], p: prefixes[ipv4; 4],\n"
        "r: ranges[u2 -> bool; 3], d: u8 = 3) "
        "{ place: path; on packet(m2) { drop; } }"
    )
    chunnel = next(c for c in load([file]).chunnels if c.name == "types")
    use = sample_use(chunnel, iter(["ipv4.ttl"]))
    _, ((instance,),) = load_uses([file], [use])
    assert [name for name, _ in instance.arguments] == [p.name for p in chunnel.parameters]
    assert " d = " not in use
