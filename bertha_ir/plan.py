"""The placed plan: what runs where, why, at what cost, and on whose word each rewrite rests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram
    from bertha_ir.source import Span


Hook = Literal["ingress", "egress", "pipeline", "process"]


@frozen
class Binding:
    """An op on a device. `active`: the plan's choice; otherwise a standby that negotiation may choose instead.

    `latency_ns` is what the cost model says for one message of `Plan.message_bytes`, None when it does not know.
    """

    op: str
    direction: Literal["request", "response"]
    device: str
    backend: str
    hook: Hook
    active: bool
    reason: str
    latency_ns: float | None = None


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
class Plan:
    """One stack, placed. `service` is (address, port) of the listening end, as far as the site tells."""

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

    @property
    def id(self) -> str:
        """The content hash that both ends of a connection must agree on: sha256, in hex, of the specification's stack
        and of what runs where. Costs and reasons take no part.
        """
        from bertha_ir.text import print_ir  # noqa: PLC0415  (text registers this module's classes)

        runs = tuple((b.op, b.direction, b.device, b.backend, b.hook, b.active) for b in self.bindings)
        agreed = (self.stack, self.ends, self.hosts, self.service, self.path, self.specification, runs)
        return hashlib.sha256(print_ir(agreed).encode()).hexdigest()

    @property
    def latency_ns(self) -> float | None:
        """The latency of a request by the cost model: active ops and crossings; None when a figure is missing."""
        parts = [b.latency_ns for b in self.bindings if b.active and b.direction == "request"]
        parts += [c.latency_ns for c in self.crossings if c.direction == "request"]
        known = [p for p in parts if p is not None]
        return sum(known) if len(known) == len(parts) else None


@frozen
class PlacedProgram:
    """A device program of a plan, and the backend that prints it."""

    stack: str
    backend: str
    active: bool
    program: DeviceProgram
    ports: tuple[tuple[int, int], ...] = ()
