"""What a message meets on its way, op by op and link by link, and which part of its cost each is."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

from attrs import evolve, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.plan import Binding, Crossing, Plan

DIRECTIONS: tuple[Literal["request", "response"], ...] = ("request", "response")


@frozen
class Run:
    """An op, and the device where a message meets it. `stop`: the device's number in the way; None when it is not on
    it. `share`: its part of the direction's cost, None when that is not known. `binding`: None in a plan as written.
    """

    op: str
    device: str
    stop: int | None
    latency_ns: float | None = None
    share: float | None = None
    binding: Binding | None = None


@frozen
class Hop:
    """A link that a message crosses, from device to device and from one number in the way to another."""

    a: str
    b: str
    stops: tuple[int, int]
    kind: str
    latency_ns: float | None = None
    share: float | None = None


Step = Run | Hop


@frozen
class Journey:
    """The way of one direction's messages. `stops`: the devices, in the direction's order."""

    direction: Literal["request", "response"]
    stops: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def latency_ns(self) -> float | None:
        """What the whole way costs; None when a figure is missing."""
        return _sum([s.latency_ns for s in self.steps])

    def shares(self) -> tuple[tuple[str, float], ...]:
        """Return which part of the cost all ops are, and the links of each kind, the greatest first."""
        found: dict[str, float] = {}
        for step in self.steps:
            if step.share is not None:
                name = step.kind if isinstance(step, Hop) else "ops"
                found[name] = found.get(name, 0.0) + step.share
        return tuple(sorted(found.items(), key=lambda row: -row[1]))


def planned(plan: Plan) -> tuple[Journey, ...]:
    """Return the ways of a plan's messages, with what each part costs."""
    found = []
    for direction in DIRECTIONS:
        stops = plan.path if direction == "request" else plan.path[::-1]
        steps = tuple(_planned(plan, direction, stops))
        whole = _sum([s.latency_ns for s in steps])
        if steps:
            found.append(Journey(direction, stops, tuple(_shared(s, whole) for s in steps)))
    return tuple(found)


def written(plan: Plan) -> tuple[Journey, ...]:
    """Return the ways of messages through the stack as written (`Plan.before`); what each part costs is not known."""
    if plan.before is None:
        return ()
    kinds = {frozenset((c.a, c.b)): c.kind for c in plan.crossings}
    found = []
    for direction in DIRECTIONS:
        stops = plan.path if direction == "request" else plan.path[::-1]
        runs = [(op.partition(".")[2], device) for op, device in plan.before.runs if op.startswith(f"{direction}.")]
        if runs:
            found.append(Journey(direction, stops, tuple(_written(runs, stops, kinds))))
    return tuple(found)


def in_order(plan: Plan, direction: str) -> list[Binding]:
    """Return a direction's bindings in the order in which messages meet the ops."""
    order = next((o.ops for o in plan.orders if o.direction == direction), ())
    ours = (b for b in plan.bindings if b.direction == direction)
    return sorted(ours, key=lambda b: order.index(b.op) if b.op in order else len(order))


def _planned(plan: Plan, direction: str, stops: tuple[str, ...]) -> Iterator[Step]:
    waiting = deque(c for c in plan.crossings if c.direction == direction)
    at = 0
    for binding in (b for b in in_order(plan, direction) if b.active):
        goal = _stop(binding.op, binding.device, stops)
        while goal is not None and _goes(at, goal, binding.op, binding.device) and waiting:
            hop = _hop(waiting.popleft(), at, stops)
            at = hop.stops[1]
            yield hop
        yield Run(binding.op, binding.device, goal, binding.latency_ns, None, binding)
    for crossing in waiting:
        hop = _hop(crossing, at, stops)
        at = hop.stops[1]
        yield hop


def _hop(crossing: Crossing, at: int, stops: tuple[str, ...]) -> Hop:
    beside = (n for n in (at + 1, at - 1) if 0 <= n < len(stops) and stops[n] == crossing.b)
    return Hop(crossing.a, crossing.b, (at, next(beside, at)), crossing.kind, crossing.latency_ns)


def _written(runs: list[tuple[str, str]], stops: tuple[str, ...], kinds: dict[frozenset[str], str]) -> Iterator[Step]:
    at = 0
    for op, device in runs:
        goal = _stop(op, device, stops)
        if goal is not None and _goes(at, goal, op, device):
            yield from _walk(at, goal, stops, kinds)
            at = goal
        yield Run(op, device, goal)
    yield from _walk(at, len(stops) - 1, stops, kinds)


def _walk(at: int, goal: int, stops: tuple[str, ...], kinds: dict[frozenset[str], str]) -> Iterator[Hop]:
    step = 1 if goal > at else -1
    for number in range(at, goal, step):
        a, b = stops[number], stops[number + step]
        yield Hop(a, b, (number, number + step), kinds.get(frozenset((a, b)), "link"))


def _goes(at: int, goal: int, op: str, device: str) -> bool:
    """Tell whether a message goes to another device for an op. Where the receiving process runs ops of the path, the
    kernel's own protocols, which are met last, have had the message on its way there.
    """
    behind = goal < at and op.endswith(".recv") and device.startswith("kernel(")
    return at != goal and not behind


def _stop(op: str, device: str, stops: tuple[str, ...]) -> int | None:
    """Return the number of a device; where both ends are on one host, what receives is at the far one."""
    found = [n for n, name in enumerate(stops) if name == device]
    if not found:
        return None
    return found[-1] if op.endswith(".recv") else found[0]


def _shared(step: Step, whole: float | None) -> Step:
    if not whole or step.latency_ns is None:
        return step
    return evolve(step, share=step.latency_ns / whole)


def _sum(parts: list[float | None]) -> float | None:
    known = [p for p in parts if p is not None]
    return sum(known) if len(known) == len(parts) else None
