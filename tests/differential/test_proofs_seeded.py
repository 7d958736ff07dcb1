"""Mistakes put in on purpose are each found, with a message that the interpreter has run; hard questions stay open."""

import pytest

from bertha_ir.frontend.load import load_uses
from bertha_ir.passes.smt.answer import Refuted
from bertha_ir.passes.smt.obligations import Prover
from bertha_ir.passes.smt.question import differs, run_both

APP = "message App { kind: u16; mark: u16; number: u32; rest: bytes; }\n"
CODEC = """
message stamp {{ number: u16; }}
chunnel codec() {{ place: endpoint; needs both ends;
  on send(m) {{ {send} }} on recv(m) {{ {recv} }} law recv(send(m)) == m; }}
"""
LAWS = {
    "proved": ("push stamp { number = 7 };", "pop stamp else drop;"),
    "a counter off by one": ("m.App.kind += 1;", "m.App.kind -= 2;"),
    "a value that is lost": ("push stamp { number = m.App.kind }; m.App.kind = 0;", "pop stamp else drop;"),
    "a drop of one value": ("push stamp { number = 7 };", "pop stamp else drop; if m.dst.port == 4242 { drop; }"),
    "a byte that stays": ("push stamp { number = 7 };", "m.payload = m.payload;"),
}
PARTS = """
chunnel first() { on packet(m) { if m.App.kind == 1 { m.App.mark = 5; } } }
chunnel second() { state seen: map[u16 -> u64; 64]; on packet(m) { seen[m.App.mark] += 1; } }
"""
MERGED = """
chunnel merged() {{ state seen: map[u16 -> u64; 64];
  on packet(m) {{ if m.App.kind == 1 {{ m.App.mark = 5; }} {extra} {count} }} }}
"""
MERGES = {
    "proved": ("", "seen[m.App.mark] += 1;"),
    "one rare value": ("if m.App.number == 0xdead_beef { m.App.mark = 6; }", "seen[m.App.mark] += 1;"),
    "one rare pair": ("if m.src.port == 99 and m.App.number == 7 { drop; }", "seen[m.App.mark] += 1;"),
    "one rare sum": ("if m.App.number + 3 == m.src.ip * 5 + 1 { m.App.kind = 0; }", "seen[m.App.mark] += 1;"),
}
HARD = """
chunnel plain(k: u32) { on packet(m) {
  let a = ((m.src.ip as u64) << 32) | (m.dst.ip as u64); let b = ((m.App.number as u64) << 32) | (m.App.mark as u64);
  if (a ^ b) * (a ^ b) == 0x1234_5678_9abc_def1 { drop; } } }
chunnel twisted(k: u32) { on packet(m) {
  let a = ((m.src.ip as u64) << 32) | (m.dst.ip as u64); let b = ((m.App.number as u64) << 32) | (m.App.mark as u64);
  let sum = a + b - 2 * (a & b);
  if sum * sum == 0x1234_5678_9abc_def1 { drop; } } }
"""


def loaded(tmp_path, text: str, *uses: str):
    file = tmp_path / "seeded.chunnel"
    file.write_text(APP + text)
    return load_uses([file], uses)


def assert_refuted(part) -> None:
    assert isinstance(part.answer, Refuted)
    assert differs(part.question, *run_both(part.question.tracers(), part.answer.start))


@pytest.mark.parametrize("name", LAWS)
def test_a_wrong_law_is_refuted(tmp_path, name):
    """A `recv` that does not give back what `send` was given."""
    send, recv = LAWS[name]
    specification, ((codec,),) = loaded(tmp_path, CODEC.format(send=send, recv=recv), "codec")
    verdict = Prover(specification).law(codec)
    if name == "proved":
        assert verdict.status == "proved"
    else:
        assert_refuted(verdict.decisive)


@pytest.mark.parametrize("name", MERGES)
def test_a_wrong_merge_is_refuted(tmp_path, name):
    """A body that stands for two others, but for one message in 2^32."""
    extra, count = MERGES[name]
    text = PARTS + MERGED.format(extra=extra, count=count)
    specification, (parts, merged) = loaded(tmp_path, text, "first |> second", "merged")
    verdict = Prover(specification).refines(merged, parts)
    if name == "proved":
        assert verdict.status == "proved"
    else:
        assert_refuted(verdict.decisive)


def test_a_merge_that_forgets_its_state_is_refuted(tmp_path):
    """What the merged body counts is what the two counted; one that counts twice is found out."""
    text = PARTS + MERGED.format(extra="", count="seen[m.App.mark] += 2;")
    specification, (parts, merged) = loaded(tmp_path, text, "first |> second", "merged")
    assert Prover(specification).refines(merged, parts).status == "proved"  # other state is its own
    assert Prover(specification).rewrite(parts, merged, "wire").status == "refuted"


def test_a_hard_question_stays_open(tmp_path):
    """Squares of 64 bits that are the same: z3 does not see it in a fifth of a second, and nothing is claimed."""
    specification, (plain, twisted) = loaded(tmp_path, HARD, "plain(1)", "twisted(1)")
    verdict = Prover(specification, timeout_ms=200).rewrite(plain, twisted, "wire")
    assert verdict.status == "unknown"
    assert "z3 gave up" in verdict.decisive.answer.reason
