"""place: decide which device runs each path op, and in which order: policy first, then the cost model."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, field, frozen

from bertha_ir.diagnostics import Collector, Label
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.candidates import Candidate, Sites, ledger_of
from bertha_ir.passes.codes import CH203NowhereToRun
from bertha_ir.passes.costs import MESSAGE_BYTES, crossings, op_latency
from bertha_ir.passes.destinations import addresses, rewrites
from bertha_ir.passes.grounds import Grounds
from bertha_ir.passes.guarantees import check_demands
from bertha_ir.passes.search import Choice, Step, Task, TooManyOrdersError, cheapest, in_written_order
from bertha_ir.passes.topology import path_of
from bertha_ir.plan import Assumption, Binding, LedgerEntry, Plan, Refusal
from bertha_ir.stack import connect
from bertha_ir.text import print_ir

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.passes.topology import Path
    from bertha_ir.spec import Specification, Stack
    from bertha_ir.stack import Graph, Op


@frozen
class Place(Pass):
    """`shard`, and `prefer shard on [kernel(h1), tor]` -> `shard` on `kernel(h1)`; `tor` stands by.

    Exact for what it decides: an order of the path ops and a stop for each, least by (rank in the policy's list, cost,
    distance from the written order). Ops trade places only on a ground that goes into the ledger.
    """

    name: ClassVar[str] = "place"
    requires: ClassVar[frozenset[Fact]] = frozenset({"expanded", "undone"})
    establishes: ClassVar[frozenset[Fact]] = frozenset({"placed"})

    def run(self, module: Module, context: Context) -> Module:
        """Return the module with one plan per stack, and the path ops in the order in which they are to run."""
        planner = _Planner(module, context, Collector(), Grounds(module.specification))
        plans = [planner.plan(stack) for stack in module.specification.stacks]
        planner.collector.check()
        return evolve(
            module,
            graphs=tuple(_reordered(graph, planner.orders.get(graph, ())) for graph in module.graphs),
            plans=tuple(p for p in plans if p is not None),
            certificates={**module.certificates, **planner.grounds.certificates},
        )


@frozen
class _Planner:
    """Makes the plans of a module. `orders`: the order of the path ops of each direction that was placed."""

    module: Module
    context: Context
    collector: Collector
    grounds: Grounds
    orders: dict[Graph, tuple[Op, ...]] = field(factory=dict)

    def plan(self, stack: Stack) -> Plan | None:
        """Return the plan of a stack; None after reporting why there is none."""
        specification, model = self.module.specification, self.context.cost_model
        path = path_of(stack, specification.site, self.collector)
        if path is None:
            return None
        check_demands(stack, path, specification.site, self.collector)
        bindings: list[Binding] = []
        refusals: list[Refusal] = []
        notes: list[Assumption] = []
        ledger: list[LedgerEntry] = [*self.module.ledger.get(stack.name, ())]
        graphs = self.module.directions(stack.name)
        for graph in sorted(graphs, key=lambda g: g.direction):
            back = next((g for g in graphs if g.direction != graph.direction), None)
            placing = _Placing(graph, self._sites(graph, back, path), self.collector)
            self.orders[graph] = placing.run(bindings, refusals)
            notes += placing.notes
            ledger += [entry for op in _path_ops(graph) for entry in ledger_of(op, graph, self.grounds)]
            ledger += [self.grounds.of(*pair, graph).entry(graph) for pair in _traded(graph, self.orders[graph])]
        for graph in graphs:
            bindings += _derived(self._sites(graph, None, path), bindings)
        return Plan(
            stack.name, stack.ends, path.hosts if specification.site.devices else (None, None), graphs[0].service,
            tuple(s.name for s in path.stops), tuple(bindings), tuple(refusals), crossings(path, model),
            tuple(ledger), (*_assumptions(specification), *notes, *_forwarding(graphs, bindings)),
            MESSAGE_BYTES, self.context.cost_model_name,
            hashlib.sha256(print_ir(stack).encode()).hexdigest(),
        )  # fmt: skip

    def _sites(self, graph: Graph, back: Graph | None, path: Path) -> Sites:
        return Sites(graph, back, path, self.module.specification, self.context, self.grounds)


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


def _traded(graph: Graph, order: tuple[Op, ...]) -> list[tuple[Op, Op]]:
    """Return the pairs of ops that are not in the order in which they are written, as written."""
    written = [op.id for op in graph.chain()]
    pairs = ((first, second) for i, second in enumerate(order) for first in order[i + 1 :])
    return [(first, second) for first, second in pairs if written.index(first.id) < written.index(second.id)]


def _reordered(graph: Graph, order: tuple[Op, ...]) -> Graph:
    """Return a graph with its path ops in another order; ops that trade places leave all layouts as they are."""
    places = iter(order)
    moved = {op.id for op in order}
    chain = graph.chain()
    ops = tuple(next(places) if op.id in moved else op for op in chain)
    if ops == chain:
        return graph
    layouts = (*(graph.into(op.id) for op in chain), graph.edges[-1].layout)
    return evolve(graph, ops=ops, edges=connect(ops, layouts))


def _path_ops(graph: Graph) -> tuple[Op, ...]:
    return tuple(o for o in graph.chain() if o.side == "path" and o.derived_from is None)


@frozen
class _Placing:
    """The placement of one direction's path ops."""

    graph: Graph
    sites: Sites
    collector: Collector
    notes: list[Assumption] = field(factory=list)

    def run(self, bindings: list[Binding], refusals: list[Refusal]) -> tuple[Op, ...]:
        """Bind the path ops; return them in the order in which they are to run."""
        ops = _path_ops(self.graph)
        options: list[tuple[Candidate, ...]] = []
        for op in ops:
            found, refused = self.sites.candidates(op)
            refusals += refused
            if not found:
                self._nowhere(op, refused)
                return ops
            options.append(found)
        steps = self._search([self._task(ops, number, options[number]) for number in range(len(ops))])
        if steps is None:
            self._out_of_order(ops, options)
            return ops
        standby = set.intersection(*({c.index for c in found} for found in options)) if options else set()
        chosen = {step.task: step.choice.stop for step in steps}
        for number, (op, found) in enumerate(zip(ops, options, strict=True)):
            for candidate in found:
                active = candidate.index == chosen[number]
                if active or candidate.index in standby:
                    bindings.append(self._binding(op, candidate, active=active))
        return tuple(ops[step.task] for step in steps)

    def _search(self, tasks: list[Task]) -> tuple[Step, ...] | None:
        try:
            return cheapest(tasks)
        except TooManyOrdersError:
            note = f"the {self.graph.direction}'s {len(tasks)} path ops keep their written order: too many others"
            self.notes.append(Assumption(note, "compiler", "costs"))
            return cheapest(in_written_order(tasks))

    def _task(self, ops: tuple[Op, ...], number: int, found: tuple[Candidate, ...]) -> Task:
        """Return what the search must know of an op. What follows a rewrite of `dst` stays with it: another device
        would not know the message for one of the service's.
        """
        op, model = ops[number], self.sites.context.cost_model
        choices = (Choice(c.index, self._rank(op, c), op_latency(c, model) or 0.0) for c in found)
        after = (n for n in range(number) if self._must_precede(ops[n], op))
        return Task(tuple(choices), frozenset(after), bool(rewrites(op.body)))

    def _must_precede(self, first: Op, second: Op) -> bool:
        """Whether two ops keep the order in which they are written: unless nothing lies between that both must cross
        alike, and it is proved that they may trade places.
        """
        chain = [o.id for o in self.graph.chain()]
        between = chain[chain.index(first.id) : chain.index(second.id)]
        if any(self.graph.op(name).side != "path" for name in between):
            return True
        return self.sites.grounds.of(first, second, self.graph).may_not is not None

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
        if len({r.reason for r in refused}) == 1:
            reasons = f"{', '.join(r.device for r in refused)}: {refused[0].reason}"
        labels = tuple(Label(r.span, f"{r.device}: {r.reason}") for r in refused if r.span and r.span != op.span)
        self.collector.add(
            CH203NowhereToRun,
            f"no device on the path can run `{op.chunnel}`: {reasons}",
            op.span,
            "relax the policy, add a device that can, or change the chunnel",
            labels,
        )

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
