"""expand: turn each direction of a stack into a graph of ops, parameters substituted and edges typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import Factory, evolve, frozen

from bertha_ir.diagnostics import Collector
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.guarantees import check_guarantees
from bertha_ir.passes.layout import after, check_visible, start
from bertha_ir.passes.substitute import Names, body_of, states_of, tables_of
from bertha_ir.spec import Direction, Event, Handler, Instance, Site, Specification, Stack, Transport
from bertha_ir.stack import Graph, Layout, Op, Side, connect

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.program import State, Table


@frozen
class Expand(Pass):
    """`stack kv { request: serialize(K) |> shard(…) |> udp(4242); }` -> `serialize.send, shard.packet, udp.send,
    udp.recv, serialize.recv`.
    """

    name: ClassVar[str] = "expand"
    establishes: ClassVar[frozenset[Fact]] = frozenset({"expanded"})

    def run(self, module: Module, context: Context) -> Module:  # noqa: ARG002  (a pass's signature)
        """Return the module with one graph per stack and direction."""
        collector = Collector()
        graphs = tuple(
            _Expansion(module.specification, stack, direction, collector).graph()
            for stack in module.specification.stacks
            for direction in stack.directions
        )
        collector.check()
        return evolve(module, graphs=graphs)


def chain_of(
    specification: Specification, instances: tuple[Instance, ...], known: dict[tuple[Instance, Handler], Op]
) -> tuple[tuple[Op, Layout], ...]:
    """Return the ops of some chunnels above a transport, each with the layout in front of it, in the order in which a
    message meets them; whether they can read there what they read is not checked.

    `known` keeps the ops that were made, for further chains above the same transport.

    Raises:
        BerthaError: an argument is one that no table can hold.
    """
    direction = Direction("request", instances)
    stack = Stack("", ("sender", "receiver"), (direction,))
    collector = Collector()
    ops, layouts = _Expansion(specification, stack, direction, collector, known)._chain()  # noqa: SLF001  (the same file)
    collector.check()
    return tuple((op, layout) for op, layout in zip(ops, layouts, strict=False) if op.transport is None)


@frozen
class _Expansion:
    """The expansion of one direction."""

    specification: Specification
    stack: Stack
    direction: Direction
    collector: Collector
    known: dict[tuple[Instance, Handler], Op] = Factory(dict)

    def graph(self) -> Graph:
        request = self.direction.name == "request"
        sender, receiver = self.stack.ends if request else self.stack.ends[::-1]
        check_guarantees(self.stack, self.direction, self.collector)
        ops, layouts = self._chain()
        check_visible(self.specification, tuple(zip(ops, layouts, strict=False)), self._transport(), self.collector)
        return Graph(
            self.stack.name, self.direction.name, sender, receiver, ops, connect(ops, layouts),
            self._timers(), service(self.specification.site, self.stack),
        )  # fmt: skip

    def _chain(self) -> tuple[tuple[Op, ...], tuple[Layout, ...]]:
        """Return the ops in the order in which a message meets them, and the layouts around them."""
        ops: list[Op] = []
        layouts = [start(self.direction)]
        before: dict[str, Layout] = {}
        for instance in self.direction.instances:
            before[instance.id] = layouts[-1]
            for event, side in (("send", "sender"), ("packet", "path")):
                if handler := self._handler(instance, event):  # type: ignore[arg-type]  # literals
                    ops.append(self._op(instance, handler, side))  # type: ignore[arg-type]
                    layouts.append(after(layouts[-1], ops[-1]))
        self._insert_replies(ops, layouts)
        for instance in reversed(self.direction.instances):
            if handler := self._handler(instance, "recv"):
                ops.append(self._op(instance, handler, "receiver"))
                layouts.append(before[instance.id])
        return tuple(ops), tuple(layouts)

    def _insert_replies(self, ops: list[Op], layouts: list[Layout]) -> None:
        """Put the `reply` handlers of the request's chunnels just above the response's transport."""
        requests = [d for d in self.stack.directions if d.name == "request" and self.direction.name == "response"]
        for instance in (i for d in requests for i in d.instances):
            if handler := instance.chunnel.handler("reply"):
                op = evolve(self._op(instance, handler, "path", "request"), derived_from=f"{instance.id}.packet")
                ops.insert(len(ops) - 1, op)
                layouts.insert(len(layouts) - 2, layouts[-2])

    def _handler(self, instance: Instance, event: Event) -> Handler | None:
        """Return a handler; a transport has both a `send` and a `recv`, empty if it does not spell them out."""
        handler = instance.chunnel.handler(event)
        if handler is None and instance.chunnel.transport is not None and event in {"send", "recv"}:
            return Handler(event, (), span=instance.chunnel.span)
        return handler

    def _timers(self) -> tuple[Op, ...]:
        return tuple(
            self._op(instance, handler, "sender")
            for instance in self.direction.instances
            for handler in instance.chunnel.handlers
            if handler.event == "timer"
        )

    def _op(self, instance: Instance, handler: Handler, side: Side, owner: str | None = None) -> Op:
        key = (instance, handler)
        if key not in self.known:
            self.known[key] = self._made(instance, handler, side, owner)
        return self.known[key]

    def _made(self, instance: Instance, handler: Handler, side: Side, owner: str | None) -> Op:
        names = Names(self.stack.name, owner or self.direction.name, instance)
        tables: tuple[Table, ...] = tables_of(instance, names, self.collector)
        states: tuple[State, ...] = states_of(instance, names)
        chunnel = instance.chunnel
        return Op(
            f"{instance.id}.{handler.event}", instance.id, chunnel.name, handler.event, side, chunnel.place,
            body_of(handler, instance, names, self._transport()), tables, states, chunnel.both_ends,
            chunnel.transport, handler.period, span=instance.span,
        )  # fmt: skip

    def _transport(self) -> Transport | None:
        return self.direction.instances[-1].chunnel.transport


def service(site: Site, stack: Stack) -> tuple[int | None, int] | None:
    """Return where the second end of a stack listens: the address of its host, if the site gives it, and the `port`
    argument of its request's transport. None for a stack without such a port, or with port 0.
    """
    request = next((d for d in stack.directions if d.name == "request"), None)
    if request is None:
        return None
    arguments = dict(request.instances[-1].arguments)
    port = getattr(arguments.get("port"), "value", None)
    if not isinstance(port, int) or not port:
        return None
    host = next((r.device for r in site.runs if (r.stack, r.end) == (stack.name, stack.ends[1])), None)
    device = next((d for d in site.devices if d.name == host), None)
    address = device.get("address") if device else None
    return (address if isinstance(address, int) else None, port)
