"""`bertha prove`: say whether two chunnels may trade places, whether a rule holds, or which of the library may."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, NO, UNSETTLED, UsageError
from bertha_ir.cli.stream import complain, say
from bertha_ir.frontend.guarantees import GUARANTEES
from bertha_ir.frontend.load import load_uses
from bertha_ir.passes.smt.answer import Refuted
from bertha_ir.passes.smt.cache import Cache, default_folder
from bertha_ir.passes.smt.obligations import Prover
from bertha_ir.passes.smt.record import answer_data
from bertha_ir.passes.smt.show import incoming_rows, link_rows, outcome_rows
from bertha_ir.passes.smt.shrink import shrunk

if TYPE_CHECKING:
    import argparse

    from bertha_ir.passes.smt.answer import Status
    from bertha_ir.passes.smt.obligations import Obligation, Verdict
    from bertha_ir.spec import Specification

SHRUNK = {"sending", "receiving", "whole"}
MARK, INDENT = "→ ", "  "
EXITS: dict[Status, int] = {"proved": DONE, "refuted": NO, "unknown": UNSETTLED}


def run(parsed: argparse.Namespace) -> int:
    """Print the verdict on two chains, on the rules of the files, or on every pair of the library."""
    _check_usage(parsed)
    if parsed.all:
        from bertha_ir.cli.matrix import run_all  # noqa: PLC0415  (only where it is wanted)

        return run_all(parsed)
    if parsed.rule is not None:
        return _rule(parsed)
    specification, (first, second) = load_uses(parsed.file, parsed.chains)
    if transport := next((i for i in (*first, *second) if i.chunnel.transport is not None), None):
        message = f"`{transport.chunnel.name}` is a transport: it ends a stack, and trades places with nothing"
        raise UsageError(message, "ask about chunnels above it")
    verdict = prover_of(parsed, specification).commute(first, second, parsed.equivalence)
    above, below = parsed.chains
    return say_verdict(verdict, f"{above} |> {below}", f"{below} |> {above}", parsed)


def _check_usage(parsed: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    hint = "see `bertha prove --help`"
    if parsed.rule is not None and (parsed.all or parsed.chains):
        message = "--rule names all there is to prove: neither --all nor chains go with it"
        raise UsageError(message, hint)
    if parsed.markdown and (not parsed.all or parsed.json):
        message = "--markdown is a form of --all alone"
        raise UsageError(message, hint)
    if parsed.rule is None and not parsed.all and len(parsed.chains) != 2:  # noqa: PLR2004  (A and B)
        message = "two chains are needed, such as 'count(by = ipv4.dscp)' 'firewall(deny = [10.0.0.0/8])'"
        raise UsageError(message, hint)


def prover_of(parsed: argparse.Namespace, specification: Specification) -> Prover:
    """Return a prover with the command line's options."""
    below = None if parsed.below is None else frozenset(parsed.below.replace(",", " ").split())
    if unknown := sorted((below or frozenset()) - GUARANTEES.keys()):
        message = f"no guarantee is called `{unknown[0]}`"
        raise UsageError(message, f"guarantees: {', '.join(GUARANTEES)}")
    prover = Prover(specification, int(1000 * parsed.timeout), parsed.max_size, below)
    if parsed.no_cache:
        return prover
    return Prover(specification, prover.timeout_ms, prover.max_size, below, Cache(default_folder()))


def _rule(parsed: argparse.Namespace) -> int:
    specification, _ = load_uses(parsed.file, ())
    rule = next((r for r in specification.rules if r.name == parsed.rule), None)
    if rule is None:
        known = ", ".join(r.name for r in specification.rules) or "none"
        message = f"no rule is called `{parsed.rule}`"
        raise UsageError(message, f"rules of the files given by --file: {known}")
    left, right = (" |> ".join(i.chunnel.name for i in side) for side in (rule.left, rule.right))
    return say_verdict(prover_of(parsed, specification).rule(rule), left, right, parsed)


def say_verdict(verdict: Verdict, left: str, right: str, parsed: argparse.Namespace) -> int:
    """Print a verdict; return the exit status that goes with it."""
    verdict = evolve(verdict, parts=tuple(_plain(part) for part in verdict.parts))
    if parsed.json:
        say_json(ok=verdict.status == "proved", left=left, right=right, **verdict_data(verdict))
    else:
        say(_text(verdict, left, right))
    return EXITS[verdict.status]


def _plain(part: Obligation) -> Obligation:
    """Return a part with its counterexample made as plain as it can be."""
    answer = part.answer
    if not isinstance(answer, Refuted) or part.question is None or part.part not in SHRUNK or answer.start is None:
        return part
    return evolve(part, answer=evolve(answer, start=shrunk(part.question, answer.start)))


def verdict_data(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as plain data, with both runs of each counterexample."""
    parts = [{"part": p.part, **answer_data(p.answer), **_runs(p)} for p in verdict.parts]
    return {
        "equivalence": verdict.equivalence, "status": verdict.status, "relies_on": list(verdict.relies), "parts": parts
    }  # fmt: skip


def _runs(part: Obligation) -> dict[str, object]:
    answer = part.answer
    if not isinstance(answer, Refuted) or part.question is None or answer.start is None or answer.other is not None:
        return {}
    rows = outcome_rows(part.question, answer.start)
    return {"runs": [{"what": r.name, "left": r.left, "right": r.right, "differs": r.differs} for r in rows]}


def _text(verdict: Verdict, left: str, right: str) -> str:
    text = f"{verdict.status}: {left}  →  {right}  ({verdict.equivalence})\n"
    text += table([(p.part, p.answer.status, p.answer.reason) for p in verdict.parts], "  ")
    if verdict.relies:
        text += f"  given that what is below provides: {', '.join(verdict.relies)}\n"
    part = verdict.decisive
    if isinstance(part.answer, Refuted):
        text += _counterexample(part, part.answer)
    return text


def _counterexample(part: Obligation, answer: Refuted) -> str:
    question, start = part.question, answer.start
    if question is None or start is None:
        return ""
    text = f"\na message:\n{table(incoming_rows(question, start), '  ')}"
    if answer.other is not None:
        text += f"\nand another:\n{table(incoming_rows(question, answer.other), '  ')}"
        rows = [("", "of the one", "of the other")]
        rows += [(r.name, r.left, r.right) for r in link_rows(question, start, answer.other)]
        return text + f"\nwhat the link shows, with zeros for what is concealed:\n{table(rows, '  ')}"
    rows = [("", "as written", "changed")]
    rows += [
        (f"{MARK if row.differs else INDENT}{row.name}", row.left or "-", row.right or "-")
        for row in outcome_rows(question, start)
    ]
    return text + f"\nwhat becomes of it:\n{table(rows, '  ')}"


def progress(done: int, of: int) -> None:
    """Show how far a long run is, where someone is looking."""
    if sys.stderr.isatty():
        complain(f"\r{done} of {of} pairs" + ("\r\033[K" if done == of else ""))
