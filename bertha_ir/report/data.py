"""A plan's explanation as plain data, for JSON (docs/json.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import asdict

from bertha_ir.report.changes import since
from bertha_ir.report.journey import Hop, planned
from bertha_ir.report.reasons import reasons

if TYPE_CHECKING:
    from bertha_ir.plan import Plan
    from bertha_ir.report.changes import Changes
    from bertha_ir.report.journey import Journey


def explained(plan: Plan) -> dict[str, object]:
    """Return what each direction's messages meet, with its part of the cost, and what the plan changes."""
    changed = None if plan.before is None else changed_data(since(plan.before, plan.after))
    journeys = [_journey(journey) for journey in planned(plan)]
    return {"journeys": journeys, "changes": changed, "reasons": list(reasons(plan))}


def changed_data(found: Changes) -> dict[str, object]:
    """Return what is not the same in two outlines."""
    crossings = {kind: {"before": one, "after": other} for kind, one, other in found.crossings}
    moves = [asdict(move) for move in found.moves]
    return {"moves": moves, "reordered": list(found.reordered), "crossings": crossings}


def _journey(journey: Journey) -> dict[str, object]:
    steps = [
        {"crosses": step.kind, "a": step.a, "b": step.b, "latency_ns": step.latency_ns, "share": step.share}
        if isinstance(step, Hop)
        else {"op": step.op, "device": step.device, "latency_ns": step.latency_ns, "share": step.share}
        for step in journey.steps
    ]
    shares = dict(journey.shares())
    return {"direction": journey.direction, "latency_ns": journey.latency_ns, "steps": steps, "shares": shares}
