"""Checks that what a chunnel or a stack requires is provided by what lies below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.diagnostics import Label
from bertha_ir.passes.codes import CH200GuaranteeMissing, CH214DemandNotMet

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.passes.topology import Path
    from bertha_ir.spec import Direction, Site, Stack


def check_guarantees(stack: Stack, direction: Direction, collector: Collector) -> None:
    """Report each requirement of a direction that nothing below provides."""
    below: set[str] = set()
    for instance in reversed(direction.instances):
        chunnel = instance.chunnel
        for missing in sorted(set(chunnel.requires) - below):
            under = ", ".join(sorted(below)) or "nothing"
            collector.add(
                CH200GuaranteeMissing,
                f"`{chunnel.name}` requires `{missing}`, and nothing below it provides that",
                instance.span,
                f"what lies below provides: {under}",
            )
        below |= set(chunnel.provides)
    for missing in sorted(set(stack.requires) - below):
        collector.add(
            CH200GuaranteeMissing,
            f"the stack requires `{missing}`, and no chunnel of its `{direction.name}` provides that",
            direction.span,
            f"its chunnels provide: {', '.join(sorted(below)) or 'nothing'}",
        )


def check_demands(stack: Stack, path: Path, site: Site, collector: Collector) -> None:
    """Report each guarantee that the operator demands of messages on a device, and a direction does not give."""
    passed = {name for stop in path.stops for name in (stop.name, stop.host)}
    for demand in (d for d in site.policy.demands if d.device in passed):
        for direction in stack.directions:
            given = {name for instance in direction.instances for name in instance.chunnel.provides}
            for missing in sorted(set(demand.guarantees) - given):
                which = f"{stack.name}.{direction.name}"
                collector.add(
                    CH214DemandNotMet,
                    f"messages pass `{demand.device}`, and nothing in `{which}` makes them `{missing}`",
                    direction.span,
                    f"add a chunnel that provides `{missing}`, or change the policy",
                    (Label(demand.span, "demanded here"),) if demand.span is not None else (),
                )
