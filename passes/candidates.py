"""Which stops of a path can run a path op, and why the others cannot: derived from the op's body, never listed."""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING

from attrs import Factory, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.cost_models.base import Cost
from bertha_ir.cost_models.units import Nanoseconds
from bertha_ir.passes.costs import MESSAGE_BYTES, Prices
from bertha_ir.passes.destinations import addresses, rewrites
from bertha_ir.passes.layout import fields_read, moved_on_path, network_headers, on_wire, visible
from bertha_ir.passes.lowering.program import datagram_program, frame_part, merge
from bertha_ir.passes.lowering.wire import MAX_WORD
from bertha_ir.passes.streams import in_segments
from bertha_ir.plan import Refusal
from bertha_ir.types import bit_width
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.passes.base import Context
    from bertha_ir.passes.grounds import Grounds
    from bertha_ir.passes.topology import Path, Stop
    from bertha_ir.plan import LedgerEntry
    from bertha_ir.program import DeviceProgram
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph, Op


@frozen
class Seat:
    """An op of a stack's direction on a device."""

    stack: str
    direction: str
    op: str
    device: str


@frozen
class Candidate:
    """A stop that can run an op, with the op's program there."""

    stop: Stop
    index: int
    backend: str
    program: DeviceProgram


def crossed(op: Op, graph: Graph) -> tuple[Op, ...]:
    """Return the ops that lie between where `op` is written and the wire."""
    chain = graph.chain()
    start = next(i for i, o in enumerate(chain) if o.id == op.id)
    below = takewhile(lambda other: other.side != "receiver", chain[start + 1 :])
    return tuple(other for other in below if other.side == "sender")


def ledger_of(op: Op, graph: Graph, grounds: Grounds) -> tuple[LedgerEntry, ...]:
    """Return the ground of each move of `op` on its way to the wire."""
    found = (grounds.of(op, other, graph) for other in crossed(op, graph))
    return tuple(ground.entry(graph) for ground in found if ground.may_not is None)


FREE_OF_CHARGE = Cost(Nanoseconds(0))


@frozen(slots=False)
class Sites:
    """Where the path ops of one direction may run: the stops of the path, by body, policy and backend.

    `back` is the other direction, where the ops stand that must run on the same device as one of this direction.
    `full`: ops that a device has no room for, beside what else would run there.
    """

    graph: Graph
    back: Graph | None
    path: Path
    specification: Specification
    context: Context
    grounds: Grounds
    full: Mapping[Seat, Diagnostic] = Factory(dict)

    @cached_property
    def prices(self) -> Prices:
        """The prices of the direction."""
        return Prices(self.path, self.graph.direction, self.context.cost_model)

    def latency(self, cost: Cost | None, stop: int, *, entered: bool) -> float | None:
        """Return the nanoseconds of an op at a stop, with what it takes to get there if it is `entered` for it."""
        door = self.prices.entry(stop, MESSAGE_BYTES) if entered else FREE_OF_CHARGE
        return cost.latency.value + door.latency.value if cost and door else None

    def alone(self, candidate: Candidate) -> float | None:
        """Return the nanoseconds of an op that has a program of its own."""
        cost = self.prices.run(candidate.program, candidate.index)(MESSAGE_BYTES)
        return self.latency(cost, candidate.index, entered=True)

    def candidates(self, op: Op) -> tuple[tuple[Candidate, ...], tuple[Refusal, ...]]:
        """Return the stops that can run an op, in the direction's order, and the refusals of the others."""
        tried = [self._try(op, stop, index) for index, stop in enumerate(self.prices.stops[1:], 1)]
        found = tuple(t for t in tried if isinstance(t, Candidate))
        return found, tuple(t for t in tried if isinstance(t, Refusal))

    def _try(self, op: Op, stop: Stop, index: int) -> Candidate | Refusal:
        target = self.context.targets.get(stop.kind)
        reason = self._objection(op, stop)
        if target is None or reason is not None:
            return Refusal(op.id, stop.name, reason or f"no backend makes programs for a {stop.kind}", op.span)
        program = lower_one(op, self.graph, stop, self.specification)
        if problems := target.check(program):
            return Refusal(op.id, stop.name, problems[0].message, problems[0].span or op.span)
        if companion := self._companion(op, stop):
            return Refusal(op.id, stop.name, companion, op.span)
        if problem := self.full.get(Seat(self.graph.stack, self.graph.direction, op.id, stop.name)):
            reason = f"with what else would run there, {problem.message}"
            return Refusal(op.id, stop.name, reason, problem.span or op.span)
        return Candidate(stop, index, target.name, program)

    def _companion(self, op: Op, stop: Stop) -> str | None:
        """Return why an op of the other direction that belongs to this one cannot run at the same stop."""
        if self.back is None:
            return None
        other = Sites(self.back, None, self.path, self.specification, self.context, self.grounds)
        for derived in (o for o in self.back.chain() if o.derived_from == op.id):
            if stop.kind == "host" and derived.undoes:
                continue  # a process relays replies itself
            if stop.request != "pipeline" and {s.name for s in derived.states} & {s.name for s in op.states}:
                return f"`{derived.id}` shares its state, and there the two directions are two programs"
            tried = other._try(derived, stop, 0)
            if isinstance(tried, Refusal):
                return f"`{derived.id}` cannot run there: {tried.reason}"
        return None

    def _objection(self, op: Op, stop: Stop) -> str | None:
        return (
            in_segments(op, self.graph, stop, self.specification)
            or _moves(op, self.graph, self.grounds)
            or _sees(op, self.graph, stop, self.specification)
            or _too_wide(op, stop)
            or policy_of(op, stop, self.specification)
            or _position(self.graph, stop)
            or _recognizes(op, self.graph, stop)
            or _delivers(op, self.graph, stop)
        )


def lower_one(op: Op, graph: Graph, stop: Stop, specification: Specification) -> DeviceProgram:
    """Return the program of one op alone at a stop."""
    if stop.kind == "host":
        return datagram_program(specification, graph, (op,), stop.host)
    hook = stop.request if graph.direction == "request" else stop.response
    return merge("trial", stop.host, hook, [frame_part(specification, graph, (op,))])


def _moves(op: Op, graph: Graph, grounds: Grounds) -> str | None:
    for other in crossed(op, graph):
        ground = grounds.of(op, other, graph)
        if ground.may_not is not None:
            return f"it may not be moved below `{other.instance}`: {ground.objection()}"
    return None


def _sees(op: Op, graph: Graph, stop: Stop, specification: Specification) -> str | None:
    """Return which field cannot be read at a stop. Headers of the network are there in frames only."""
    transport = next(o.transport for o in graph.chain() if o.transport is not None)
    network = network_headers(specification, transport)
    layout, moved = on_wire(graph, op), moved_on_path(graph)
    for field in fields_read(op.body):
        if field.header in network:
            if stop.kind == "host":
                return f"a process does not see the header `{field.header}`"
        elif not visible(field.header, layout):
            return f"`{field.header}.{field.name}` cannot be read on the wire"
        elif field.header in moved:
            return f"`{field.header}` is pushed or popped on the path, and only where it is can it be read there"
    return None


def _too_wide(op: Op, stop: Stop) -> str | None:
    """Return which field is too long to be written where checksums must be kept right."""
    if stop.kind == "host":
        return None
    for node in walk(op.body):
        if isinstance(node, s.Assign) and isinstance(node.target, e.Field):
            width = bit_width(node.target.type)
            if width is not None and width > MAX_WORD:
                return f"it writes `{node.target.header}.{node.target.name}`, of {width // 8} bytes, under a checksum"
    return None


def policy_of(op: Op, stop: Stop, specification: Specification) -> str | None:
    """Return why the operator's policy keeps an op from a stop; None when it does not."""
    policy = specification.site.policy
    names = (stop.name, stop.host) if stop.kind == "host" else (stop.name,)
    if any(deny.chunnel == op.chunnel and deny.device in names for deny in policy.deny):
        return f"the site's policy denies `{op.chunnel}` there"
    secret = any(isinstance(n, e.Secret) for n in walk(op.body))
    if secret and policy.trust and stop.host not in policy.trust and stop.name not in policy.trust:
        return "it holds a key, and the site's policy does not trust the device"
    return None


def _recognizes(op: Op, graph: Graph, stop: Stop) -> str | None:
    """Return why a device that sees frames would not know which are the stack's, or could not undo replies."""
    if stop.kind == "host":
        return None
    if graph.service is None:
        return "the request's transport names no port to know its frames by"
    if graph.service[0] is None and (graph.direction == "response" or rewrites(op.body)):
        return "the site does not tell the address of the service's host, by which replies are known"
    return None


def _delivers(op: Op, graph: Graph, stop: Stop) -> str | None:
    """Return why messages would not arrive: where frames have their MAC address already, only the port may change."""
    if graph.direction == "response" or stop.kind == "host" or stop.request == "ingress":
        return None
    there = addresses(op)
    service = graph.service[0] if graph.service else None
    if there is None or there - {service}:
        return "it sends to another host than the service's, and frames here have that host's MAC address"
    return None


def _position(graph: Graph, stop: Stop) -> str | None:
    if stop.kind == "host" and graph.direction == "response":
        return "a process runs path ops of requests only; its replies are relayed"
    return None
