"""What the placement asks of a cost model."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from bertha_ir.cost_models.base import CostModelError, DeviceView, LinkView
from bertha_ir.cost_models.units import ByteCount
from bertha_ir.cost_models.work import measure
from bertha_ir.diagnostics import BerthaError, Collector
from bertha_ir.passes.codes import CH212NoCost
from bertha_ir.plan import Crossing

if TYPE_CHECKING:
    from bertha_ir.cost_models.base import CostModel
    from bertha_ir.passes.candidates import Candidate
    from bertha_ir.passes.topology import Path, Stop
    from bertha_ir.source import Span

MESSAGE_BYTES = 256


def op_latency(candidate: Candidate, model: CostModel) -> float | None:
    """Return the nanoseconds an op adds to a message at a stop, or None when the model cannot say."""
    stop, device = candidate.stop, candidate.stop.device
    profile = device.get("profile") if device else None
    view = DeviceView(
        stop.name, stop.kind, profile if isinstance(profile, str) else None, device.attributes if device else ()
    )  # fmt: skip
    try:
        size = ByteCount(MESSAGE_BYTES)
        entry, op = model.entry_cost(view, size), model.op_cost(measure(candidate.program), view, size)
        cost = entry + op if entry and op else None
    except CostModelError as error:
        collector = Collector()
        collector.add(CH212NoCost, str(error), _profile_span(stop), "name a profile that there is, or none")
        raise BerthaError(tuple(collector.found)) from error
    return cost.latency.value if cost else None


def _profile_span(stop: Stop) -> Span | None:
    attributes = stop.device.attributes if stop.device else ()
    return next((a.span for a in attributes if a.name == "profile"), None)


def crossings(path: Path, model: CostModel) -> tuple[Crossing, ...]:
    """Return what every message crosses: the path's links, and the system call between a kernel and its process."""
    found: list[Crossing] = []
    links = {frozenset((link.a, link.b)): link for link in path.links}
    for a, b in pairwise(path.stops):
        link = links.get(frozenset((a.host, b.host)))
        view = LinkView(link.kind, link.attributes) if link else LinkView(_local(a, b))
        cost = model.crossing_cost(view, ByteCount(MESSAGE_BYTES))
        latency = cost.latency.value if cost else None
        found.append(Crossing("request", a.name, b.name, view.kind, latency))
        found.append(Crossing("response", b.name, a.name, view.kind, latency))
    return tuple(found)


def _local(a: Stop, b: Stop) -> str:
    """Return what lies between two stops that no link of the site connects."""
    return "syscall" if a.host == b.host and a.kind != b.kind else "loopback"
