"""Runs a device program on one packet: the oracle for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import define, field

from bertha_ir.interpreter.evaluate import EndBody, Environment, evaluate, execute
from bertha_ir.interpreter.packet import Endpoint, Packet, Record
from bertha_ir.interpreter.store import StateStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.message import Message
    from bertha_ir.program import DeviceProgram


def no_inputs(name: str) -> int:
    """Refuse to give an input from outside: the default of runs that should need none."""
    msg = f"the program asks for `{name}` and the run gave no inputs"
    raise LookupError(msg)


@define
class Outcome:
    """What became of a packet. `block` names the block that took it, None when none did."""

    verdict: Literal["pass", "drop", "bounce"]
    data: bytes
    src: Endpoint = (0, 0)
    dst: Endpoint = (0, 0)
    value: Record | None = None
    block: str | None = None
    sent: tuple[tuple[str, object], ...] = ()


@define
class Machine:
    """A device program with its state, and the key material that it asks for by name."""

    program: DeviceProgram
    inputs: Callable[[str], int] = no_inputs
    messages: dict[str, Message] = field(factory=dict)
    secrets: dict[str, bytes] = field(factory=dict)
    states: StateStore = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.states = StateStore.of(self.program.states)

    def run(self, data: bytes, src: Endpoint = (0, 0), dst: Endpoint = (0, 0), value: Record | None = None) -> Outcome:
        """Run one packet (see `bertha_ir.program`). A dropped packet's bytes are those that came in."""
        packet = Packet(bytearray(data), src, dst, value)
        env = Environment(
            packet,
            {t.name: t for t in self.program.tables},
            self.states,
            self.inputs,
            {h.name: h for h in self.program.headers},
            self.messages,
            self.secrets,
        )
        self._parse(packet)
        for block in self.program.blocks:
            if all(h in packet.at or h == "address" for h in block.needs) and evaluate(block.guard, env):
                try:
                    execute(block.body, env)
                except EndBody as end:
                    return self._outcome(end.verdict, env, block.name, data)
                return self._outcome("pass", env, block.name, data)
        return Outcome("pass", data, src, dst, value)

    def _parse(self, packet: Packet) -> None:
        states = {state.header: state for state in self.program.parser}
        name, offset = next(iter(states), None), 0
        while name is not None:
            header = self.program.header(name)
            if not packet.extract(header, offset):
                return
            offset += header.size
            name = next(
                (t.to for t in states[name].transitions if all(packet.read(header.name, f) == v for f, v in t.when)),
                None,
            )

    @staticmethod
    def _outcome(verdict: str, env: Environment, block: str, came: bytes) -> Outcome:
        packet = env.packet
        data = came if verdict == "drop" else bytes(packet.data)
        return Outcome(
            verdict,  # type: ignore[arg-type]  # EndBody carries one of the three
            data,
            packet.src,
            packet.dst,
            packet.value,
            block,
            tuple(env.sent),
        )
