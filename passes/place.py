"""place: decide which device runs each path op: policy's order first, then the cost model, in path order."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from bertha_ir.diagnostics import Collector, Label
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.candidates import Candidate, Sites, ledger_of
from bertha_ir.passes.codes import CH203NowhereToRun
from bertha_ir.passes.costs import MESSAGE_BYTES, crossings, op_latency
from bertha_ir.passes.destinations import addresses, rewrites
from bertha_ir.passes.grounds import Grounds
from bertha_ir.passes.guarantees import check_demands
from bertha_ir.passes.topology import path_of
from bertha_ir.plan import Assumption, Binding, LedgerEntry, Plan, Refusal
from bertha_ir.text import print_ir

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.spec import Specification, Stack
    from bertha_ir.stack import Graph, Op


@frozen
class Place(Pass):
    """`shard`, and `prefer shard on [kernel(h1), tor]` -> `shard` on `kernel(h1)`; `tor` stands by.

    Exact for what it decides: the binding of each path op, in path order, least by (rank in the policy's list, cost),
    by dynamic programming over ops and stops. Ops are not reordered.
    """

    name: ClassVar[str] = "place"
    requires: ClassVar[frozenset[Fact]] = frozenset({"expanded", "undone"})
    establishes: ClassVar[frozenset[Fact]] = frozenset({"placed"})

    def run(self, module: Module, context: Context) -> Module:
        """Return the module with one plan per stack."""
        collector, grounds = Collector(), Grounds(module.specification)
        plans = [_plan(module, stack, context, collector, grounds) for stack in module.specification.stacks]
        collector.check()
        return evolve(
            module,
            plans=tuple(p for p in plans if p is not None),
            certificates={**module.certificates, **grounds.certificates},
        )


def _plan(
    module: Module, stack: Stack, context: Context, collector: Collector, grounds: Grounds
) -> Plan | None:  # fmt: skip
    specification = module.specification
    path = path_of(stack, specification.site, collector)
    if path is None:
        return None
    check_demands(stack, path, specification.site, collector)
    bindings: list[Binding] = []
    refusals: list[Refusal] = []
    ledger: list[LedgerEntry] = [*module.ledger.get(stack.name, ())]
    graphs = module.directions(stack.name)
    for graph in sorted(graphs, key=lambda g: g.direction):
        back = next((g for g in graphs if g.direction != graph.direction), None)
        placing = _Placing(graph, Sites(graph, back, path, specification, context, grounds), collector)
        placing.run(bindings, refusals)
        ledger += [entry for op in _path_ops(graph) for entry in ledger_of(op, graph, grounds)]
    for graph in graphs:
        bindings += _derived(Sites(graph, None, path, specification, context, grounds), bindings)
    return Plan(
        stack.name, stack.ends, path.hosts if specification.site.devices else (None, None), graphs[0].service,
        tuple(s.name for s in path.stops), tuple(bindings), tuple(refusals), crossings(path, context.cost_model),
        tuple(ledger), (*_assumptions(specification), *_forwarding(graphs, bindings)),
        MESSAGE_BYTES, context.cost_model_name,
        hashlib.sha256(print_ir(stack).encode()).hexdigest(),
    )  # fmt: skip


def _assumptions(specification: Specification) -> tuple[Assumption, ...]:
    notes = [f"no workload is given: costs are those of a message of {MESSAGE_BYTES} bytes"]
    if not specification.site.devices:
        notes.append("no site is given: nothing is known of the devices between the ends")
    return tuple(Assumption(note, "compiler", "costs") for note in notes)


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
    return tuple(Assumption(note, "compiler", "behaviour") for note in notes)


def _path_ops(graph: Graph) -> tuple[Op, ...]:
    return tuple(o for o in graph.chain() if o.side == "path" and o.derived_from is None)


@frozen
class _Placing:
    """The placement of one direction's path ops."""

    graph: Graph
    sites: Sites
    collector: Collector

    def run(self, bindings: list[Binding], refusals: list[Refusal]) -> None:
        ops = _path_ops(self.graph)
        options: list[tuple[Candidate, ...]] = []
        for op in ops:
            found, refused = self.sites.candidates(op)
            refusals += refused
            if not found:
                self._nowhere(op, refused)
                return
            options.append(found)
        chosen = self._cheapest(ops, options)
        if chosen is None:
            self._out_of_order(ops, options)
            return
        standby = set.intersection(*({c.index for c in found} for found in options)) if options else set()
        for op, found, choice in zip(ops, options, chosen, strict=True):
            for candidate in found:
                active = candidate is choice
                if active or candidate.index in standby:
                    bindings.append(self._binding(op, candidate, active=active))

    def _out_of_order(self, ops: tuple[Op, ...], options: list[tuple[Candidate, ...]]) -> None:
        where = "; ".join(
            f"`{op.chunnel}`: {', '.join(c.stop.name for c in found)}" for op, found in zip(ops, options, strict=True)
        )
        self.collector.add(
            CH203NowhereToRun,
            f"no choice of devices keeps the order of the ops; each can run only on {where}",
            ops[0].span,
            "write the ops in the order in which messages meet the devices, or relax the policy",
        )

    def _nowhere(self, op: Op, refused: tuple[Refusal, ...]) -> None:
        reasons = "; ".join(f"{r.device}: {r.reason}" for r in refused)
        labels = tuple(Label(r.span, f"{r.device}: {r.reason}") for r in refused if r.span and r.span != op.span)
        self.collector.add(
            CH203NowhereToRun,
            f"no device on the path can run `{op.chunnel}`: {reasons}",
            op.span,
            "relax the policy, add a device that can, or change the chunnel",
            labels,
        )

    def _cheapest(self, ops: tuple[Op, ...], options: list[tuple[Candidate, ...]]) -> tuple[Candidate, ...] | None:
        """Return one candidate per op, stops never going back, least by (sum of ranks, sum of latencies); None when
        there is no such choice. What follows a rewrite of `dst` stays with it: another device would not know the
        message for one of the service's.
        """
        best: list[tuple[tuple[int, float, int], tuple[Candidate, ...]]] = [((0, 0.0, 0), ())]
        pinned = False
        for op, found in zip(ops, options, strict=True):
            reached = []
            for candidate in found:
                rank, latency = self._rank(op, candidate), op_latency(candidate, self.sites.context.cost_model)
                before = [(k, c) for k, c in best if not c or _follows(c[-1], candidate, pinned=pinned)]
                if before:
                    key, chosen = min(before, key=lambda kc: kc[0])
                    step = (key[0] + rank, key[1] + (latency or 0.0), key[2] + candidate.index)
                    reached.append((step, (*chosen, candidate)))
            best, pinned = reached, pinned or bool(rewrites(op.body))
        return min(best, key=lambda kc: kc[0])[1] if best else None

    def _rank(self, op: Op, candidate: Candidate) -> int:
        order = self._order(op)
        return order.index(candidate.stop.name) if candidate.stop.name in order else len(order)

    def _order(self, op: Op) -> tuple[str, ...]:
        rules = self.sites.specification.site.policy.prefer
        return next((rule.devices for rule in rules if rule.chunnel == op.chunnel), ())

    def _binding(self, op: Op, candidate: Candidate, *, active: bool) -> Binding:
        order = self._order(op)
        name = candidate.stop.name
        if name in order:
            why = f"number {order.index(name) + 1} of the policy's `prefer {op.chunnel}`"
        else:
            why = "cheapest by the cost model" if active else "can run it"
        hook = candidate.stop.request if self.graph.direction == "request" else candidate.stop.response
        latency = op_latency(candidate, self.sites.context.cost_model)
        return Binding(op.id, self.graph.direction, name, candidate.backend, hook, active, why, latency)


def _follows(before: Candidate, candidate: Candidate, *, pinned: bool) -> bool:
    """Whether an op at `candidate` can come after one at `before`; `pinned`: only at the same stop."""
    return before.index == candidate.index if pinned else before.index <= candidate.index


def _derived(sites: Sites, bindings: list[Binding]) -> list[Binding]:
    """Bind ops that belong to others to wherever those run; a process undoes by relaying."""
    return [
        _beside(op, source, candidate, sites)
        for op in sites.graph.chain()
        if op.derived_from is not None
        for candidate in sites.candidates(op)[0]
        for source in bindings
        if source.op == op.derived_from and source.hook != "process" and source.device == candidate.stop.name
    ]


def _beside(op: Op, source: Binding, candidate: Candidate, sites: Sites) -> Binding:
    latency = op_latency(candidate, sites.context.cost_model)
    why = f"undoes {source.op} in replies" if op.undoes else f"goes with {source.op}"
    hook = candidate.stop.response
    return Binding(op.id, "response", source.device, candidate.backend, hook, source.active, why, latency)
