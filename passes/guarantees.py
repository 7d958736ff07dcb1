"""Checks that what a chunnel or a stack requires is provided by what lies below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.passes.codes import CH200GuaranteeMissing

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.spec import Direction, Stack


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
