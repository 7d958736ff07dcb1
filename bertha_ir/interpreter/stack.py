"""Runs a direction of a stack as written, from the sending application to the receiving one: the meaning that every
placement must keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.evaluate import EndBody, Environment, execute
from bertha_ir.interpreter.packet import Endpoint, Packet, Record
from bertha_ir.interpreter.program import no_inputs
from bertha_ir.interpreter.store import StateStore
from bertha_ir.message import Fixed
from bertha_ir.program import Header, HeaderField, State
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.message import Message
    from bertha_ir.stack import Graph, Layout, Op


@frozen
class Delivery:
    """A message that reached an application: the receiver's, or, for `back`, the sender's."""

    payload: bytes
    src: Endpoint
    dst: Endpoint
    value: Record | None = None
    back: bool = False


@define
class StackMachine:
    """A direction with its state. `secrets` gives the keys by name, `inputs` time and chance.

    `shared`: the machine of the other direction, whose state this one's chunnels share.
    """

    graph: Graph
    messages: Mapping[str, Message]
    inputs: Callable[[str], int] = no_inputs
    secrets: Mapping[str, bytes] = Factory(dict)
    shared: StackMachine | None = None
    states: StateStore = field(init=False)
    _headers: dict[str, Header] = field(init=False)

    def __attrs_post_init__(self) -> None:
        declared: dict[str, State] = {t.name: t for op in self.graph.ops for t in op.states}
        self.states = StateStore.of(tuple(declared.values()))
        if self.shared is not None:
            self.states.share(self.shared.states)
        self._headers = {
            m.name: Header(m.name, tuple(HeaderField(f.name, f.type) for f in m.fixed_fields))
            for m in self.messages.values()
        }

    def run(
        self, payload: bytes = b"", src: Endpoint = (0, 0), dst: Endpoint = (0, 0), value: Record | None = None
    ) -> tuple[Delivery, ...]:
        """Send one message and return what arrives, in order; nothing when it is dropped on the way."""
        return tuple(self._from(0, Packet(bytearray(payload), src, dst, value)))

    def _from(self, position: int, packet: Packet) -> list[Delivery]:
        chain = self.graph.chain()
        later: list[Delivery] = []
        for at in range(position, len(chain)):
            op = chain[at]
            if not self._view(op, self.graph.into(op.id), packet):
                continue
            env = self._environment(op, packet)
            verdict = _run(op.body, env)
            later = self._sent(env, at + 1) + later
            if verdict == "drop":
                return later
            if verdict == "bounce":
                return [Delivery(bytes(packet.data), packet.dst, packet.src, packet.value, back=True), *later]
        return [Delivery(bytes(packet.data), packet.src, packet.dst, packet.value), *later]

    def _environment(self, op: Op, packet: Packet) -> Environment:
        tables = {t.name: t for t in op.tables}
        return Environment(
            packet, tables, self.states, self.inputs, self._headers, self.messages, self.secrets
        )  # fmt: skip

    def _view(self, op: Op, layout: Layout, packet: Packet) -> bool:
        """Lay the headers that an op reads over the bytes; False when they do not fit or break a fixed field."""
        own = {n.header for n in walk(op.body) if isinstance(n, s.Push | s.Pop)}
        read = {n.header for n in walk(op.body) if isinstance(n, e.Field)} - own
        packet.at, packet.layouts = {}, {}
        offset = 0
        for name in (*layout.headers, *sorted(read - set(layout.headers))):
            header = self._headers[name]
            if name in read and not (packet.extract(header, offset) and self._holds(name, packet)):
                return False
            offset += header.size if name in layout.headers else 0
        return True

    def _holds(self, name: str, packet: Packet) -> bool:
        fixed = self.messages[name].rules(Fixed)
        return all(isinstance(f.rule, Fixed) and packet.read(name, f.name) == f.rule.value for f in fixed)

    def _sent(self, env: Environment, after: int) -> list[Delivery]:
        """Carry on with the messages that a body sent besides its own."""
        made: list[Delivery] = []
        packet = env.packet
        for kind, what in env.sent:
            if kind == "reply":
                made.append(Delivery(what, packet.dst, packet.src, back=True))
            elif kind == "emit":
                made += self._from(after, Packet(bytearray(what), packet.src, packet.dst))
            else:
                made += self._from(after, what)
        return made


def _run(body: s.Body, env: Environment) -> str:
    try:
        execute(body, env)
    except EndBody as end:
        return end.verdict
    return "pass"
