"""Everything that one message makes observable: what is delivered, and the state afterwards, from a given start."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import Factory, evolve, frozen

from bertha_ir import expr as e
from bertha_ir.interpreter.stack import Delivery, StackMachine
from bertha_ir.interpreter.store import StateStore
from bertha_ir.walk import transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.interpreter.packet import Endpoint, Record
    from bertha_ir.interpreter.store import Key, Row
    from bertha_ir.message import Message
    from bertha_ir.stack import Graph

Entries = tuple[tuple["Key", "Row"], ...]


@frozen
class Start:
    """A message, and the world that it meets.

    `network`: fields of the headers in front of it. `states`: the entries of each, the least recently used first.
    `inputs`: what each op (by id) is told when it asks for the n-th time for `now`, `random` or `nonce`. `parameters`:
    the values of what a rule leaves open.
    """

    payload: bytes = b""
    src: Endpoint = (0, 0)
    dst: Endpoint = (0, 0)
    value: Record | None = None
    network: Mapping[str, Record] = Factory(dict)
    states: Mapping[str, Entries] = Factory(dict)
    inputs: Mapping[tuple[str, str, int], int] = Factory(dict)
    secrets: Mapping[str, bytes] = Factory(dict)
    parameters: Mapping[str, e.Scalar] = Factory(dict)


@frozen
class Trace:
    """What became of a message: the deliveries in order, and every state. Entries of a state that evicts are in the
    order in which they will go; those of other states are in the order of their keys.
    """

    deliveries: tuple[Delivery, ...]
    states: Mapping[str, Entries]


def trace(graph: Graph, messages: Mapping[str, Message], start: Start) -> Trace:
    """Run one message through a direction of a stack, or a part of one."""
    return Tracer(graph, messages).run(start)


@frozen(eq=False)
class Tracer:
    """Runs the same graph from many starts. `instead`: other implementations of primitives."""

    graph: Graph
    messages: Mapping[str, Message]
    instead: Mapping[str, Callable[..., Any]] = Factory(dict)

    @cached_property
    def _machine(self) -> StackMachine:
        return StackMachine(self.graph, self.messages, instead=self.instead)

    def _ready(self, start: Start) -> StackMachine:
        """Return a machine in the state that a start describes."""
        machine = self._machine
        if start.parameters:
            machine = StackMachine(_filled(self.graph, start.parameters), self.messages, instead=self.instead)
        machine.states = StateStore.of(tuple(machine.states.declared.values()))
        for name in start.states.keys() & machine.states.declared.keys():
            machine.states.rows[name].update(start.states[name])
        machine.secrets = start.secrets
        return machine

    def run(self, start: Start) -> Trace:
        """Run one message. An input that the start does not name is 0."""
        draws: dict[tuple[str, str], int] = {}

        def inputs(op: str, name: str) -> int:
            number = draws.get((op, name), 0)
            draws[op, name] = number + 1
            return start.inputs.get((op, name, number), 0)

        machine = self._ready(start)
        machine.inputs = inputs
        value = dict(start.value) if start.value is not None else None
        deliveries = machine.run(start.payload, start.src, start.dst, value, start.network)
        return Trace(deliveries, _entries(machine.states))


def _entries(store: StateStore) -> dict[str, Entries]:
    found: dict[str, Entries] = {}
    for name, state in store.declared.items():
        rows = store.rows[name]
        zeros = tuple(b"" if getattr(v, "size", 0) is None else 0 for v in state.values)
        if not state.keys:
            found[name] = (((), rows.get((), zeros)),)
        else:
            found[name] = tuple(rows.items()) if state.evicts else tuple(sorted(rows.items()))
    return found


def _filled(graph: Graph, parameters: Mapping[str, e.Scalar]) -> Graph:
    """Return a graph with constants for the parameters that its bodies still have."""

    def change(node: Any) -> Any:  # noqa: ANN401  (any node)
        return e.Const(parameters[node.name], node.type, node.span) if isinstance(node, e.Param) else node

    return evolve(graph, ops=tuple(evolve(op, body=transform(op.body, change)) for op in graph.ops))
