"""`bertha plan`: say what would run where, why, and at what cost."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.building import build
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE
from bertha_ir.cli.stream import say

if TYPE_CHECKING:
    import argparse

    from bertha_ir.plan import Binding, Outline, Plan


def run(parsed: argparse.Namespace) -> int:
    """Print the plan of each stack."""
    plans = build(parsed, "placed", "a plan").plans
    if parsed.json:
        say_json(ok=True, plans=[api.plan_data(plan) for plan in plans])
    else:
        say("\n".join(_summary(plan) for plan in plans))
    return DONE


def _summary(plan: Plan) -> str:
    """Return the plan's text: the path, what runs where, what refuses and why, the cost, and on whose word it rests."""
    ends = (f"{end} on {host or 'any host'}" for end, host in zip(plan.ends, plan.hosts, strict=True))
    text = f"stack {plan.stack}: {', '.join(ends)}{_service(plan)}\n"
    if plan.path:
        text += f"  path: {' - '.join(plan.path)}\n"
    for direction in ("request", "response"):
        if rows := [_row(b) for b in _in_order(plan, direction)]:
            text += f"  {direction}:\n{table(rows, '    ')}"
    if plan.refusals:
        text += "  refused:\n" + table([(r.op, r.device, r.reason) for r in plan.refusals], "    ")
    if plan.ledger:
        rows = [(e.rewrite, e.status, f"by {e.by}", e.detail) for e in plan.ledger]
        text += "  rewritten:\n" + table(rows, "    ")
    text += f"  latency of a request of {plan.message_bytes} bytes: {_time(plan.latency_ns)} by `{plan.cost_model}`\n"
    if plan.before is not None:
        rows = [_outline(name, o) for name, o in (("as written", plan.before), ("as planned", plan.after))]
        text += "  compared:\n" + table(rows, "    ")
    text += "".join(f"  assumed: {assumption.text}\n" for assumption in plan.assumptions)
    return text + f"  id: {plan.id}\n"


def _in_order(plan: Plan, direction: str) -> list[Binding]:
    """Return a direction's bindings in the order in which messages meet the ops."""
    order = next((o.ops for o in plan.orders if o.direction == direction), ())
    ours = (b for b in plan.bindings if b.direction == direction)
    return sorted(ours, key=lambda b: order.index(b.op) if b.op in order else len(order))


def _outline(name: str, outline: Outline) -> tuple[str, ...]:
    """Return a row: the latency of a request, the links that messages cross, and the requests' ops where they run."""
    links = ", ".join(f"{count} {kind}" for kind, count in outline.crossings)
    ops = [(op.removeprefix("request."), device) for op, device in outline.runs if op.startswith("request.")]
    return name, _time(outline.latency_ns), links, " - ".join(f"{op} on {device}" for op, device in ops)


def _service(plan: Plan) -> str:
    if plan.service is None:
        return ""
    address, port = plan.service
    return f", at {'any address' if address is None else IPv4Address(address)}:{port}"


def _row(binding: Binding) -> tuple[str, ...]:
    chosen = "runs" if binding.active else "standby"
    where = f"{binding.backend} {binding.hook}"
    return binding.op, chosen, binding.device, where, _time(binding.latency_ns), binding.reason


def _time(nanoseconds: float | None) -> str:
    """Return a time with its unit and three significant digits."""
    if nanoseconds is None:
        return "unknown"
    if nanoseconds < 1e3:  # noqa: PLR2004  (the unit's own size)
        return f"{nanoseconds:.3g} ns"
    return f"{nanoseconds / 1e3:.3g} µs" if nanoseconds < 1e6 else f"{nanoseconds / 1e6:.3g} ms"  # noqa: PLR2004
