"""Questions that the prover once answered wrongly, or could not be asked; each answer is tried in the interpreter."""

import pytest

from bertha_ir.diagnostics import BerthaError
from bertha_ir.frontend.load import load_uses
from bertha_ir.passes.smt.obligations import Prover
from bertha_ir.passes.smt.question import differs, run_both
from bertha_ir.passes.smt.search import starts

MESSAGES = """
message Q over udp { id: u16; kind: u8; flags: u8; name: bytes[4]; rest: bytes; }
message H { x: u16; }
chunnel mark() { place: path; on packet(m) { m.Q.kind = 7; } }
chunnel idle() { place: path; on packet(m) { } }
"""


def path(body: str, name: str = "one", more: str = "") -> str:
    return f"chunnel {name}() {{ place: path; {more} on packet(m) {{ {body} }} }}\n"


def refined(folder, text: str, one: str, other: str):
    """The verdict on `other` standing in for `one`, tried."""
    return tried(folder, text, one, other, lambda prover, a, b: prover.refines(b, a))


def commuted(folder, text: str, one: str, other: str):
    """The verdict on two chunnels trading places, tried."""
    return tried(folder, text, one, other, lambda prover, a, b: prover.commute(a, b, "wire"))


def tried(folder, text: str, one: str, other: str, asked):
    file = folder / "test.chunnel"
    file.write_text(MESSAGES + text)
    specification, (first, second) = load_uses([file], (one, other))
    verdict = asked(Prover(specification), first, second)
    for part in verdict.parts:
        question = part.question
        tracers = question.tracers()
        if part.answer.status == "refuted":
            start = part.answer.start
            assert differs(question, *run_both(tracers, start))
            for name, state in question.states().items():
                assert len(start.states[name]) <= state.size
        if part.answer.status == "proved":
            assert not any(differs(question, *run_both(tracers, s)) for s in starts(question, 1000, seed=1))
    return verdict.status


def test_a_reply_is_no_message_sent_back(tmp_path):
    """What bounces has the network's fields that it came with; a reply with the same bytes has none of them."""
    text = path("if m.ipv4.ttl == 3 { bounce; }") + path("if m.ipv4.ttl == 3 { reply m.payload; drop; }", "two")
    assert refined(tmp_path, text, "one", "two") == refined(tmp_path, text, "two", "one") == "refuted"


def test_a_header_that_is_pushed_is_not_the_networks(tmp_path):
    """An IPv4 header inside the message leaves the one in front of it alone."""
    text = """chunnel one() { place: endpoint; needs both ends;
      on send(m) { push ipv4 { ttl = 5 }; m.ipv4.dscp = 3; } on recv(m) { pop ipv4 else drop; } }"""
    assert commuted(tmp_path, text, "one", "tag(ipv4.ttl, 7)") == "proved"


@pytest.mark.parametrize(
    "body",
    [
        "let t = if m.Q.kind == 3 then random() else 0;",
        "let t = m.Q.kind == 3 and random() == 4;",
        "if m.Q.kind == 3 and random() == 4 { m.Q.id = 1; }",
    ],
)
def test_how_often_an_op_asks_for_chance_depends_on_a_value(tmp_path, body):
    """The next number is the second one only if the first was asked for."""
    text = path(f"{body} m.Q.flags = random() as u8;")
    assert commuted(tmp_path, text, "one", "mark") == "refuted"


@pytest.mark.parametrize(
    ("more", "default", "then"),
    [
        ("", "random()", "random() as u8"),
        ("state seen: map[u32 -> u32; 4] evicts;", "seen[7]", "seen[8] as u8; seen[9] = 1"),
    ],
)
def test_a_default_is_evaluated_only_where_nothing_matches(tmp_path, more, default, then):
    """A number that is drawn, or an entry that is used, only if a range is missed."""
    text = f"""chunnel one(by: ranges[u8 -> u32; 8]) {{ place: path; {more}
      on packet(m) {{ let t = by[m.Q.kind] else {default}; m.Q.flags = {then}; }} }}"""
    assert commuted(tmp_path, text, "one([0..100 -> 5])", "mark") == "refuted"


@pytest.mark.parametrize("kind", ["", "evicts"])
def test_a_map_starts_with_no_more_than_it_holds(tmp_path, kind):
    """Two keys are never in a map of one entry."""
    both = "if m.Q.kind in s { if m.Q.flags in s { if m.Q.kind != m.Q.flags { m.Q.id = 3; } } }"
    for size, status in ((1, "proved"), (2, "refuted")):
        text = path(both, more=f"state s: map[u8 -> u8; {size}] {kind};")
        assert refined(tmp_path, text, "idle", "one") == status


def test_a_full_map_of_all_keys_there_are(tmp_path):
    """A map of four entries under keys of two bits takes every key, so a key that it holds not may be added."""
    text = path("let k = m.Q.kind as u2; s[k] = 1; if not (k in s) { m.Q.id = 3; }", more="state s: map[u2 -> u8; 4];")
    assert refined(tmp_path, text.replace(" if not (k in s) { m.Q.id = 3; }", "").replace("one", "two") + text,
                   "two", "one") == "proved"  # fmt: skip


def test_what_is_stored_has_the_size_of_a_message(tmp_path):
    """No counterexample needs a gigabyte."""
    text = path("if size(s[m.Q.kind]) > 1000000000 { m.Q.id = 3; }", more="state s: map[u8 -> bytes; 8];")
    assert refined(tmp_path, text, "idle", "one") == "proved"


def test_laws_say_nothing_of_messages_that_are_too_short(tmp_path):
    """What a body would compress, if there were more bytes, does not keep messages of one byte from being looked at."""
    codec = """m.payload = if m.src.port == 3 then zstd_compress(m.payload) else m.payload;
      m.payload = zstd_decompress(m.payload) else drop;"""
    text = path("pop H else { bounce; } " + codec)
    text += path("pop H else { if m.src.port == 3 { drop; } bounce; } " + codec, "two")
    assert refined(tmp_path, text, "one", "two") == "refuted"


def test_a_field_behind_a_header_that_is_taken_off(tmp_path):
    """`Q` begins behind the header, though it was laid over the message while that was still there."""
    text = path("pop H else drop; m.Q.kind = 4;") + path("m.Q.kind = 4; pop H else drop;", "two")
    assert refined(tmp_path, text, "one", "two") == "refuted"


def test_a_field_of_bytes_that_were_replaced(tmp_path):
    """Nothing is claimed of fields that may lie behind the end."""
    text = path("m.payload = m.Q.name; m.Q.flags = 4;") + path("m.payload = m.Q.name;", "two")
    assert refined(tmp_path, text, "one", "two") == "refuted"
    assert commuted(tmp_path, text, "one", "mark") != "proved"


def test_records_may_be_chosen(tmp_path):
    """One of two records, as one of two numbers."""
    text = """chunnel one(layout: message) { place: endpoint; needs both ends; provides typed;
      on send(m) { m.payload = pack(if m.src.port == 3 then m.value else m.value); }
      on recv(m) { m.value = unpack(layout, m.payload) else drop; } }"""
    assert refined(tmp_path, text, "serialize(Q)", "one(Q)") == "proved"


def test_bytes_of_a_known_size_where_any_size_is_taken(tmp_path):
    """A field can be compressed."""
    text = path("reply zstd_compress(m.Q.name);") + path("let x = m.Q.name; reply zstd_compress(x);", "two")
    assert refined(tmp_path, text, "one", "two") == "proved"
    assert commuted(tmp_path, text, "one", "mark") == "proved"


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("chunnel one() { place: endpoint; on send(m) { emit m.payload; } on recv(m) { } }", "one"),
        (path("if s { drop; } s = true;", more="state s: bool;"), "one"),
    ],
)
def test_what_means_nothing_is_unknown(tmp_path, text, one):
    """A further message has no record to pack, and no state holds a truth value: there is no answer, and no crash."""
    assert commuted(tmp_path, text, one, "serialize(Q)") == "unknown"


def test_an_argument_that_no_table_holds_is_a_diagnostic(tmp_path):
    """A list of truth values, when it is asked about."""
    text = "chunnel one(l: list[bool; 1..4]) { place: path; on packet(m) { if l[m.Q.kind % len(l)] { drop; } } }"
    with pytest.raises(BerthaError, match="CH206"):
        commuted(tmp_path, text, "one([true, false])", "mark")
