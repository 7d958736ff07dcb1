"""place: decide in which order ops run, and where: policy first, then the cost model."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, field, frozen

from bertha_ir.diagnostics import Collector
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.candidates import Sites, ledger_of
from bertha_ir.passes.costs import MESSAGE_BYTES
from bertha_ir.passes.destinations import addresses, sources
from bertha_ir.passes.grounds import Grounds
from bertha_ir.passes.guarantees import check_demands
from bertha_ir.passes.outline import outline
from bertha_ir.passes.placing import Placing, path_ops
from bertha_ir.passes.relaid import relaid
from bertha_ir.passes.rewriting import Rewrites
from bertha_ir.passes.swaps import Swaps
from bertha_ir.passes.together import overfull
from bertha_ir.passes.topology import path_of
from bertha_ir.passes.traffic import traffic_of
from bertha_ir.plan import Assumption, Binding, LedgerEntry, Order, Plan
from bertha_ir.text import print_ir

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.passes.candidates import Seat
    from bertha_ir.passes.placing import Placed
    from bertha_ir.passes.topology import Path
    from bertha_ir.spec import Implementation, Specification, Stack
    from bertha_ir.stack import Graph, Op


@frozen
class Place(Pass):
    """`shard`, and `prefer shard on [kernel(h1), tor]` -> `shard` on `kernel(h1)`; `tor` stands by.

    Exact for what it decides: an order of the ops, a device for each and the offload that runs it there, least by (rank
    in the policy's list, the stack's objective by the cost model, distance from the written order). Ops trade places
    only on a ground that goes into the ledger. When the ops of a device do not fit there together, though each does
    alone, all is decided again without the first of them that is too much: which one goes is not weighed.
    """

    name: ClassVar[str] = "place"
    requires: ClassVar[frozenset[Fact]] = frozenset({"expanded", "undone"})
    establishes: ClassVar[frozenset[Fact]] = frozenset({"placed"})

    def run(self, module: Module, context: Context) -> Module:
        """Return the module with one plan per stack, and the ops in the order in which they are to run."""
        grounds = Grounds(module.specification)
        full: dict[Seat, Diagnostic] = {}
        while True:
            placed = _placed(module, context, grounds, full)
            found = {seat: why for seat, why in overfull(placed, context).items() if seat not in full}
            if not found:
                return placed
            full |= found


def _placed(module: Module, context: Context, grounds: Grounds, full: Mapping[Seat, Diagnostic]) -> Module:
    """Return the module with plans that leave out what devices are too full for."""
    specification = module.specification
    planner = _Planner(module, context, Collector(), grounds, Rewrites(specification), full)
    plans = [planner.plan(stack) for stack in specification.stacks]
    planner.collector.check()
    certificates = {**module.certificates, **planner.grounds.certificates, **planner.rewrites.certificates}
    return evolve(
        module,
        graphs=tuple(planner.graphs.get(graph, graph) for graph in module.graphs),
        plans=tuple(p for p in plans if p is not None),
        certificates=certificates,
    )


@frozen
class _Planner:
    """Makes the plans of a module. `full`: the ops that devices have no room for, beside what else would run there;
    `graphs`: each direction that was placed, with its ops in their new order.
    """

    module: Module
    context: Context
    collector: Collector
    grounds: Grounds
    rewrites: Rewrites
    full: Mapping[Seat, Diagnostic]
    graphs: dict[Graph, Graph] = field(factory=dict)

    def plan(self, stack: Stack) -> Plan | None:
        """Return the plan of a stack; None after reporting why there is none."""
        specification = self.module.specification
        path = path_of(stack, specification.site, self.collector)
        if path is None:
            return None
        check_demands(stack, path, specification.site, self.collector)
        graphs = self.module.directions(stack.name)
        found = {
            g.direction: p for g in sorted(graphs, key=lambda g: g.direction) if (p := self._placed(g, graphs, path))
        }
        if len(found) < len(graphs):
            return None
        placed = tuple(found[g.direction] for g in graphs)
        bindings = [b for p in found.values() for b in p.bindings]
        for graph in graphs:
            bindings += _derived(self._sites(graph, None, path), bindings)
        figures = [b.latency_ns for b in bindings if b.active] + [c.latency_ns for p in placed for c in p.crossings]
        known = None not in figures
        notes = [n for p in found.values() for n in p.notes]
        ledger = [*self.module.ledger.get(stack.name, ()), *(e for p in found.values() for e in self._moves(p))]
        return Plan(
            stack.name,
            stack.ends,
            path.hosts if specification.site.devices else (None, None),
            graphs[0].service,
            tuple(s.name for s in path.stops),
            bindings=tuple(bindings),
            refusals=tuple(r for p in found.values() for r in p.refusals),
            crossings=tuple(c for p in placed for c in p.crossings),
            ledger=tuple(ledger),
            assumptions=(*_assumptions(specification, stack), *notes, *_forwarding(graphs, bindings)),
            message_bytes=traffic_of(specification, stack.name, "request").size,
            cost_model=self.context.cost_model_name,
            specification=hashlib.sha256(print_ir(stack).encode()).hexdigest(),
            orders=tuple(Order(g.direction, _met(self.graphs[g])) for g in graphs),
            before=outline(placed),
            mean_ns=next((p.mean for p in placed if p.graph.direction == "request"), None) if known else None,
            objective=(max if stack.prefer == "throughput" else sum)(p.objective for p in placed) if known else None,
            branches=stack.branches,
            alternatives=self.module.alternatives.get(stack.name, ()),
        )

    def _placed(self, graph: Graph, graphs: tuple[Graph, ...], path: Path) -> Placed | None:
        back = next((g for g in graphs if g.direction != graph.direction), None)
        stack = next(s for s in self.module.specification.stacks if s.name == graph.stack)
        direction = next(d for d in stack.directions if d.name == graph.direction)
        swaps = Swaps(self.rewrites, stack.name, direction)
        placed = Placing(graph, direction, stack, self._sites(graph, back, path), swaps, self.collector).run()
        if placed is not None:
            self.graphs[graph] = relaid(graph, direction, placed.ends, placed.path)
        return placed

    def _moves(self, placed: Placed) -> list[LedgerEntry]:
        """Return the ground of each move: to the wire, and past each other, on the path and at the ends."""
        graph = placed.graph
        entries = [entry for op in path_ops(graph) for entry in ledger_of(op, graph, self.grounds)]
        ops = {o.id: o for o in graph.ops}
        order = tuple(ops[name] for name in placed.path)
        entries += [self.grounds.of(*pair, graph).entry(graph) for pair in _traded(graph, order)]
        noted = self.rewrites.ledger.setdefault(graph.stack, [])
        before = len(noted)
        for upper, lower in placed.swapped:
            placed.swaps.note(upper, lower)
        return [*entries, *noted[before:], *self._supplied(placed)]

    def _supplied(self, placed: Placed) -> list[LedgerEntry]:
        """Return what is taken for granted of offloads: that each does what the bodies of its chunnels say."""
        known = {i.name: i for i in self.module.specification.implementations}
        return [
            _taken_for_granted(b, known[b.implementation])
            for b in placed.bindings
            if b.active and b.implementation is not None
        ]  # fmt: skip

    def _sites(self, graph: Graph, back: Graph | None, path: Path) -> Sites:
        return Sites(graph, back, path, self.module.specification, self.context, self.grounds, self.full)


def _taken_for_granted(binding: Binding, offload: Implementation) -> LedgerEntry:
    what = f"{binding.direction}: {binding.op} by {offload.name} on {binding.device}"
    detail = "it is taken to do what the chunnel's body says"
    return LedgerEntry(what, "wire", "assumed", offload.assumed, detail)


def _met(graph: Graph) -> tuple[str, ...]:
    """Return the ops in the order in which messages meet them: those of the path lie on the wire, wherever written."""
    sides = ("sender", "path", "receiver")
    return tuple(o.id for o in sorted(graph.chain(), key=lambda o: sides.index(o.side)))


def _assumptions(specification: Specification, stack: Stack) -> tuple[Assumption, ...]:
    """Return what is taken for granted of a stack's traffic and of its site, and on whose word."""
    found = []
    for direction in stack.directions:
        known = traffic_of(specification, stack.name, direction.name).workload
        if known is not None:
            found.append(Assumption(f"{direction.name}s are as the workload says", "workload", "costs"))
    if not found:
        note = f"no workload is given: costs are those of a message of {MESSAGE_BYTES} bytes"
        found.append(Assumption(note, "compiler", "costs"))
    if not specification.site.devices:
        note = "no site is given: nothing is known of the devices between the ends"
        found.append(Assumption(note, "compiler", "costs"))
    return tuple(found)


def _forwarding(graphs: tuple[Graph, ...], bindings: list[Binding]) -> tuple[Assumption, ...]:
    """Return what the kernels on the path must do that Bertha does not set up."""
    notes = []
    for graph in graphs:
        own = graph.service[0] if graph.service else None
        for binding in (b for b in bindings if b.hook == "ingress" and b.direction == graph.direction == "request"):
            others = sorted((addresses(graph.op(binding.op)) or frozenset()) - {own})
            if others:
                hosts = ", ".join(str(IPv4Address(ip)) for ip in others)
                notes.append(f"{binding.device} forwards what {binding.op} sends to {hosts} (net.ipv4.ip_forward)")
        if graph.direction == "request" and len(graphs) > 1:
            notes += [
                f"somebody gives replies to what {op.id} sends their destination back: no op does"
                for op in path_ops(graph)
                if sources(op.body)
            ]
    return tuple(Assumption(note, "compiler", "behaviour") for note in notes)


def _traded(graph: Graph, order: tuple[Op, ...]) -> list[tuple[Op, Op]]:
    """Return the pairs of ops that are not in the order in which they are written, as written."""
    written = [op.id for op in graph.chain()]
    pairs = ((first, second) for i, second in enumerate(order) for first in order[i + 1 :])
    return [(first, second) for first, second in pairs if written.index(first.id) < written.index(second.id)]


def _derived(sites: Sites, bindings: list[Binding]) -> list[Binding]:
    """Bind ops that belong to others to wherever those run; a process undoes by relaying."""
    return [
        Binding(
            op.id, "response", source.device, candidate.backend, candidate.stop.response, source.active,
            f"undoes {source.op} in replies" if op.undoes else f"goes with {source.op}", sites.alone(candidate),
        )
        for op in sites.graph.chain()
        if op.derived_from is not None
        for candidate in sites.candidates(op)[0]
        for source in bindings
        if source.op == op.derived_from and source.hook != "process" and source.device == candidate.stop.name
    ]  # fmt: skip
