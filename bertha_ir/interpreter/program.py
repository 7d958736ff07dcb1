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
    from bertha_ir.program import DeviceProgram, Stage


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
        """Run one packet (see `bertha_ir.program`). A dropped packet's bytes are those that came in. An end with stages
        is run by `entered`.
        """
        assert not self.program.stages, "an end with stages has more than one way in"  # noqa: S101  INVARIANT
        packet = Packet(bytearray(data), src, dst, value)
        env = self._environment(packet)
        self._parse(packet)
        for block in self.program.blocks:
            if all(h in packet.at or h == "address" for h in block.needs) and evaluate(block.guard, env):
                try:
                    execute(block.body, env)
                except EndBody as end:
                    return self._outcome(end.verdict, env, block.name, data)
                return self._outcome("pass", env, block.name, data)
        return Outcome("pass", data, src, dst, value)

    def entered(self, entry: str, data: bytes = b"", value: Record | None = None) -> tuple[list[object], list[bytes]]:
        """Give an end with stages a message, what was returned, or a tick of its timer. Return what leaves it, in
        order, and what it returns to the other end.
        """
        (first,) = (stage for stage in self.program.stages if stage.entry == entry)
        returning: list[bytes] = []
        found = self._staged(first, data, value, returning)
        return (found, returning) if entry != "returned" else ([], [])

    def _staged(self, stage: Stage, data: bytes, value: Record | None, returning: list[bytes]) -> list[object]:
        stages = {s.block: s for s in self.program.stages}
        env = self._environment(Packet(bytearray(data), value=value))
        block = next(b for b in self.program.blocks if b.name == stage.block)
        passed = True
        try:
            execute(block.body, env)
        except EndBody:
            passed = False
        for payload in (bytes(p) for kind, p in env.sent if kind == "reply"):
            back = [payload] if stage.back is None else self._staged(stages[stage.back], payload, None, [])
            returning += [one for one in back if isinstance(one, bytes)]
        gives_record = stage.root == "recv" and stage.message is not None
        own: list[object] = [env.packet.value if gives_record else bytes(env.packet.data)] if passed else []
        found = [*own, *(bytes(p) for kind, p in env.sent if kind == "emit")]
        if stage.then is None:
            return found
        on = stages[stage.then]
        return [one for made in found if isinstance(made, bytes) for one in self._staged(on, made, None, returning)]

    def _environment(self, packet: Packet) -> Environment:
        return Environment(
            packet,
            {t.name: t for t in self.program.tables},
            self.states,
            self.inputs,
            {h.name: h for h in self.program.headers},
            self.messages,
            self.secrets,
        )

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
