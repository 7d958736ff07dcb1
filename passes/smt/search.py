"""Looks for a message and a state on which two pipelines differ, by trying: where the encoding ends, or a model of it
does not come true.

What is tried is made of the constants of the bodies and their tables, their neighbours, and of one another's values,
so that keys hit entries and conditions meet.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from attrs import define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.packet import set_bits
from bertha_ir.interpreter.stack import header_of
from bertha_ir.interpreter.trace import Start
from bertha_ir.passes.smt.question import Question, differs, run_both, width
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.types import Bits, Bool, Bytes, EndpointType
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.interpreter.trace import Entries
    from bertha_ir.program import State

TRIES = 300

_CODED = {p.inverse: p for p in PRIMITIVES.values() if p.inverse is not None and p.reference is not None}
"""What makes the bytes that a primitive decodes."""


def search(question: Question, tries: int = TRIES, seed: int = 0) -> Start | None:
    """Return a start from which the two pipelines differ, or None when none was found."""
    tracers = question.tracers()
    for start in starts(question, tries, seed):
        left, right = run_both(tracers, start)
        if differs(question, left, right):
            return start
    return None


def starts(question: Question, count: int, seed: int = 0) -> Iterator[Start]:
    """Yield messages and states to try, the same ones for the same seed."""
    maker = _Maker(question, random.Random(seed))  # noqa: S311  (tests, not secrets)
    for _ in range(count):
        yield maker.start()


def _constants(question: Question) -> tuple[int, ...]:
    """Return the numbers that occur in bodies and tables, and those beside them."""
    found = {0, 1}
    for op in (*question.left.ops, *question.right.ops):
        for node in walk(op.body):
            match node:
                case e.Const(int() as value):
                    found.add(value)
                case e.Const((ip, port)):
                    found |= {ip, port}
        for entry in (x for table in op.tables for x in table.entries[:64]):
            found |= {*entry.match, *entry.values}
    return tuple(sorted({n + d for n in found for d in (-1, 0, 1)} - {-1}))


@define
class _Maker:
    question: Question
    rng: random.Random
    pool: tuple[int, ...] = field(init=False)
    ends: tuple[tuple[int, int], ...] = field(init=False)
    inputs: tuple[tuple[str, str, int], ...] = field(init=False)
    secrets: tuple[tuple[str, int], ...] = field(init=False)
    states: tuple[State, ...] = field(init=False)
    undone: tuple[e.Call, ...] = field(init=False)
    used: list[int] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        ops = (*self.question.left.ops, *self.question.right.ops)
        nodes = [(op.id, node) for op in ops for node in walk(op.body)]
        self.pool = _constants(self.question)
        self.ends = tuple(n.value for _, n in nodes if isinstance(n, e.Const) and isinstance(n.value, tuple))
        calls = {(op, n.primitive) for op, n in nodes if isinstance(n, e.Call)}
        asked = sorted((op, name) for op, name in calls if "input" in PRIMITIVES[name].laws)
        self.inputs = tuple((op, name, number) for op, name in asked for number in range(4))
        self.secrets = tuple(sorted({(n.name, width(n.type) // 8) for _, n in nodes if isinstance(n, e.Secret)}))
        self.states = tuple(self.question.states().values())
        attempts = (n.value for _, n in nodes if isinstance(n, s.Attempt) and isinstance(n.value, e.Call))
        self.undone = tuple(dict.fromkeys(call for call in attempts if call.primitive in _CODED))

    def start(self) -> Start:
        """Make one message and the world that it meets."""
        self.used = []
        question = self.question
        record = question.messages[question.record] if question.record else None
        value = {f.name: self.typed(f.type) for f in record.fields} if record else None
        src, dst = self.end(), self.end()
        network: dict[str, dict[str, int | bytes]] = {}
        for f in question.network:
            network.setdefault(f.header, {})[f.name] = self.typed(f.type)
        secrets = {name: self.rng.randbytes(size) for name, size in self.secrets}
        payload = b"" if record else self.coded(self.payload(), secrets)
        inputs = {at: self.number(64 if at[1] == "now" else 32) for at in self.inputs}
        states = {state.name: self.entries(state) for state in self.states}
        return Start(
            payload, src, dst, value, network, states, inputs, secrets,
            {p.name: self.typed(p.type) for p in question.parameters},
        )  # fmt: skip

    def number(self, width: int) -> int:
        """Make a number: a constant that is asked for, one that is in use elsewhere, or any."""
        limit = 1 << width
        kind = self.rng.random()
        if kind < 0.5:  # noqa: PLR2004  (a share)
            number = self.rng.choice(self.pool) % limit
        elif kind < 0.8 and self.used:  # noqa: PLR2004  (a share)
            number = self.rng.choice(self.used) % limit
        else:
            number = self.rng.randrange(limit)
        self.used.append(number)
        return number

    def end(self) -> tuple[int, int]:
        """Make an endpoint, often one that a body names."""
        if self.ends and self.rng.random() < 0.5:  # noqa: PLR2004  (a share)
            ip, port = self.rng.choice(self.ends)
        else:
            ip, port = self.number(32), self.number(16)
        self.used += [ip, port]
        return ip, port

    def typed(self, type_: Any) -> Any:  # noqa: ANN401  (a value of the type)
        """Make a value of a type."""
        match type_:
            case Bits(width):
                return self.number(width)
            case Bool():
                return self.rng.random() < 0.5  # noqa: PLR2004  (a coin)
            case EndpointType():
                return self.end()
            case Bytes(None):
                return self.rng.choice((b"", bytes(40), self.rng.randbytes(self.rng.randrange(64))))
            case Bytes(int(size)):
                return self.number(8 * size).to_bytes(size, "big")
        msg = f"no values of {type_}"
        raise TypeError(msg)

    def payload(self) -> bytes:
        """Make bytes that fit the headers which are laid over them, or nearly."""
        views = [v for steps in self.question.steps() for step in steps for v in step.views]
        need = max((v.offset + v.header.size for v in views), default=0)
        data = bytearray(self.rng.randbytes(need + self.rng.choice((0, 0, 3, 40))))
        for view in views:
            for name, value in view.fixed:
                number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
                at = 8 * view.offset + view.header.bit_offset(name)
                set_bits(data, at, view.header.field(name).width, number)
            for f in header_of(self.question.messages[view.header.name]).fields:
                at = 8 * view.offset + view.header.bit_offset(f.name)
                if f.name not in dict(view.fixed):
                    set_bits(data, at, f.width, self.number(f.width))
        return bytes(data[: self.rng.choice((len(data), len(data), len(data), need, max(need - 1, 0), 0))])

    def coded(self, data: bytes, secrets: dict[str, bytes]) -> bytes:
        """Often make of some bytes what a body can decode, for chance does not meet that."""
        for call in self.undone:
            if self.rng.random() < 0.5:  # noqa: PLR2004  (a coin)
                coder = _CODED[call.primitive]
                keys = [secrets[a.name] for a in call.arguments if isinstance(a, e.Secret)]
                rest = [self.typed(type_) for type_ in coder.arguments[len(keys) : -1]]
                data = coder.reference(*keys, *rest, data)  # type: ignore[misc]  # what is undone was done
        return data

    def entries(self, state: State) -> Entries:
        """Make entries, mostly few, under keys that are in use."""
        if not state.keys:
            return (((), self._row(state)),)
        rows = {
            tuple(self.typed(k) for k in state.keys): self._row(state)
            for _ in range(min(self.rng.choice((0, 1, 2, 5)), state.size))
        }
        if state.size <= 64 and self.rng.random() < 0.2:  # noqa: PLR2004  (small maps are sometimes full)
            rows |= {tuple(self.typed(k) for k in state.keys): self._row(state) for _ in range(state.size - len(rows))}
        return tuple(rows.items())

    def _row(self, state: State) -> tuple[int | bytes, ...]:
        return tuple(self.typed(v) for v in state.values)
