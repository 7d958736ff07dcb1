"""What any cost model must keep, as a check that plug-ins can run on theirs."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from bertha_ir.cost_models.base import Cost, DeviceView, LinkView
from bertha_ir.cost_models.units import ByteCount, Nanoseconds
from bertha_ir.cost_models.work import Work
from bertha_ir.spec import Attribute

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.cost_models.base import CostModel

SIZES = tuple(ByteCount(n) for n in (0, 1, 64, 256, 1500, 9000))
DEVICES = (DeviceView("h", "host"), DeviceView("kernel(h)", "kernel"), DeviceView("s", "switch"))
LINKS = (
    LinkView("ethernet", (Attribute("rate", 10**10),)),
    LinkView("loopback"),
    LinkView("syscall"),
    LinkView("pcie", (Attribute("generation", 3), Attribute("lanes", 16))),
)
WORKS = (Work(), Work(steps=10, headers=4, lookups=(("array", 1), ("lpm", 1)), stores=1, checksums=3))


def violations(model: CostModel) -> tuple[str, ...]:
    """Return what a model breaks of the contract, one sentence each; empty when it conforms.

    Costs are `Cost`s or None, not negative, the same for the same question, and not less for more bytes.
    """
    ops = [(f"an op on a {d.kind}", partial(model.op_cost, w, d)) for d in DEVICES for w in WORKS]
    crossings = [(f"crossing {link.kind}", partial(model.crossing_cost, link)) for link in LINKS]
    return tuple(dict.fromkeys(broken for what, ask in (*ops, *crossings) for broken in _violations(what, ask)))


def _violations(what: str, ask: Callable[[ByteCount], object]) -> list[str]:
    answers = [ask(size) for size in SIZES]
    if any(not isinstance(a, Cost | None) for a in answers):
        return [f"{what}: the answer is no Cost"]
    found = []
    if answers != [ask(size) for size in SIZES]:
        found.append(f"{what}: the cost changes from one call to the next")
    costs = [a for a in answers if isinstance(a, Cost)]
    if len(costs) not in {0, len(answers)}:
        found.append(f"{what}: the model knows some sizes only")
    if any(c.latency < Nanoseconds(0) or c.cpu < Nanoseconds(0) for c in costs):
        found.append(f"{what}: the cost is negative")
    if any(b.latency < a.latency for a, b in pairwise(costs)):
        found.append(f"{what}: more bytes cost less")
    return found
