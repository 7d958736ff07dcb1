"""What is reported of a direction that runs nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.diagnostics import Label
from bertha_ir.passes.codes import CH203NowhereToRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.diagnostics import Collector
    from bertha_ir.passes.candidates import Candidate
    from bertha_ir.passes.ends import Layer
    from bertha_ir.plan import Refusal
    from bertha_ir.spec import Direction
    from bertha_ir.stack import Op


def out_of_order(
    ops: tuple[Op, ...], options: Sequence[tuple[Candidate, ...]], direction: Direction, collector: Collector
) -> None:
    """Report that no choice of devices keeps the order of a direction's ops."""
    where = "; ".join(
        f"`{op.chunnel}`: {', '.join(c.stop.name for c in found)}" for op, found in zip(ops, options, strict=True)
    )
    collector.add(
        CH203NowhereToRun,
        f"no choice of devices keeps the order of the ops; each can run only on {where}",
        ops[0].span if ops else direction.span,
        "write the ops in the order in which messages meet the devices, or relax the policy",
    )


def unplaced(layer: Layer, collector: Collector) -> None:
    """Report a chunnel of the ends that the policy keeps from both processes and from the devices beside them."""
    collector.add(
        CH203NowhereToRun,
        f"no device at the ends may run `{layer.instance.chunnel.name}`: the site's policy keeps it from the processes",
        layer.instance.span,
        "trust the hosts of both ends, or relax the policy",
    )


def nowhere(op: Op, refused: tuple[Refusal, ...], collector: Collector) -> None:
    """Report an op that every device on the path refuses."""
    reasons = "; ".join(f"{r.device}: {r.reason}" for r in refused)
    if len({r.reason for r in refused}) == 1:
        reasons = f"{', '.join(r.device for r in refused)}: {refused[0].reason}"
    labels = tuple(Label(r.span, f"{r.device}: {r.reason}") for r in refused if r.span and r.span != op.span)
    collector.add(
        CH203NowhereToRun,
        f"no device on the path can run `{op.chunnel}`: {reasons}",
        op.span,
        "relax the policy, add a device that can, or change the chunnel",
        labels,
    )
