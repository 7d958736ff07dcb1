"""The placed plan: what runs where, why, at what cost, and on whose word each rewrite rests."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram
    from bertha_ir.source import Span


Hook = Literal["ingress", "egress", "pipeline", "process"]
Where = Hook | Literal["socket", "offload"]
"""Where in a device an op runs: at a hook of its programs, in its own protocols, or in what its maker supplies."""


@frozen
class Binding:
    """An op on a device. `active`: the plan's choice; otherwise a standby that negotiation may choose instead.
    `implementation`: the offload that runs it, by name, where no program of Bertha's does.

    `latency_ns` is what the cost model says for one message of `Plan.message_bytes`, None when it does not know.
    """

    op: str
    direction: Literal["request", "response"]
    device: str
    backend: str
    hook: Where
    active: bool
    reason: str
    latency_ns: float | None = None
    implementation: str | None = None


@frozen
class Refusal:
    """A device on the path that cannot or may not run an op, and why."""

    op: str
    device: str
    reason: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Crossing:
    """A link that every message of a direction crosses, and its cost."""

    direction: Literal["request", "response"]
    a: str
    b: str
    kind: str
    latency_ns: float | None = None


@frozen
class LedgerEntry:
    """A rewrite and what it rests on. `by` is the method: `effects` (disjoint reads, writes, drops and state), or `z3`,
    whose `certificate` is the sha256, in hex, of an SMT-LIB 2 text that must be unsatisfiable.
    """

    rewrite: str
    equivalence: Literal["wire", "end-to-end"]
    status: Literal["proved", "assumed"]
    by: str
    detail: str
    certificate: str | None = None


@frozen
class Assumption:
    """What a plan takes for granted, and who does (`by`). Costs may then be wrong, or messages treated otherwise."""

    text: str
    by: str
    about: Literal["costs", "behaviour"]


@frozen
class Order:
    """The ids of a direction's ops in the order in which messages meet them."""

    direction: Literal["request", "response"]
    ops: tuple[str, ...]


@frozen
class Outline:
    """A plan in short. `runs`: each op (as DIRECTION.OP) in the order in which messages meet them, and its device;
    `crossings`: how many links of each kind a message crosses, of all directions together. `latency_ns`: of a request
    that goes all the way; `mean_ns`: of all requests, those included that are dropped or answered on the way.
    """

    runs: tuple[tuple[str, str], ...]
    crossings: tuple[tuple[str, int], ...]
    latency_ns: float | None
    mean_ns: float | None = None


@frozen
class Alternative:
    """Another way through the branches of a stack's selects, which negotiation may choose instead.

    `plan`: the id of its plan, and `latency_ns` what a request takes by it; None where there is none. `reason`: why it
    was not chosen.
    """

    branches: tuple[str, ...]
    reason: str
    plan: str | None = None
    latency_ns: float | None = None


@frozen
class Plan:
    """One stack, placed. `service` is (address, port) of the listening end, as far as the site tells.

    `before`: the stack as written, with each chunnel where it alone is cheapest, and no two of them in one program.
    `branches`: those taken of the stack's selects. `objective`: what was made least, by the cost model: nanoseconds a
    message, of both directions, or of the busiest device for throughput.
    """

    stack: str
    ends: tuple[str, str]
    hosts: tuple[str | None, str | None]
    service: tuple[int | None, int] | None
    path: tuple[str, ...]
    bindings: tuple[Binding, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    message_bytes: int = 0
    cost_model: str = ""
    specification: str = ""
    orders: tuple[Order, ...] = ()
    before: Outline | None = None
    mean_ns: float | None = None
    objective: float | None = None
    branches: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    @property
    def id(self) -> str:
        """The content hash that both ends of a connection must agree on: sha256, in hex, of the specification's stack
        and of what runs where. Costs and reasons take no part.
        """
        from bertha_ir.text import print_ir  # noqa: PLC0415  (text registers this module's classes)

        runs = tuple(
            (b.op, b.direction, b.device, b.backend, b.hook, b.active, b.implementation) for b in self.bindings
        )
        agreed = (self.stack, self.ends, self.hosts, self.service, self.path, self.specification, self.orders, runs)
        return hashlib.sha256(print_ir(agreed).encode()).hexdigest()

    @property
    def latency_ns(self) -> float | None:
        """The latency of a request by the cost model: active ops and crossings; None when a figure is missing."""
        parts = [b.latency_ns for b in self.bindings if b.active and b.direction == "request"]
        parts += [c.latency_ns for c in self.crossings if c.direction == "request"]
        known = [p for p in parts if p is not None]
        return sum(known) if len(known) == len(parts) else None

    @property
    def after(self) -> Outline:
        """The plan in short, to be set beside `before`."""
        active: dict[tuple[str, str], str] = {(b.direction, b.op): b.device for b in self.bindings if b.active}
        rows = [(order.direction, op) for order in self.orders for op in order.ops]
        counts = Counter(c.kind for c in self.crossings)
        runs = tuple((f"{d}.{op}", active[d, op]) for d, op in rows if (d, op) in active)
        mean = self.mean_ns if self.latency_ns is not None else None
        return Outline(runs, tuple(sorted(counts.items())), self.latency_ns, mean)


@frozen
class PlacedProgram:
    """A device program of a plan, and the backend that prints it. `offloads`: those that do the rest of its messages'
    ops, without which they would go out, or be taken, wrongly.
    """

    stack: str
    backend: str
    active: bool
    program: DeviceProgram
    ports: tuple[tuple[int, int], ...] = ()
    offloads: tuple[str, ...] = ()
