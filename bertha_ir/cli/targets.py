"""`bertha targets`: list the backends and what they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.output import say_json, summary, table
from bertha_ir.cli.status import DONE
from bertha_ir.cli.stream import say

if TYPE_CHECKING:
    import argparse


def run(parsed: argparse.Namespace) -> int:
    """Print each backend, the kinds of devices it is for and the roots of programs it takes."""
    known = api.backends()
    if parsed.json:
        targets = [
            {"name": b.name, "summary": summary(type(b)), "kinds": list(b.kinds), "roots": list(b.roots)} for b in known
        ]
        say_json(ok=True, targets=targets)
    else:
        say(table([(b.name, f"on {', '.join(b.kinds)}", ", ".join(b.roots), summary(type(b))) for b in known]))
    return DONE
