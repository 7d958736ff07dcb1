"""The placement of one direction: what the search is asked, and what its answer means."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from bertha_ir import expr as e
from bertha_ir.passes.costs import Priced
from bertha_ir.passes.crowded import crowded
from bertha_ir.passes.destinations import rewrites
from bertha_ir.passes.ends import EndChoice, Ends, Spot, layers_of
from bertha_ir.passes.forks import check_forks
from bertha_ir.passes.growth import growth
from bertha_ir.passes.outline import before
from bertha_ir.passes.search.find import find
from bertha_ir.passes.search.problem import Choice, Problem, Task
from bertha_ir.passes.traffic import traffic_of
from bertha_ir.passes.unplaced import nowhere, out_of_order, unplaced
from bertha_ir.plan import Assumption, Binding, Crossing, Outline, Refusal
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertha_ir.diagnostics import Collector
    from bertha_ir.passes.candidates import Candidate, Sites
    from bertha_ir.passes.ends import Layer
    from bertha_ir.passes.search.dynamic import Found
    from bertha_ir.passes.search.problem import Leg, Objective
    from bertha_ir.passes.swaps import Swaps
    from bertha_ir.passes.traffic import Traffic
    from bertha_ir.spec import Direction, Instance, Stack
    from bertha_ir.stack import Graph, Op

OBJECTIVES: dict[str, Objective] = {"latency": "latency", "cpu": "cpu", "throughput": "throughput"}
RESOURCES = ("flows", "entries", "slots")


@frozen
class Placed:
    """A direction, placed. `ends`: its chunnels of the ends, top of the stack first, by instance; `path`: the ids of
    its ops of the path; `swapped`: the pairs of chunnels that traded places, as written; `before`: see `Plan.before`;
    `mean`: see `Outline.mean_ns`, if everything is known; `objective`: what was made least.
    """

    graph: Graph
    ends: tuple[str, ...]
    path: tuple[str, ...]
    bindings: tuple[Binding, ...]
    refusals: tuple[Refusal, ...]
    crossings: tuple[Crossing, ...]
    notes: tuple[Assumption, ...]
    swapped: tuple[tuple[Instance, Instance], ...]
    swaps: Swaps
    before: Outline | None
    mean: float
    objective: float


def path_ops(graph: Graph) -> tuple[Op, ...]:
    """Return the ops that run on the path, without those that belong to ops of the other direction."""
    return tuple(o for o in graph.chain() if o.side == "path" and o.derived_from is None)


@frozen
class PathChoice:
    """A choice of the search for an op of the path."""

    choice: Choice
    candidate: Candidate


@frozen
class Asked:
    """The search's question. `taken`: what its choices stand for, by their `id`; `options`: where each op of the path
    may run; `refusals`: why it, or one of the ends, may not run elsewhere.
    """

    problem: Problem
    taken: Mapping[int, EndChoice | PathChoice]
    options: tuple[tuple[Candidate, ...], ...]
    refusals: tuple[Refusal, ...]


@define
class Placing:
    """Places one direction. Tasks of the search are the layers of the ends, then the ops of the path."""

    graph: Graph
    direction: Direction
    stack: Stack
    sites: Sites
    swaps: Swaps
    collector: Collector
    ends: Ends = field(init=False)
    ops: tuple[Op, ...] = field(init=False)
    traffic: Traffic = field(init=False)
    notes: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        prices, layers = self.sites.prices, layers_of(self.graph, self.direction.instances)
        self.ends = Ends(self.graph, layers, prices.stops, self.sites.specification, prices)
        self.ops = path_ops(self.graph)
        self.traffic = traffic_of(self.sites.specification, self.stack.name, self.direction.name)

    def run(self) -> Placed | None:
        """Return the placement; None after reporting that there is none."""
        asked = self.asked()
        if asked is None:
            return None
        found = self._searched(asked.problem)
        if found is None:
            out_of_order(self.ops, asked.options, self.direction, self.collector)
            return None
        return self._placed(asked, found)

    def asked(self) -> Asked | None:
        """Return what the search is asked; None after reporting what cannot be."""
        check_forks(self.graph, self.direction, self.sites.grounds, self.collector)
        refusals: list[Refusal] = []
        options: list[tuple[Candidate, ...]] = []
        for op in self.ops:
            able, refused = self.sites.candidates(op)
            refusals += refused
            options.append(able)
            if not able:
                nowhere(op, refused, self.collector)
        refusals += self.ends.refusals()
        at_ends = tuple(self.ends.choices())
        for number, layer in enumerate(self.ends.layers):
            if not any(number in c.choice.tasks for c in at_ends):
                unplaced(layer, self.collector)
        if self.collector.found:
            return None
        on_path = tuple(self._path_choices(options))
        everything: tuple[EndChoice | PathChoice, ...] = (*at_ends, *on_path)
        taken = {id(c.choice): c for c in everything}
        return Asked(self._problem(at_ends, on_path), taken, tuple(options), tuple(refusals))

    # What is asked

    def _problem(self, at_ends: tuple[EndChoice, ...], on_path: tuple[PathChoice, ...]) -> Problem:
        layers, prices = self.ends.layers, self.sites.prices
        loose = any(s.implementation is not None for c in at_ends for s in c.spots)
        tasks = [self._layer_task(number, loose=loose) for number in range(len(layers))]
        tasks += [self._path_task(number) for number in range(len(self.ops))]
        choices = (*(c.choice for c in at_ends), *(c.choice for c in on_path))
        return Problem(
            tuple(tasks), choices, prices, len(prices.stops) - 1, self.traffic.size, self._capacity(),
            OBJECTIVES[self.stack.prefer],
        )  # fmt: skip

    def _capacity(self) -> dict[str, int]:
        """Return how much the devices have of what ops use up, as far as the site says."""
        found = {}
        for stop in self.sites.prices.stops:
            for name in RESOURCES:
                amount = stop.device.get(name) if stop.device else None
                if isinstance(amount, int):
                    found[f"{stop.name}.{name}"] = amount
        return found

    def _layer_task(self, number: int, *, loose: bool) -> Task:
        """Return what the search must know of a layer. The order is kept where no device beside an end could gain from
        another: at one place it makes no difference.
        """
        layers = self.ends.layers
        mine = layers[number].instance
        after = {n for n in range(number) if not loose or self._must_precede(layers[n], layers[number])}
        needs = tuple(
            frozenset(n for n, la in enumerate(layers) if n != number and name in la.instance.chunnel.provides)
            for name in mine.chunnel.requires
        )
        keeps = self.traffic.keeps(mine.chunnel.name)
        return Task(frozenset(after), tuple(n for n in needs if n), self._growth(layers[number]), keeps=keeps)

    def _must_precede(self, upper: Layer, lower: Layer) -> bool:
        if lower.instance.chunnel.transport is not None:
            return True
        return self.swaps.may_not(upper.instance, lower.instance) is not None

    def _growth(self, layer: Layer) -> int:
        """Return the bytes that a layer adds to a message; none, and a note, when that depends on the bytes."""
        if layer.send is None or any(isinstance(n, e.Value) for n in walk(layer.send.body)):
            return 0
        left = self.traffic.shrinks(layer.instance.chunnel.name)
        if left is not None:
            return round((left - 1) * self.traffic.size)
        headers = {m.name: m.size for m in self.sites.specification.messages}
        found = growth(layer.send.body, headers)
        if found is None:
            self.notes.append(f"{layer.instance.chunnel.name} leaves messages as large as they are")
        return max(found or {0})

    def _path_task(self, number: int) -> Task:
        """Return what the search must know of an op of the path: it runs below all of the ends'. What follows a rewrite
        of `dst` stays with it, as another device would not know the message for one of the service's.
        """
        op, above = self.ops[number], len(self.ends.layers)
        after = {above + n for n in range(number) if self._keeps_order(self.ops[n], op)}
        return Task(frozenset(range(above)) | after, pins=bool(rewrites(op.body)), keeps=self.traffic.keeps(op.chunnel))

    def _keeps_order(self, first: Op, second: Op) -> bool:
        """Whether two ops keep the order in which they are written: unless nothing lies between that both must cross
        alike, and it is proved that they may trade places.
        """
        chain = [o.id for o in self.graph.chain()]
        between = chain[chain.index(first.id) : chain.index(second.id)]
        if any(self.graph.op(name).side != "path" for name in between):
            return True
        return self.sites.grounds.of(first, second, self.graph).may_not is not None

    def _path_choices(self, options: Sequence[tuple[Candidate, ...]]) -> list[PathChoice]:
        above, prices = len(self.ends.layers), self.sites.prices
        return [
            PathChoice(
                Choice(
                    (above + number,), stop=c.index, rank=self.rank(self.ops[number], c),
                    price=Priced(prices, ((c.index, prices.run(c.program, c.index)),)), uses=self._uses(c),
                ),
                c,
            )
            for number, found in enumerate(options)
            for c in found
        ]  # fmt: skip

    @staticmethod
    def _uses(candidate: Candidate) -> tuple[tuple[str, int], ...]:
        """Return what a program takes of a device: entries of tables and state, and a slot."""
        program, name = candidate.program, candidate.stop.name
        entries = sum(t.size for t in program.tables) + sum(t.size for t in program.states)
        return ((f"{name}.entries", entries), (f"{name}.slots", 1))

    def rank(self, op: Op, candidate: Candidate) -> int:
        """Return the place of a stop in the policy's list for an op."""
        order = self._preferred(op)
        return order.index(candidate.stop.name) if candidate.stop.name in order else len(order)

    def _preferred(self, op: Op) -> tuple[str, ...]:
        rules = self.sites.specification.site.policy.prefer
        return next((rule.devices for rule in rules if rule.chunnel == op.chunnel), ())

    def _searched(self, problem: Problem) -> Found | None:
        result = find(problem)
        if result.note is not None:
            self.notes.append(f"the {self.graph.direction}'s {len(problem.tasks)} ops {result.note}")
        return result.found

    # What the answer means

    def _placed(self, asked: Asked, found: Found) -> Placed:
        problem, taken = asked.problem, asked.taken
        chosen = [taken[id(step.choice)] for step in found.steps]
        numbers = [n for step in found.steps for n in step.choice.tasks]
        above = len(self.ends.layers)
        ends = [n for n in numbers if n < above]
        swapped = [(a, b) for a, b in combinations(range(above), 2) if ends.index(a) > ends.index(b)]
        layers = self.ends.layers
        notes = tuple(Assumption(note, "compiler", "costs") for note in dict.fromkeys(self.notes))
        return Placed(
            self.graph,
            tuple(layers[n].instance.id for n in ends),
            tuple(self.ops[n - above].id for n in numbers if n >= above),
            tuple(self._bindings(problem, found, chosen, asked.options)),
            (*asked.refusals, *crowded(self, problem, taken, found)),
            self._crossings(found.legs(problem)),
            notes,
            tuple((layers[a].instance, layers[b].instance) for a, b in swapped),
            self.swaps,
            before(self, problem, taken),
            found.price(problem).latency,
            found.key[1],
        )

    def _bindings(
        self, problem: Problem, found: Found, chosen: Sequence[EndChoice | PathChoice],
        options: Sequence[tuple[Candidate, ...]],
    ) -> list[Binding]:  # fmt: skip
        """Return the bindings in the order in which messages meet the ops."""
        sent: list[Binding] = []
        received: list[Binding] = []
        active: dict[int, tuple[Candidate, bool, int]] = {}
        size = problem.size
        for step, choice in zip(found.steps, chosen, strict=True):
            doors = dict.fromkeys(stop for stop, _ in (*step.moves.doors, *step.moves.inner))
            if isinstance(choice, PathChoice):
                active[choice.choice.tasks[0]] = (choice.candidate, bool(doors), size)
            else:
                for spot in choice.spots:
                    row = sent if spot.op.side == "sender" else received
                    row += self._spot_bindings(spot, size, entered=spot.stop in doors and spot.hook != "socket")
                    doors.pop(spot.stop, None)
            size += sum(problem.tasks[n].grows for n in choice.choice.tasks)
        path = self._path_bindings(active, options)
        return [*sent, *path, *_turned(received)]

    def _spot_bindings(self, spot: Spot, size: int, *, entered: bool) -> list[Binding]:
        """Return the binding of an op of an end, and its fallback in the process where a device runs it."""
        latency = self.sites.latency(spot.cost(size), spot.stop, entered=entered)
        if spot.implementation is None:
            why = "the host's own" if spot.hook == "socket" else "in the end's own process"
            return [self._at(spot, why, latency)]
        name = spot.implementation.name
        rows = [evolve(self._at(spot, f"cheapest by the cost model, as {name} does it", latency), implementation=name)]
        if spot.op.transport is None:
            for own in self.ends.own(spot.op, "sender" if spot.op.side == "sender" else "receiver"):
                alone = self.sites.latency(own.cost(size), own.stop, entered=False)
                rows.append(evolve(self._at(own, "fallback", alone), active=False))
        return rows

    def _at(self, spot: Spot, why: str, latency: float | None) -> Binding:
        where = (self.sites.prices.stops[spot.stop].name, spot.backend, spot.hook)
        return Binding(spot.op.id, self.graph.direction, *where, active=True, reason=why, latency_ns=latency)

    def _path_bindings(
        self, active: dict[int, tuple[Candidate, bool, int]], options: Sequence[tuple[Candidate, ...]]
    ) -> list[Binding]:  # fmt: skip
        """Return the bindings of the path's ops: active ones, and as standbys the stops that can run all of them."""
        above = len(self.ends.layers)
        standby = set.intersection(*({c.index for c in found} for found in options)) if options else set()
        rows = []
        for number, (op, found) in enumerate(zip(self.ops, options, strict=True)):
            chosen, entered, size = active[above + number]
            for candidate in found:
                if candidate is chosen:
                    cost = self.sites.prices.run(candidate.program, candidate.index)(size)
                    latency = self.sites.latency(cost, candidate.index, entered=entered)
                    rows.append(self._binding(op, candidate, latency, active=True))
                elif candidate.index in standby:
                    rows.append(self._binding(op, candidate, self.sites.alone(candidate), active=False))
        return rows

    def _binding(self, op: Op, candidate: Candidate, latency: float | None, *, active: bool) -> Binding:
        order, name = self._preferred(op), candidate.stop.name
        if name in order:
            why = f"number {order.index(name) + 1} of the policy's `prefer {op.chunnel}`"
        else:
            why = "cheapest by the cost model" if active else "can run it"
        hook = candidate.stop.request if self.graph.direction == "request" else candidate.stop.response
        return Binding(op.id, self.graph.direction, name, candidate.backend, hook, active, why, latency)

    def _crossings(self, legs: tuple[Leg, ...]) -> tuple[Crossing, ...]:
        prices = self.sites.prices
        found = []
        for a, b, size in legs:
            cost = prices.crossing(a, b, size)
            latency = cost.latency.value if cost else None
            names = prices.stops[a].name, prices.stops[b].name
            found.append(Crossing(self.graph.direction, *names, prices.link(a, b).kind, latency))
        return tuple(found)


def _turned(rows: list[Binding]) -> list[Binding]:
    """Return the receiver's bindings as messages meet the ops: an op's rows stay together."""
    groups: dict[str, list[Binding]] = {}
    for row in rows:
        groups.setdefault(row.op, []).append(row)
    return [row for group in reversed(groups.values()) for row in group]
