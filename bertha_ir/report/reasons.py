"""Why a plan is better than the stack as written: what it changes, in words."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from bertha_ir.report.changes import since
from bertha_ir.report.words import links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.plan import Binding, Plan

_HOOKS = ("ingress", "egress", "pipeline", "process")


def reasons(plan: Plan) -> tuple[str, ...]:
    """Return what the plan does that the stack as written does not, one clause each; none where that is nothing."""
    return tuple(_reasons(plan))


def _reasons(plan: Plan) -> Iterator[str]:
    if plan.before is None:
        return
    yield from (e.rewrite.partition(": ")[2] for e in plan.ledger if " left out, " in e.rewrite)
    found = since(plan.before, plan.after)
    for move in (m for m in found.moves if None not in {m.before, m.after}):
        yield f"{_named(move.op)} runs on {move.after} and not on {move.before}"
    for direction in found.reordered:
        written = [op for op, _ in plan.before.runs if op.startswith(f"{direction}.")]
        planned = [op for op, _ in plan.after.runs if op in written]
        yield f"{direction}s meet {', then '.join(_named(op) for op in _moved(written, planned))}"
    if found.crossings:
        had, has = (tuple((kind, row[n]) for kind, *row in found.crossings) for n in (0, 1))
        yield f"they cross {links(has)} in place of {links(had)}"
    for (device, hook), ops in _together(plan).items():
        what = "one process" if hook == "process" else f"one program of {device}"
        yield f"{_list(ops)} are {what}, entered once"
    for name, ops in _offloads(plan).items():
        yield f"one offload, {name}, does {_list(ops)}"


def _moved(written: list[str], planned: list[str]) -> list[str]:
    """Return the part of the new order in which it differs from the old."""
    same = [a == b for a, b in zip(written, planned, strict=True)]
    first, last = same.index(False), len(same) - same[::-1].index(False)
    return planned[first:last]


def _together(plan: Plan) -> dict[tuple[str, str], list[str]]:
    """Return the ops of the path that share a program, by device and hook."""
    rows: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for b in (b for b in plan.bindings if b.active and b.hook in _HOOKS and b.op.endswith(".packet")):
        rows[b.device, b.hook, b.direction].append(_named(f"{b.direction}.{b.op}"))
    return {(device, hook): ops for (device, hook, _), ops in rows.items() if len(ops) > 1}


def _offloads(plan: Plan) -> dict[str, list[str]]:
    rows: dict[tuple[str, str], list[Binding]] = defaultdict(list)
    for b in plan.bindings:
        if b.active and b.implementation is not None:
            rows[b.implementation, b.device].append(b)
    return {f"{name} on {device}": [b.op for b in ops] for (name, device), ops in rows.items() if len(ops) > 1}


def _named(op: str) -> str:
    """Return an op of the path by its chunnel alone, another by its end as well."""
    _, _, name = op.partition(".")
    return name.removesuffix(".packet")


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
