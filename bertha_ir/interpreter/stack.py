"""Runs a direction of a stack as written, from the sending application to the receiving one: the meaning that every
placement must keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Factory, define, field, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.evaluate import EndBody, Environment, execute
from bertha_ir.interpreter.packet import Endpoint, Packet, Record, copied
from bertha_ir.interpreter.program import no_inputs
from bertha_ir.interpreter.store import StateStore
from bertha_ir.message import Fixed
from bertha_ir.program import Header, HeaderField, State, Table
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.message import Message
    from bertha_ir.stack import Graph, Op

Network = tuple[tuple[str, tuple[tuple[str, int | bytes], ...]], ...]


@frozen
class Delivery:
    """A message that left the stack: at the receiving application; for `back`, at the sender's; for `copy`, at another
    endpoint that a clone was sent to. `network`: the fields of the network's headers that the run was given.
    """

    payload: bytes
    src: Endpoint
    dst: Endpoint
    value: Record | None = None
    back: bool = False
    copy: bool = False
    network: Network = ()


@frozen
class View:
    """A header that an op lays over the message: at a byte offset, if it `reads` it at all."""

    header: Header
    offset: int
    fixed: tuple[tuple[str, int | bytes], ...]


@frozen
class Step:
    """An op, ready to run: its tables by name, and the headers it reads where they lie at this point of the stack."""

    op: Op
    tables: Mapping[str, Table]
    views: tuple[View, ...]


def header_of(message: Message) -> Header:
    """Return the fixed part of a message as a header."""
    return Header(message.name, tuple(HeaderField(f.name, f.type) for f in message.fixed_fields))


def steps_of(graph: Graph, messages: Mapping[str, Message]) -> tuple[Step, ...]:
    """Return the ops of a graph in the order in which a message meets them."""
    return tuple(
        Step(op, {t.name: t for t in op.tables}, _views(op, graph.into(op.id).headers, messages))
        for op in graph.chain()
    )  # fmt: skip


def _views(op: Op, known: tuple[str, ...], messages: Mapping[str, Message]) -> tuple[View, ...]:
    """Return where the headers lie that an op reads: the known ones in their order, any other behind them."""
    own = {n.header for n in walk(op.body) if isinstance(n, s.Push | s.Pop)}
    read = {n.header for n in walk(op.body) if isinstance(n, e.Field)} - own
    views, offset = [], 0
    for name in (*known, *sorted(read - set(known))):
        message = messages[name]
        if name in read:
            fixed = tuple((f.name, f.rule.value) for f in message.fixed_fields if isinstance(f.rule, Fixed))
            views.append(View(header_of(message), offset, fixed))
        offset += message.size if name in known else 0
    return tuple(views)


def _without_inputs(_: str, name: str) -> int:
    return no_inputs(name)


@define
class StackMachine:
    """A direction with its state. `secrets` gives the keys by name; `inputs` gives an op, by its id, time and chance.

    `shared`: the machine of the other direction, whose state this one's chunnels share. `instead`: as in `Environment`.
    """

    graph: Graph
    messages: Mapping[str, Message]
    inputs: Callable[[str, str], int] = _without_inputs
    secrets: Mapping[str, bytes] = Factory(dict)
    shared: StackMachine | None = None
    instead: Mapping[str, Callable[..., Any]] = Factory(dict)
    states: StateStore = field(init=False)
    steps: tuple[Step, ...] = field(init=False)
    _headers: dict[str, Header] = field(init=False)

    def __attrs_post_init__(self) -> None:
        declared: dict[str, State] = {t.name: t for op in self.graph.ops for t in op.states}
        self.states = StateStore.of(tuple(declared.values()))
        if self.shared is not None:
            self.states.share(self.shared.states)
        self._headers = {m.name: header_of(m) for m in self.messages.values()}
        self.steps = steps_of(self.graph, self.messages)

    def run(
        self, payload: bytes = b"", src: Endpoint = (0, 0), dst: Endpoint = (0, 0), value: Record | None = None,
        network: Mapping[str, Record] | None = None,
    ) -> tuple[Delivery, ...]:  # fmt: skip
        """Send one message and return what arrives, in order; nothing when it is dropped on the way."""
        return tuple(self._from(0, Packet(bytearray(payload), src, dst, value, outside=copied(network or {}))))

    def _from(self, position: int, packet: Packet) -> list[Delivery]:
        later: list[Delivery] = []
        for at in range(position, len(self.steps)):
            step = self.steps[at]
            if not _lay(step.views, packet):
                continue
            env = self._environment(step, packet)
            verdict = _run(step.op.body, env)
            later = self._sent(env, at + 1) + later
            if verdict == "drop":
                return later
            if verdict == "bounce":
                packet.src, packet.dst = packet.dst, packet.src
                return [_delivered(packet, back=True), *later]
        return [_delivered(packet), *later]

    def _environment(self, step: Step, packet: Packet) -> Environment:
        def inputs(name: str) -> int:
            return self.inputs(step.op.id, name)

        return Environment(
            packet, step.tables, self.states, inputs, self._headers, self.messages, self.secrets, instead=self.instead
        )

    def _sent(self, env: Environment, after: int) -> list[Delivery]:
        """Carry on with the messages that a body sent besides its own. A copy leaves the path for its endpoint."""
        made: list[Delivery] = []
        packet = env.packet
        for kind, what in env.sent:
            if kind == "reply":
                made.append(Delivery(what, packet.dst, packet.src, back=True))
            elif kind == "emit":
                made += self._from(
                    after, Packet(bytearray(what), packet.src, packet.dst, outside=copied(packet.outside))
                )
            else:
                made.append(_delivered(what, copy=True))
        return made


def _delivered(packet: Packet, *, back: bool = False, copy: bool = False) -> Delivery:
    network = tuple((header, tuple(fields.items())) for header, fields in packet.outside.items())
    return Delivery(bytes(packet.data), packet.src, packet.dst, packet.value, back, copy, network)


def _lay(views: tuple[View, ...], packet: Packet) -> bool:
    """Lay the headers that an op reads over the bytes; False when they do not fit or break a fixed field."""
    packet.at, packet.layouts = {}, {}
    for view in views:
        name = view.header.name
        if name in packet.outside:
            continue
        if not packet.extract(view.header, view.offset):
            return False
        if any(packet.read(name, field) != value for field, value in view.fixed):
            return False
    return True


def _run(body: s.Body, env: Environment) -> str:
    try:
        execute(body, env)
    except EndBody as end:
        return end.verdict
    return "pass"
