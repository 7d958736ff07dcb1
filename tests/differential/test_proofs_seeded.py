"""Mistakes that were put in on purpose: each is refuted with a message that was run, and its mended twin is proved."""

from time import perf_counter

import pytest

from bertha_ir.frontend.load import load_uses
from bertha_ir.passes.smt.cache import Cache
from bertha_ir.passes.smt.obligations import Prover
from bertha_ir.passes.smt.question import differs, run_both

MESSAGES = """
message Q over udp { id: u16; hops: u8; kind: u8; w: u64; x: u64; y: u64; z: u64; rest: bytes; }
message two_bytes { number: u16; }
message three_bytes { number: u24; }
message frame { size: u16; kind: u8; }
"""
CODEC = "chunnel codec({}) {{ place: endpoint; needs both ends; on send(m) {{ {} }} on recv(m) {{ {} }} }}\n"


def seeded(folder, text: str, *uses: str) -> tuple[Prover, tuple]:
    file = folder / "seeded.chunnel"
    file.write_text(MESSAGES + text)
    specification, chains = load_uses([file], uses)
    return Prover(specification), chains


def replayed(verdict):
    """The start of a refutation, on which both sides were run and differ."""
    assert verdict.status == "refuted"
    part = verdict.decisive
    assert differs(part.question, *run_both(part.question.tracers(), part.answer.start))
    return part.answer.start


@pytest.mark.parametrize(
    ("send", "right", "wrong"),
    [
        ("m.Q.hops += 1;", "m.Q.hops -= 1;", "m.Q.hops -= 2;"),
        ("m.Q.hops += 1;", "m.Q.hops -= 1;", "if m.Q.hops != 0 { m.Q.hops -= 1; }"),
        ("push two_bytes { number = 7 };", "pop two_bytes else drop;", "pop three_bytes else drop;"),
        (
            "push two_bytes { number = 7 };",
            "pop two_bytes else drop;",
            "pop two_bytes else drop; if size(m.payload) == 999 { drop; }",
        ),
        (
            "push frame { size = size(m.payload) as u16, kind = 1 };",
            "pop frame else drop; if size(m.payload) != m.frame.size as u32 { drop; }",
            "pop frame else drop; if size(m.payload) + 3 != m.frame.size as u32 { drop; }",
        ),
        (
            "m.payload = http2_frame(1, m.payload); push two_bytes { number = 7 };",
            "pop two_bytes else drop; m.payload = http2_unframe(m.payload) else drop;",
            "m.payload = http2_unframe(m.payload) else drop; pop two_bytes else drop;",
        ),
        (
            "m.payload = aead_seal(key, nonce(), m.payload);",
            "m.payload = aead_open(key, m.payload) else drop;",
            "m.payload = aead_open(key, m.payload) else drop; if size(m.payload) > 65000 { drop; }",
        ),
        ("m.Q.w = m.Q.w ^ 0xff;", "m.Q.w = m.Q.w ^ 0xff;", "if m.Q.w != 0xdeadbeef { m.Q.w = m.Q.w ^ 0xff; }"),
    ],
)  # fmt: skip
def test_a_codec_that_does_not_undo_itself(tmp_path, send, right, wrong):
    """A counter that is off by one, a byte too many, a size that is not kept, one value in 2 to the 64."""
    keyed, use = ("key: secret[32]", 'codec(secret("k"))') if "key" in send else ("", "codec")
    for recv, status in ((right, "proved"), (wrong, "refuted")):
        prover, ((codec,),) = seeded(tmp_path, CODEC.format(keyed, send, recv), use)
        verdict = prover.law(codec)
        assert verdict.status == status
        if status == "refuted":
            replayed(verdict)


MERGED = """
chunnel first() {{ place: path; on packet(m) {{ if m.src.port == 7 {{ drop; }} m.Q.hops -= 1; }} }}
chunnel second() {{ place: path; on packet(m) {{ if m.Q.hops == 0 {{ bounce; }} m.Q.kind = m.Q.hops; }} }}
chunnel both() {{ place: path; on packet(m) {{
  if m.src.port == 7 {{ drop; }}
  {rare}
  m.Q.hops -= 1;
  if m.Q.hops == 0 {{ bounce; }}
  m.Q.kind = m.Q.hops;
}} }}
"""


@pytest.mark.parametrize(
    ("rare", "seen"),
    [
        ("if m.Q.id == 0xBEEF { m.Q.hops += 1; }", lambda start: start.payload[:2] == b"\xbe\xef"),
        ("if m.Q.x * 3 == 0xDEADBEEF { drop; }", lambda start: _x(start) * 3 % (1 << 64) == 0xDEADBEEF),
        ("if m.src == endpoint(10.1.2.3, 4567) { drop; }", lambda start: start.src == (0x0A010203, 4567)),
        ("if size(m.payload) == 12345 { bounce; }", lambda start: len(start.payload) == 12345),
    ],
)
def test_a_merge_that_differs_for_one_rare_value(tmp_path, rare, seen):
    """A chunnel that stands for two does the same, or the value for which it does not is found."""
    prover, (first, second, both) = seeded(tmp_path, MERGED.format(rare=""), "first", "second", "both")
    assert prover.refines(both, (*first, *second)).status == "proved"
    assert prover.rewrite((*first, *second), both, "wire").status == "proved"
    prover, (first, second, both) = seeded(tmp_path, MERGED.format(rare=rare), "first", "second", "both")
    assert seen(replayed(prover.refines(both, (*first, *second))))
    assert seen(replayed(prover.rewrite((*first, *second), both, "wire")))


def _x(start) -> int:
    return int.from_bytes(start.payload[12:20], "big")


def test_a_merge_that_counts_otherwise(tmp_path):
    """What is remembered is part of what a chunnel does."""
    text = "chunnel twice(by: field) { place: path; on packet(m) { } }\n"
    prover, (count, twice) = seeded(tmp_path, text, "count(Q.id)", "twice(Q.id)")
    start = replayed(prover.rewrite(count, twice, "wire"))
    assert start.states.keys() == {"_count_hits"}


RULES = """
rule right(x: u8, y: u8): tag(Q.kind, x) |> tag(Q.kind, y) => tag(Q.kind, y) over wire;
rule wrong(x: u8, y: u8): tag(Q.kind, x) |> tag(Q.kind, y) => tag(Q.kind, x) over wire;
rule mended(x: u8, y: u8): tag(Q.kind, x) |> tag(Q.kind, y) => tag(Q.kind, x) over wire where x == y;
rule loose(x: u8, y: u8): tag(Q.kind, x) |> tag(Q.kind, y) => tag(Q.kind, x) over wire where x * 2 == y * 2;
rule rare(x: u32, y: u32): fault(x) |> fault(y) => fault(x) over wire where x >= 1000 and y != 77;
rule deaf: count(Q.id) |> firewall([10.0.0.0/8]) => firewall([10.0.0.0/8]) |> count(Q.id) over wire;
"""


def test_wrong_rules(tmp_path):
    """A rule holds for all its parameters that the condition admits, or those for which it does not are shown."""
    prover, _ = seeded(tmp_path, RULES)
    verdicts = {rule.name: prover.rule(rule) for rule in prover.specification.rules}
    assert {name: verdict.status for name, verdict in verdicts.items()} == {
        "right": "proved", "wrong": "refuted", "mended": "proved", "loose": "refuted", "rare": "proved",
        "deaf": "refuted",
    }  # fmt: skip
    wrong, loose = (replayed(verdicts[name]).parameters for name in ("wrong", "loose"))
    assert wrong["x"] != wrong["y"]
    assert abs(loose["x"] - loose["y"]) == 128
    assert replayed(verdicts["deaf"]).src[0] >> 24 == 10


HARD = """
chunnel one() {{ place: path; on packet(m) {{ m.Q.w = m.Q.x * m.Q.y; }} }}
chunnel two() {{ place: path; on packet(m) {{
  m.Q.w = (m.Q.x & m.Q.y) * (m.Q.x | m.Q.y) {op} (m.Q.x & ~m.Q.y) * (m.Q.y & ~m.Q.x);
}} }}
"""


def test_what_is_too_hard_is_unknown_and_in_time(tmp_path):
    """An identity that mixes products of 64 bits with their bits takes z3 long: it is not claimed, though no message
    contradicts it, and the next time it is asked again.
    """
    prover, (one, two) = seeded(tmp_path, HARD.format(op="+"), "one", "two")
    cache = Cache(tmp_path / "proofs")
    hurried = Prover(prover.specification, timeout_ms=200, solver=cache)
    before = perf_counter()
    assert hurried.refines(two, one).status == "unknown"
    assert hurried.refines(two, one).status == "unknown"
    assert perf_counter() - before < 10
    assert (cache.asked, cache.hits) == (2, 0)


def test_what_is_hard_and_wrong_is_refuted(tmp_path):
    """With `-` for `+`, nearly any message tells, whether or not z3 is done in time."""
    prover, (one, two) = seeded(tmp_path, HARD.format(op="-"), "one", "two")
    replayed(Prover(prover.specification, timeout_ms=200).refines(two, one))


def test_a_needle_that_nobody_finds_is_unknown(tmp_path):
    """Two sides that differ for the factors of a product of two large primes: not proved, as it is not true."""
    rare = "if m.Q.x > 1 and m.Q.y > 1 and (m.Q.x as u32) as u64 == m.Q.x and (m.Q.y as u32) as u64 == m.Q.y"
    product = (2**32 - 5) * (2**32 - 267)
    text = f"""chunnel one() {{ place: path; on packet(m) {{ }} }}
    chunnel two() {{ place: path; on packet(m) {{ {rare} and m.Q.x * m.Q.y == {product} {{ drop; }} }} }}"""
    prover, (one, two) = seeded(tmp_path, text, "one", "two")
    assert Prover(prover.specification, timeout_ms=200).refines(two, one).status != "proved"
