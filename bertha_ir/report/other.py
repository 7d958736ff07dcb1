"""A plan beside the one that another site gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.report.changes import changes
from bertha_ir.report.data import changed_data
from bertha_ir.report.text import outlines
from bertha_ir.report.words import gain, time

if TYPE_CHECKING:
    from bertha_ir.plan import Plan
    from bertha_ir.report.text import Style


@frozen
class Other:
    """What a plan would be otherwise, and on which condition."""

    condition: str
    plan: Plan
    other: Plan

    @property
    def gain(self) -> float:
        """By how much the other is better in what is made least, in its unit; 0 where that is not known."""
        mine, theirs = self.plan.objective, self.other.objective
        return 0.0 if mine is None or theirs is None else mine - theirs

    @property
    def same(self) -> bool:
        """Whether nothing runs elsewhere, or by something else."""
        return _runs(self.plan) == _runs(self.other) and not changes(self.plan.after, self.other.after)


def _runs(plan: Plan) -> set[tuple[str, str, str, str | None]]:
    return {(b.direction, b.op, b.device, b.implementation) for b in plan.bindings if b.active}


def beside(found: Other, style: Style) -> str:
    """Return both as text: what a request takes, the links, where ops run, and the offloads that are in use."""
    head = style.paint("title", f"stack {found.plan.stack}: {found.condition}")
    if found.same:
        return f"{head}, the plan stays as it is: {_times(found)}\n"
    text = f"{head}, the plan changes:\n" + outlines(("now", "then"), (found.plan.after, found.other.after), style)
    used = [(b.op, b.implementation, b.device) for b in found.other.bindings if b.active and b.implementation]
    return text + "".join(f"    {op} is then done by `{name}` on {device}\n" for op, name, device in used)


def _times(found: Other) -> str:
    now, then = found.plan.latency_ns, found.other.latency_ns
    less = gain(now, then)
    return f"a request takes {time(now)}" + (f", then {time(then)} ({less})" if less else "")


def other_data(found: Other) -> dict[str, object]:
    """Return it as plain data, for JSON (docs/json.md)."""
    return {
        "condition": found.condition,
        "stack": found.plan.stack,
        "same": found.same,
        "plan": found.other.id,
        "latency_ns": {"before": found.plan.latency_ns, "after": found.other.latency_ns},
        "objective": {"before": found.plan.objective, "after": found.other.objective},
        "changes": changed_data(changes(found.plan.after, found.other.after)),
    }
