"""What `bertha plan` is asked about other sites: `--what-if` and `--next`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir import api
from bertha_ir.cli.building import build
from bertha_ir.cli.stream import complain
from bertha_ir.diagnostics import BerthaError
from bertha_ir.report.other import Other
from bertha_ir.report.relaxed import relaxations

if TYPE_CHECKING:
    import argparse

    from bertha_ir.api import Compiled

LEAST = 1e-6  # of the objective: below that, it is rounding


def what_if(parsed: argparse.Namespace, compiled: Compiled) -> list[Other]:
    """Return the plans of the changed site beside those of the site. Raises `BerthaError`, for texts with mistakes and
    where there is no plan then.
    """
    then = {plan.stack: plan for plan in build(parsed, "placed", "a plan", parsed.what_if).plans}
    condition = f"with `{' '.join(' '.join(parsed.what_if).split())}`"
    return [Other(condition, plan, then[plan.stack]) for plan in compiled.plans]


def better(parsed: argparse.Namespace, compiled: Compiled) -> list[Other]:
    """Return the plans that are better without one limit of the site, the best for each stack first."""
    found: list[Other] = []
    relaxed = list(relaxations(compiled.specification.site))
    for number, row in enumerate(relaxed, 1):
        _progress(number, len(relaxed))
        specification = evolve(compiled.specification, site=row.site)
        try:
            then = api.build_from(specification, pipeline="plan", cost_model=parsed.cost_model, verify=False)
        except BerthaError:  # another rule needs it: `prefer x on [d]` of a device that is trusted for it, say
            continue
        found += [Other(row.without, a, b) for a, b in zip(compiled.plans, then.plans, strict=True)]
    gains = [other for other in found if other.gain > LEAST * abs(other.plan.objective or 0)]
    return sorted(gains, key=lambda other: (other.plan.stack, -other.gain))


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        complain(f"\rplan {done} of {of}" + ("\r\033[K" if done == of else ""))
