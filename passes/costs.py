"""What the placement asks of a cost model."""

from __future__ import annotations

from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from attrs import define, field, frozen

from bertha_ir.cost_models.base import Cost, CostModelError, DeviceView, LinkView
from bertha_ir.cost_models.units import ByteCount
from bertha_ir.cost_models.work import Work, measure
from bertha_ir.diagnostics import BerthaError, Collector
from bertha_ir.passes.codes import CH212NoCost
from bertha_ir.passes.search.problem import FREE, Price

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.cost_models.base import CostModel
    from bertha_ir.passes.topology import Path, Stop
    from bertha_ir.program import DeviceProgram
    from bertha_ir.source import Span
    from bertha_ir.spec import Device

MESSAGE_BYTES = 256
SHARED = ("host", "kernel")
UNKNOWN = Price(1e9, 1e9)
"""What the search takes for the price of what a model does not know: more than of anything that it does."""


@define
class Prices:
    """The prices of one direction by a cost model; stops are numbered in its order. What the model does not know is
    chosen last, and makes the latency unknown.
    """

    path: Path
    direction: Literal["request", "response"]
    model: CostModel
    stops: tuple[Stop, ...] = field(init=False)
    _known: dict[tuple[str, int, int, int], Cost | None] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.stops = self.path.stops if self.direction == "request" else self.path.stops[::-1]

    def run(self, program: DeviceProgram, stop: int) -> Callable[[int], Cost | None]:
        """Return the cost of a program's body at a stop, by the bytes of a message."""
        work = measure(program)
        return cache(lambda size: self._asked(lambda s: self.model.op_cost(work, self._view(stop), s), size, stop))

    def call(self, name: str, stop: int) -> Callable[[int], Cost | None]:
        """Return the cost of what a stop does by itself, such as a transport."""
        work = Work(calls=((name, 1),))
        return cache(lambda size: self._asked(lambda s: self.model.op_cost(work, self._view(stop), s), size, stop))

    def offload(self, chunnels: tuple[str, ...], stop: int) -> Callable[[int], Cost | None]:
        """Return the cost of an offload that a stop's maker supplies."""
        return cache(
            lambda size: self._asked(lambda s: self.model.offload_cost(chunnels, self._view(stop), s), size, stop)
        )

    def entry(self, stop: int, size: int) -> Cost | None:
        """Return what it costs to hand a message to a stop."""
        key = ("entry", stop, stop, size)
        if key not in self._known:
            self._known[key] = self._asked(lambda s: self.model.entry_cost(self._view(stop), s), size, stop)
        return self._known[key]

    def crossing(self, a: int, b: int, size: int) -> Cost | None:
        """Return what crossing from a stop to one beside it costs."""
        key = ("crossing", a, b, size)
        if key not in self._known:
            self._known[key] = self.model.crossing_cost(self.link(a, b), ByteCount(size))
        return self._known[key]

    def link(self, a: int, b: int) -> LinkView:
        """Return the link between two stops beside each other: one of the site's, or what lies within a host."""
        one, other = self.stops[a], self.stops[b]
        ends = {one.host, other.host}
        link = next((link for link in self.path.links if {link.a, link.b} == ends), None)
        return LinkView(link.kind, link.attributes) if link else LinkView(_local(one, other))

    # The way between the stops, as the search takes it

    def leg(self, a: int, b: int, size: int) -> Price:
        """See `Way`. A link is busy for as long as its bytes take, each direction apart."""
        cost, empty = self.crossing(a, b, size), self.crossing(a, b, 0)
        if cost is None or empty is None:
            return UNKNOWN
        name = f"{self.stops[a].name}>{self.stops[b].name}"
        return Price(cost.latency.value, cost.cpu.value, ((name, cost.latency.value - empty.latency.value),))

    def door(self, stop: int, *, path: bool) -> Price:
        """See `Way`. A kernel's own protocols have no door."""
        if not path and self.stops[stop].kind == "kernel":
            return FREE
        return self.price(self.entry(stop, MESSAGE_BYTES), stop)

    def price(self, cost: Cost | None, stop: int) -> Price:
        """Return a cost as a price; processors of hosts bound throughput together, whichever part of the host it is."""
        if cost is None:
            return UNKNOWN
        loads = ((self.stops[stop].host, cost.cpu.value),) if self.stops[stop].kind in SHARED else ()
        return Price(cost.latency.value, cost.cpu.value, loads)

    def _view(self, stop: int) -> DeviceView:
        at = self.stops[stop]
        attributes = at.device.attributes if at.device else ()
        hook = at.request if self.direction == "request" else at.response
        named = profile_of(at.device) if at.device else None
        return DeviceView(at.name, at.kind, named, attributes, hook if at.kind == "kernel" else None)

    def _asked(self, ask: Callable[[ByteCount], Cost | None], size: int, stop: int) -> Cost | None:
        try:
            return ask(ByteCount(size))
        except CostModelError as error:
            collector = Collector()
            collector.add(
                CH212NoCost, str(error), _profile_span(self.stops[stop].device), "name a profile that there is, or none"
            )
            raise BerthaError(tuple(collector.found)) from error


@frozen
class Priced:
    """Costs at a stop, for a message of so many bytes, as one price."""

    prices: Prices
    parts: tuple[tuple[int, Callable[[int], Cost | None]], ...]

    def __call__(self, size: int) -> Price:
        """Return the sum; what is not known counts as `UNKNOWN`."""
        total = FREE
        for stop, cost in self.parts:
            total += self.prices.price(cost(size), stop)
        return total


def profile_of(device: Device) -> str | None:
    """Return the profile that a site names; one of the user's own lies beside the file that names it."""
    named = device.get("profile")
    if not isinstance(named, str):
        return None
    span = _profile_span(device)
    if named.endswith(".toml") and span is not None:
        return str(PurePath(span.source.path).parent / named)
    return named


def _profile_span(device: Device | None) -> Span | None:
    attributes = device.attributes if device else ()
    return next((a.span for a in attributes if a.name == "profile"), None)


def _local(a: Stop, b: Stop) -> str:
    """Return what lies between two stops that no link of the site connects."""
    return "syscall" if a.host == b.host and a.kind != b.kind else "loopback"
