"""The verdicts on all pairs of the library's chunnels, each checked in another way than it was found."""

import pytest
from project import ROOT

from bertha_ir.cli.matrix import page
from bertha_ir.frontend.load import load_uses
from bertha_ir.frontend.uses import library_uses
from bertha_ir.passes.smt.answer import Proved, Refuted
from bertha_ir.passes.smt.matrix import matrix
from bertha_ir.passes.smt.obligations import Prover
from bertha_ir.passes.smt.question import differs, run_both
from bertha_ir.passes.smt.search import starts
from bertha_ir.passes.smt.secrecy import looks_alike

MESSAGES = 2000
PAGE = ROOT / "docs" / "matrix.md"


class Progress:
    """Nobody looks."""

    def __call__(self, done: int, of: int) -> None:
        assert done <= of


@pytest.fixture(scope="module")
def pairs():
    """Every pair, asked anew."""
    specification, chains = load_uses([], library_uses())
    return matrix(Prover(specification), dict(zip(named(), chains, strict=True)), Progress())


def named() -> dict[str, str]:
    """The uses by the chunnel's name."""
    return {use.partition("(")[0]: use for use in library_uses()}


def parts(pairs):
    """Each part of each verdict, with the pair's name."""
    for pair in pairs:
        for verdict in pair.verdicts:
            for part in verdict.parts:
                yield f"{pair.above} |> {pair.below}, {verdict.equivalence}, {part.part}", part


def test_every_pair_of_at_least_twenty_chunnels_is_settled(pairs):
    """No pair is left unknown."""
    assert len({p.above for p in pairs}) >= 20
    assert len(pairs) == len({p.above for p in pairs}) * (len({p.above for p in pairs}) - 1)
    assert [name for name, part in parts(pairs) if part.answer.status == "unknown"] == []


def test_each_refutation_has_a_message_on_which_the_sides_differ(pairs):
    """The interpreter runs both sides from the recorded start, and they differ; for secrecy, two messages tell."""
    refuted = [(name, part) for name, part in parts(pairs) if isinstance(part.answer, Refuted)]
    assert len(refuted) > 100
    for name, part in refuted:
        assert part.answer.start is not None, name
        if part.part == "secrecy":
            assert not looks_alike(part.question, part.answer.start, part.answer.other), name
        else:
            assert differs(part.question, *run_both(part.question.tracers(), part.answer.start)), name


def test_what_is_proved_holds_of_random_messages(pairs):
    """For each proved pair, 2,000 messages and states that are made of the bodies' constants give equal traces."""
    proved = {frozenset(part.question.sides): (name, part) for name, part in parts(pairs) if proves_sameness(part)}
    assert len(proved) > 50
    for name, part in proved.values():
        question = part.question
        tracers = question.tracers()
        for start in starts(question, MESSAGES, seed=1):
            assert not differs(question, *run_both(tracers, start)), f"{name}: {start}"


def proves_sameness(part) -> bool:
    return part.part in {"sending", "receiving", "whole"} and isinstance(part.answer, Proved)


def test_the_page_is_up_to_date(pairs, update_golden):
    """`docs/matrix.md` is what is answered; `--update-golden` writes it."""
    if update_golden:
        PAGE.write_text(page(named(), pairs))
    assert PAGE.read_text() == page(named(), pairs)


def test_cvc5_agrees_with_every_certificate(pairs):
    """Another solver, given only the text, finds it unsatisfiable, too."""
    second = pytest.importorskip("bertha_ir.passes.smt.second")
    texts = {p.answer.certificate for _, p in parts(pairs) if isinstance(p.answer, Proved) and p.answer.certificate}
    assert len(texts) > 100
    assert {second.recheck(text, 20) for text in texts} == {"unsat"}
