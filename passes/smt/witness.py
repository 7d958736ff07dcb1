"""From a solver's model to a message and a state that the interpreter can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import z3
from attrs import Factory, define

from bertha_ir.interpreter.trace import Start
from bertha_ir.passes.smt.context import bits, opaque
from bertha_ir.passes.smt.expressions import width_of
from bertha_ir.passes.smt.memory import History, Map, sort_of, start_of
from bertha_ir.passes.smt.terms import Facts, Text
from bertha_ir.types import Bits, Bool, Bytes, EndpointType

if TYPE_CHECKING:
    from bertha_ir.interpreter.trace import Entries
    from bertha_ir.passes.smt.encode import Encoding
    from bertha_ir.program import State

MODELLED_BYTES = 128
"""Bytes of a byte string that are taken from the model; no header lies further in. Those behind them are a filler."""


def start_of_model(encoding: Encoding, model: z3.ModelRef, *, full: bool = False) -> Start:
    """Return the message and the world that a model describes. With `full`, maps that evict are filled up."""
    return Reader(encoding, model).start(full=full)


@define
class Reader:
    """Reads values off a model."""

    encoding: Encoding
    model: z3.ModelRef
    known: dict[str, bytes] = Factory(dict)

    def start(self, *, full: bool) -> Start:
        """Return the message and the world that the model describes."""
        question, world, packet = self.encoding.question, self.encoding.world, self.encoding.packet
        src, dst = ((self.number(ip), self.number(port)) for ip, port in (packet.src, packet.dst))
        network: dict[str, dict[str, int | bytes]] = {}
        for field in question.network:
            number = self.number(packet.outside[field.header][field.name])
            network.setdefault(field.header, {})[field.name] = self._typed(number, field.type)  # type: ignore[arg-type]  # fields are bits or bytes
        value = None
        if packet.value is not None and question.record is not None:
            message = question.messages[question.record]
            value = {f.name: self._component(packet.value[f.name], f.type) for f in message.fields}
        states = {name: self._entries(state, full=full) for name, state in world.states.items()}
        return Start(
            self.text(packet.data), src, dst, value, network, states,
            {at: self.number(term) for at, term in world.inputs.items()},
            {name: self.number(term).to_bytes(term.size() // 8, "big") for name, term in world.secrets.items()},
            {p.name: self._parameter(world.parameters[p.name], p.type) for p in question.parameters},
        )  # fmt: skip

    def number(self, term: z3.ExprRef) -> int:
        """Return the value of bits."""
        return self.model.eval(term, model_completion=True).as_long()  # type: ignore[no-any-return]  # z3 is untyped

    def holds(self, term: z3.BoolRef) -> bool:
        """Return whether a condition holds."""
        return bool(z3.is_true(self.model.eval(term, model_completion=True)))

    def text(self, text: Text) -> bytes:
        """Return a byte string's bytes, the same for what the model says is the same."""
        if text.base is None:
            return bytes(self.number(b) for b in text.head)
        name = str(self.model.eval(text.base, model_completion=True))
        if name not in self.known:
            size = self.number(text.size())
            first = [self.number(text.byte(i)) for i in range(min(size, MODELLED_BYTES))]
            self.known[name] = bytes(first) + bytes(size - len(first))
        return self.known[name]

    def _typed(self, number: int, type_: Bits | Bytes) -> int | bytes:
        return number if isinstance(type_, Bits) else number.to_bytes(width_of(type_) // 8, "big")

    def _component(self, term: Any, type_: Bits | Bytes) -> int | bytes:  # noqa: ANN401  (a term or a text)
        if isinstance(term, Text):
            return self.text(term)
        if term.sort() == opaque():
            return self.text(Text((), term))
        return self._typed(self.number(term), type_)

    def _parameter(self, term: Any, type_: object) -> Any:  # noqa: ANN401  (a scalar)
        match type_:
            case EndpointType():
                return self.number(term[0]), self.number(term[1])
            case Bool():
                return self.holds(term)
        return self.number(term)

    def _entries(self, state: State, *, full: bool) -> Entries:
        asked = self.encoding.world.asked[state.name]
        memory = start_of(state, asked, Facts())
        if not isinstance(memory, Map | History):
            return (((), self._row(memory.row, state)),)
        found: dict[tuple[int | bytes, ...], tuple[int | bytes, ...]] = {}
        numbers = {self.number(key): key.size() for key in asked.keys.values()}
        for number, width in numbers.items():
            literal = bits(number, width)
            if isinstance(memory, Map):
                there, row = memory.present[literal], tuple(array[literal] for array in memory.rows)
            else:
                there, row = memory.holds(literal), memory.row(literal)
            if self.holds(there):
                found[_split(number, state)] = self._row(row, state)
        wanted = state.size if full else min(len(found) + 1, state.size)  # one is used last: using another one shows
        if isinstance(memory, Map):
            wanted = self.number(memory.count)
        more = _fillers(state, wanted - len(found), {_split(number, state) for number in numbers})
        return tuple((found | more).items())

    def _row(self, row: tuple[Any, ...], state: State) -> tuple[int | bytes, ...]:
        return tuple(self._component(term, v) for term, v in zip(row, state.values, strict=True))


def _split(number: int, state: State) -> tuple[int | bytes, ...]:
    """Return a key's components from its bits."""
    parts: list[int | bytes] = []
    for component in reversed(state.keys):
        width = sort_of(component).size()
        part = number & ((1 << width) - 1)
        parts.append(part if isinstance(component, Bits) else part.to_bytes(width // 8, "big"))
        number >>= width
    return tuple(reversed(parts))


def _fillers(state: State, wanted: int, asked: set[tuple[int | bytes, ...]]) -> dict[Any, Any]:
    """Return entries under keys that no body asks for."""
    width = sum(sort_of(k).size() for k in state.keys)
    zeros = tuple(0 if isinstance(v, Bits) else bytes(v.size or 0) for v in state.values)
    fillers: dict[Any, Any] = {}
    number = (1 << width) - 1
    while len(fillers) < min(wanted, state.size) and number >= 0:
        key = _split(number, state)
        if key not in asked:
            fillers[key] = zeros
        number -= 1
    return fillers
