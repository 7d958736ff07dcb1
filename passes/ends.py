"""Where the ops of the ends may run: in the process, in its kernel if they are transports, on a device beside it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Literal

from attrs import evolve, frozen

from bertha_ir.passes.candidates import policy_of
from bertha_ir.passes.costs import Priced
from bertha_ir.passes.lowering.program import end_program
from bertha_ir.passes.search.problem import Choice
from bertha_ir.plan import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.cost_models.base import Cost
    from bertha_ir.passes.costs import Prices
    from bertha_ir.passes.topology import Stop
    from bertha_ir.plan import Where
    from bertha_ir.spec import Implementation, Instance, Specification
    from bertha_ir.stack import Graph, Op

Side = Literal["sender", "receiver"]


@frozen
class Layer:
    """A chunnel of the ends: the op of either end, None where it has none."""

    instance: Instance
    send: Op | None
    recv: Op | None

    def op(self, side: Side) -> Op | None:
        """Return the op of an end."""
        return self.send if side == "sender" else self.recv


@frozen
class Spot:
    """A stop (by number) where an op of an end can run, by what, and at which cost."""

    op: Op
    stop: int
    backend: str
    hook: Where
    cost: Callable[[int], Cost | None]
    implementation: Implementation | None = None


@frozen
class EndChoice:
    """A choice of the search, and the spots of its ops at both ends."""

    choice: Choice
    spots: tuple[Spot, ...]


@frozen
class Ends:
    """The layers of one direction, top of the stack first, and where each may run."""

    graph: Graph
    layers: tuple[Layer, ...]
    stops: tuple[Stop, ...]
    specification: Specification
    prices: Prices

    def segment(self, side: Side) -> tuple[int, ...]:
        """Return the stops of an end, from its process on: its kernel, and devices that PCIe connects."""
        order = range(len(self.stops)) if side == "sender" else range(len(self.stops) - 1, -1, -1)
        found: list[int] = []
        for number in order:
            stop = self.stops[number]
            if found:
                before = self.stops[found[-1]]
                beside = self.prices.link(found[-1], number).kind == "pcie" and stop.kind == "smartnic"
                if stop.host != before.host and not beside:
                    break
                if stop.kind == "host":
                    break  # the other end's process
            found.append(number)
        return tuple(found)

    def choices(self) -> Iterator[EndChoice]:
        """Yield every choice of the layers, alone or together."""
        for number, layer in enumerate(self.layers):
            for spots in product(self._spots(layer, "sender"), self._spots(layer, "receiver")):
                yield self._choice((number,), (spots[0],), (spots[1],))
        for numbers, implementation in self._neighbours():
            yield from self._together(numbers, implementation)

    def refusals(self) -> Iterator[Refusal]:
        """Yield why devices beside the ends do not run their ops."""
        for side in ("sender", "receiver"):
            for stop in (s for s in self.segment(side) if self.stops[s].kind == "smartnic"):
                for layer in self.layers:
                    op = layer.op(side)
                    if op is not None and (why := self._refused(op, stop)):
                        yield Refusal(op.id, self.stops[stop].name, why, op.span)

    def _refused(self, op: Op, stop: int) -> str | None:
        supplied = [i for i in self._supplied(stop) if op.chunnel in i.chunnels]
        if not supplied:
            return f"nobody supplies `{op.chunnel}` for it"
        return policy_of(op, self.stops[stop], self.specification)

    def _supplied(self, stop: int) -> tuple[Implementation, ...]:
        """Return the offloads for a stop's kind of device, and its profile where they name one."""
        at = self.stops[stop]
        profile = at.device.get("profile") if at.device else None
        return tuple(
            i for i in self.specification.implementations if i.kind == at.kind and i.profile in {None, profile}
        )

    def _spots(self, layer: Layer, side: Side) -> tuple[Spot | None, ...]:
        op = layer.op(side)
        if op is None:
            return (None,)
        own = self.own(op, side)
        offloads = [
            Spot(op, stop, "offload", "offload", self.prices.offload(i.chunnels, stop), i)
            for stop in self.segment(side)
            for i in self._supplied(stop)
            if i.chunnels == (op.chunnel,) and policy_of(op, self.stops[stop], self.specification) is None
        ]
        return (*own, *offloads)

    def own(self, op: Op, side: Side) -> tuple[Spot, ...]:
        """Return where an end runs an op without a device: its process, or its kernel."""
        process, *others = self.segment(side)
        if op.transport is not None:
            kernel = next((n for n in others if self.stops[n].kind == "kernel"), process)
            return (Spot(op, kernel, "kernel", "socket", self.prices.call(op.chunnel, kernel)),)
        if policy_of(op, self.stops[process], self.specification) is not None:
            return ()
        root: Literal["send", "recv"] = "send" if side == "sender" else "recv"
        program = end_program(self.specification, self.graph, (op,), root, self.stops[process].host)
        return (Spot(op, process, "python", "process", self.prices.run(program, process)),)

    def _neighbours(self) -> Iterator[tuple[tuple[int, ...], Implementation]]:
        """Yield the layers that an offload of several chunnels is for, whatever their order is now."""
        for implementation in (i for i in self.specification.implementations if len(i.chunnels) > 1):
            rows = [
                [n for n, la in enumerate(self.layers) if la.instance.chunnel.name == c]
                for c in implementation.chunnels
            ]
            for numbers in product(*rows):
                if len(set(numbers)) == len(numbers):
                    yield numbers, implementation

    def _together(self, numbers: tuple[int, ...], implementation: Implementation) -> Iterator[EndChoice]:
        layers = [self.layers[n] for n in numbers]
        alone = {side: list(product(*(self._spots(la, side) for la in layers))) for side in ("sender", "receiver")}
        joint = {side: list(self._joint(layers, side, implementation)) for side in ("sender", "receiver")}
        for sender, receiver in (
            *product(joint["sender"], alone["receiver"]),
            *product(alone["sender"], joint["receiver"]),
            *product(joint["sender"], joint["receiver"]),
        ):
            yield self._choice(numbers, sender, receiver)

    def _joint(self, layers: list[Layer], side: Side, implementation: Implementation) -> Iterator[tuple[Spot, ...]]:
        """Yield the spots of layers that one offload does; the first of them bears the cost."""
        ops = [la.op(side) for la in layers]
        for stop in self.segment(side):
            if implementation not in self._supplied(stop):
                continue
            real = [op for op in ops if op is not None]
            if len(real) < len(ops) or any(policy_of(o, self.stops[stop], self.specification) for o in real):
                continue
            cost = self.prices.offload(implementation.chunnels, stop)
            costs = [cost, *[_nothing] * (len(real) - 1)]
            yield tuple(
                Spot(op, stop, "offload", "offload", c, implementation) for op, c in zip(real, costs, strict=True)
            )

    def _choice(
        self, numbers: tuple[int, ...], sender: tuple[Spot | None, ...], receiver: tuple[Spot | None, ...]
    ) -> EndChoice:  # fmt: skip
        spots = tuple(s for s in (*sender, *receiver) if s is not None)
        offloads = {(s.stop, s.implementation) for s in spots if s.implementation is not None}
        uses: dict[str, int] = {}
        for stop, implementation in offloads:
            for name, amount in implementation.resources if implementation else ():
                key = f"{self.stops[stop].name}.{name}"
                uses[key] = uses.get(key, 0) + amount
        choice = Choice(
            numbers,
            tuple(s.stop if s else None for s in sender),
            tuple(s.stop if s else None for s in receiver),
            rank=-sum(i.priority for _, i in offloads if i is not None),
            price=Priced(self.prices, tuple((s.stop, s.cost) for s in sender if s is not None)),
            received=Priced(self.prices, tuple((s.stop, s.cost) for s in receiver if s is not None)),
            uses=tuple(sorted(uses.items())),
            behind=self._behind(numbers, spots),
        )
        return EndChoice(choice, spots)

    def _behind(self, numbers: tuple[int, ...], spots: tuple[Spot, ...]) -> frozenset[int]:
        """Return the layers of which one must have made a message confidential before a device sees it that the policy
        does not trust.
        """
        trust = self.specification.site.policy.trust
        conceal = frozenset(n for n, la in enumerate(self.layers) if "confidential" in la.instance.chunnel.provides)
        strange = any(
            trust and not {self.stops[s.stop].name, self.stops[s.stop].host} & set(trust)
            for s in spots
            if s.implementation is not None
        )
        return conceal if strange and not conceal & set(numbers) else frozenset()


def _nothing(_: int) -> Cost | None:
    from bertha_ir.cost_models.base import Cost  # noqa: PLC0415  (a value here, a type elsewhere)
    from bertha_ir.cost_models.units import Nanoseconds  # noqa: PLC0415  (as above)

    return Cost(Nanoseconds(0))


def layers_of(graph: Graph, instances: tuple[Instance, ...]) -> tuple[Layer, ...]:
    """Return the chunnels of a direction that run at its ends, as written."""
    ops = {(o.instance, o.side): o for o in graph.ops if o.side != "path"}
    found = (Layer(i, ops.get((i.id, "sender")), ops.get((i.id, "receiver"))) for i in instances)
    return tuple(la for la in found if la.send is not None or la.recv is not None)


__all__ = ["EndChoice", "Ends", "Layer", "Spot", "evolve", "layers_of"]
