"""A plan as a figure: devices as columns, and row by row what messages meet on them. `svg` draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.report.changes import since
from bertha_ir.report.journey import Hop, planned, written
from bertha_ir.report.words import gain, links, time

if TYPE_CHECKING:
    from bertha_ir.plan import Outline, Plan
    from bertha_ir.report.journey import Journey, Run


@frozen
class Box:
    """An op in a column. `moved`: it was in another one; `offload`: a device's maker supplies it."""

    column: int
    op: str
    device: str
    cost: str
    moved: bool = False
    offload: bool = False


@frozen
class Arrow:
    """A link that messages cross, from column to column."""

    a: int
    b: int
    kind: str
    cost: str


Row = Box | tuple[Arrow, ...]
"""An op, or the links on the way to the next one."""


@frozen
class Panel:
    """One state of a plan: as written or as planned. `ways`: by direction, the rows from the first to the last.
    `columns`: the devices; `links`: the kind of each link between two of them.
    """

    title: str
    columns: tuple[str, ...]
    links: tuple[str, ...]
    ways: tuple[tuple[str, tuple[Row, ...]], ...]


def panels(plan: Plan) -> tuple[Panel, ...]:
    """Return the stack as written, if that is known, and as planned."""
    after = planned(plan)
    between = _between(plan)
    found = []
    if plan.before is not None:
        ways = tuple((j.direction, _rows(j, frozenset())) for j in written(plan))
        found.append(Panel(_title("as written", plan.before), plan.path, between, ways))
    changed = since(plan.before, plan.after) if plan.before is not None else None
    moved = frozenset(m.op for m in changed.moves) if changed else frozenset()
    less = gain(plan.before.latency_ns, plan.latency_ns) if plan.before is not None else ""
    ways = tuple((j.direction, _rows(j, moved)) for j in after)
    return (*found, Panel(_title("as planned", plan.after, less), plan.path, between, ways))


def _title(name: str, outline: Outline, less: str = "") -> str:
    gained = f" ({less})" if less else ""
    return f"{name}: {time(outline.latency_ns)} a request{gained}, crossings: {links(outline.crossings)}"


def _between(plan: Plan) -> tuple[str, ...]:
    kinds = {frozenset((c.a, c.b)): c.kind for c in plan.crossings}
    return tuple(kinds.get(frozenset(pair), "") for pair in zip(plan.path, plan.path[1:], strict=False))


def _rows(journey: Journey, moved: frozenset[str]) -> tuple[Row, ...]:
    last = len(journey.stops) - 1

    def column(stop: int) -> int:
        return stop if journey.direction == "request" else last - stop

    rows: list[Row] = []
    going: list[Arrow] = []
    at = 0
    for step in journey.steps:
        if isinstance(step, Hop):
            at = step.stops[1]
            cost = time(step.latency_ns) if step.latency_ns is not None else ""
            going.append(Arrow(column(step.stops[0]), column(at), step.kind, cost))
            continue
        if going:
            rows.append(tuple(going))
            going = []
        where = column(at if step.stop is None else step.stop)
        rows.append(_box(step, where, moved=f"{journey.direction}.{step.op}" in moved))
    return (*rows, tuple(going)) if going else tuple(rows)


def _box(run: Run, column: int, *, moved: bool) -> Box:
    cost = time(run.latency_ns) if run.binding is not None else ""
    offload = run.binding is not None and run.binding.implementation is not None
    return Box(column, run.op, run.device, cost, moved, offload)
