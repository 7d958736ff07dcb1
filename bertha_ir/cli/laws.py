"""`bertha laws`: check the laws that chunnels state of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.prove import EXITS, prover_of, verdict_data
from bertha_ir.cli.status import DONE, NO, UNSETTLED
from bertha_ir.cli.stream import say
from bertha_ir.frontend.load import load_uses
from bertha_ir.frontend.uses import library_uses

if TYPE_CHECKING:
    import argparse


def run(parsed: argparse.Namespace) -> int:
    """Print whether each law holds, of the chains given or of the whole library."""
    texts = parsed.chains or library_uses()
    specification, chains = load_uses(parsed.file, texts)
    prover = prover_of(parsed, specification)
    stated = [instance for chain in chains for instance in chain if instance.chunnel.laws]
    verdicts = [(instance.chunnel.name, prover.law(instance)) for instance in stated]
    if parsed.json:
        laws = [{"chunnel": name, "law": "recv(send(m)) == m", **verdict_data(v)} for name, v in verdicts]
        say_json(ok=all(v.status == "proved" for _, v in verdicts), laws=laws)
    else:
        rows = [(name, "recv(send(m)) == m", v.status, v.decisive.answer.reason) for name, v in verdicts]
        say(table(rows) if rows else "no chunnel here states a law\n")
    found = {EXITS[v.status] for _, v in verdicts}
    return NO if NO in found else UNSETTLED if UNSETTLED in found else DONE
