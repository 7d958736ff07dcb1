"""`bertha check`: report every mistake in a specification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.output import has_errors, report
from bertha_ir.cli.status import DONE, NO

if TYPE_CHECKING:
    import argparse


def run(parsed: argparse.Namespace) -> int:
    """Print the mistakes, nothing when there is none."""
    found = api.check([*parsed.files, *parsed.site])
    report(found, as_json=parsed.json)
    return NO if has_errors(found) else DONE
