"""What any cost model must keep, as a check that plug-ins can run on theirs."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING

from bertha_ir.cost_models.base import Cost, DeviceView, LinkView
from bertha_ir.cost_models.units import ByteCount, Nanoseconds, Quantity, UnitError
from bertha_ir.cost_models.work import Work
from bertha_ir.spec import Attribute

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.cost_models.base import CostModel

SIZES = tuple(ByteCount(n) for n in (0, 1, 64, 256, 1500, 9000))
DEVICES = (
    DeviceView("h", "host"),
    DeviceView("kernel(h)", "kernel"),
    DeviceView("kernel(h)", "kernel", hook="egress"),
    DeviceView("n", "smartnic"),
    DeviceView("s", "switch"),
)
LINKS = (
    LinkView("ethernet", (Attribute("rate", 10**10),)),
    LinkView("loopback"),
    LinkView("syscall"),
    LinkView("pcie", (Attribute("generation", 3), Attribute("lanes", 16))),
)
WORKS = (
    Work(),
    Work(
        steps=10,
        headers=4,
        lookups=(("array", 1), ("lpm", 1)),
        rows=(("lpm", 7),),
        stores=(("add-map", 1),),
        checksums=3,
        calls=(("random", 1), ("aead_seal", 1)),
    ),
)
OFFLOADS = (("encrypt",), ("encrypt", "tcp"))
SLOWEST = 0.01  # seconds for one answer; a search asks for tens of thousands


def violations(model: CostModel) -> tuple[str, ...]:
    """Return what a model breaks of the contract, one sentence each; empty when it conforms.

    Costs are `Cost`s of `Nanoseconds` or None, finite, not negative, the same for the same question, and not less for
    more bytes. An answer takes at most 10 ms, and what a model cannot say is None, no exception.
    """
    asked = [
        *((f"an op on a {d.kind}", partial(model.op_cost, w, d)) for d in DEVICES for w in WORKS),
        *((f"the way into a {d.kind}", partial(model.entry_cost, d)) for d in DEVICES),
        *((f"an offload to a {d.kind}", partial(model.offload_cost, o, d)) for d in DEVICES for o in OFFLOADS),
        *((f"crossing {link.kind}", partial(model.crossing_cost, link)) for link in LINKS),
    ]
    return tuple(dict.fromkeys(broken for what, ask in asked for broken in _violations(what, ask)))


def _violations(what: str, ask: Callable[[ByteCount], object]) -> list[str]:
    try:
        answers, again, slowest = _answers(ask)
    except UnitError as error:
        return [f"{what}: units are mixed, or a number is not finite: {error}"]
    except Exception as error:  # noqa: BLE001  (a stranger's code: whatever it raises is the finding)
        return [f"{what}: the model fails: {type(error).__name__}: {error}"]
    if wrong := next((text for a in answers if (text := _wrong_type(a))), None):
        return [f"{what}: {wrong}"]
    found = []
    if slowest > SLOWEST:
        found.append(f"{what}: an answer takes {1e3 * slowest:.0f} ms, more than {1e3 * SLOWEST:.0f}")
    if answers != again:
        found.append(f"{what}: the cost changes from one call to the next")
    costs = [a for a in answers if isinstance(a, Cost)]
    if len(costs) not in {0, len(answers)}:
        found.append(f"{what}: the model knows some sizes only")
    if any(c.latency < Nanoseconds(0) or c.cpu < Nanoseconds(0) for c in costs):
        found.append(f"{what}: the cost is negative")
    if any(b.latency < a.latency or b.cpu < a.cpu for a, b in pairwise(costs)):
        found.append(f"{what}: more bytes cost less")
    return found


def _answers(ask: Callable[[ByteCount], object]) -> tuple[list[object], list[object], float]:
    """Return two rounds of answers, and the seconds of the slowest one in the second: the first may open files."""
    answers, again, slowest = [ask(size) for size in SIZES], [], 0.0
    for size in SIZES:
        began = perf_counter()
        again.append(ask(size))
        time = perf_counter() - began
        slowest = max(slowest, time if time <= SLOWEST else min(time, _time(ask, size), _time(ask, size)))
    return answers, again, slowest


def _time(ask: Callable[[ByteCount], object], size: ByteCount) -> float:
    began = perf_counter()
    ask(size)
    return perf_counter() - began


def _wrong_type(answer: object) -> str | None:
    """Return what is wrong with an answer's type, or None."""
    if answer is None:
        return None
    if not isinstance(answer, Cost):
        return f"the answer is no Cost but a {type(answer).__name__}"
    for name, value in (("latency", answer.latency), ("cpu", answer.cpu)):
        if type(value) is not Nanoseconds:
            unit = type(value).__name__ if isinstance(value, Quantity) else f"a bare {type(value).__name__}"
            return f"the {name} is in {unit}, not in Nanoseconds"
    return None
