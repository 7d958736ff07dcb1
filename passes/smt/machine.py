"""Runs a pipeline of bodies on a message that comes in, as terms: every path through it, and what each delivers.

The same rows as in `bertha_ir/interpreter/stack.py` and `evaluate.py`, which have the last word: what z3 refutes is
replayed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3
from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.stack import header_of
from bertha_ir.passes.smt.context import all_of, bits
from bertha_ir.passes.smt.expressions import Evaluator, as_text, read_bits, width_of, write_bits
from bertha_ir.passes.smt.join import joined_paths
from bertha_ir.passes.smt.memory import History
from bertha_ir.passes.smt.path import BeyondProofError, Delivery, Packet, Path, World
from bertha_ir.passes.smt.terms import Text
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.types import Bits
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.interpreter.stack import Step, View
    from bertha_ir.passes.smt.path import Value

MAX_PATHS = 200
"""A pipeline with more paths than this is not encoded."""

MAX_CHOICES = 16
"""Choices that the rounds of one loop may make."""


@frozen(eq=False)
class Outcome:
    """What one path delivers, in order, and the state it leaves."""

    path: Path
    deliveries: tuple[Delivery, ...]


def run(steps: tuple[Step, ...], world: World, packet: Packet) -> list[Outcome]:
    """Return what each path through a pipeline does to a message.

    Raises:
        BeyondProofError: a body does what the encoding does not hold, or has too many paths.
    """
    machine = _Machine(steps, world)
    return [Outcome(p, tuple(d)) for p, d in machine.travel(0, Path(packet.copy(), world.memories(steps)))]


@frozen(eq=False)
class _Machine:
    steps: tuple[Step, ...]
    world: World

    def travel(self, position: int, path: Path) -> list[tuple[Path, list[Delivery]]]:
        """Return the paths on which a message goes on from a position, each with what is delivered."""
        if position == len(self.steps):
            return [(path, [_delivered("on", path.packet)])]
        step, done = self.steps[position], []
        for laid, skipped in self._lay(step.views, path):
            if skipped:
                done += self.travel(position + 1, laid)
                continue
            laid.locals = {}
            for after in _Runner(self.world, step).execute(step.op.body, laid):
                done += self._go_on(position, after)
            _bound(done)
        return done

    def _go_on(self, position: int, path: Path) -> list[tuple[Path, list[Delivery]]]:
        """Deliver what a body sent besides its message, then let the message go on."""
        verdict, path.verdict = path.verdict, "pass"
        done = []
        for then, later in self._sent(position + 1, path):
            packet = then.packet
            if verdict == "drop":
                done.append((then, later))
            elif verdict == "bounce":
                packet.src, packet.dst = packet.dst, packet.src
                done.append((then, [_delivered("back", packet), *later]))
            else:
                done += [(end, [*main, *later]) for end, main in self.travel(position + 1, then)]
        return done

    def _sent(self, position: int, path: Path) -> list[tuple[Path, list[Delivery]]]:
        sent, path.sent = path.sent, []
        ways: list[tuple[Path, list[Delivery]]] = [(path, [])]
        for kind, what in sent:
            if kind == "emit":
                ways = [way for then, made in ways for way in self._emit(position, then, made, what)]
                continue
            for then, made in ways:
                packet = then.packet
                back = Delivery("back", what, packet.dst, packet.src, None, {})
                made.append(what if kind == "clone" else back)
        return ways

    def _emit(self, position: int, path: Path, made: list[Delivery], data: Text) -> list[tuple[Path, list[Delivery]]]:
        main, path.packet = (
            path.packet,
            Packet(data, path.packet.src, path.packet.dst, None, path.packet.copy().outside),
        )
        ways = []
        for then, delivered in self.travel(position, path):
            then.packet = main.copy()
            ways.append((then, [*made, *delivered]))
        return ways

    def _lay(self, views: tuple[View, ...], path: Path) -> list[tuple[Path, bool]]:
        """Lay headers over the message; return the path where they fit, and those where the op is skipped."""
        packet, skipped = path.packet, []
        packet.at, packet.popped = {}, {}
        on: Path | None = path
        for view in views:
            name = view.header.name
            if on is None or name in packet.outside:
                continue
            on.packet.at[name] = view.offset
            on, off = on.fork(z3.UGE(on.packet.data.size(), view.offset + view.header.size))
            skipped += [off] if off else []
            if on is not None and view.fixed:
                on, off = on.fork(all_of(*(self._holds(view, name, value, on) for name, value in view.fixed)))
                skipped += [off] if off else []
        return [(p, True) for p in skipped] + ([(on, False)] if on else [])

    def _holds(self, view: View, name: str, value: int | bytes, path: Path) -> z3.BoolRef:
        field = view.header.field(name)
        number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
        first = 8 * view.offset + view.header.bit_offset(name)
        return read_bits(path.packet.data, first, field.width) == bits(number, field.width)


def _bound(paths: list[tuple[Path, list[Delivery]]]) -> None:
    if len(paths) > MAX_PATHS:
        msg = f"more than {MAX_PATHS} paths"
        raise BeyondProofError(msg)


def _delivered(kind: str, packet: Packet) -> Delivery:
    now = packet.copy()
    return Delivery(kind, now.data, now.src, now.dst, now.value, now.outside)


@frozen(eq=False)
class _Runner:
    """Runs the statements of one op's body."""

    world: World
    step: Step

    @property
    def words(self) -> Evaluator:
        return Evaluator(self.world, self.step.op.id, self.step.tables)

    def execute(self, body: s.Body, path: Path) -> list[Path]:
        """Return the paths after a body; those that ended early keep their verdict."""
        ways = [path]
        for statement in body:
            ways = [
                after for way in ways for after in ([way] if way.verdict != "pass" else self._statement(statement, way))
            ]
            if len(ways) > MAX_PATHS:
                msg = f"more than {MAX_PATHS} paths"
                raise BeyondProofError(msg)
        return ways

    def _statement(self, node: s.Stmt, path: Path) -> list[Path]:  # noqa: C901, PLR0912  (one row a node)
        value, packet = self.words.value, path.packet
        match node:
            case s.Let(name, of):
                path.locals[name] = value(of, path)
            case s.Assign(target, of):
                self._assign(target, value(of, path), path)
            case s.Attempt(target, of, otherwise):
                return self._attempt(target, of, otherwise, path)
            case s.If(condition, then, otherwise):
                ways = self._decide(condition, path)
                ends = [self.execute(then if holds else otherwise, way) for way, holds in ways]
                return joined_paths(ends) or [after for end in ends for after in end]
            case s.Repeat(count, body):
                if count * sum(isinstance(n, s.If) for n in walk(body)) > MAX_CHOICES:
                    msg = f"a loop of more than {MAX_CHOICES} choices"
                    raise BeyondProofError(msg)
                return self.execute(body * count, path)
            case s.Store():
                self._store(node, path)
            case s.Delete(state, keys):
                key = self._key(keys, path)
                path.memories[state] = path.memories[state].delete(key, self.world.facts)  # type: ignore[union-attr]  # only maps have keys
            case s.Drop():
                path.verdict = "drop"
            case s.Bounce():
                path.verdict = "bounce"
            case s.Reply(payload) | s.Emit(payload):
                path.sent.append(("reply" if isinstance(node, s.Reply) else "emit", as_text(value(payload, path))))
            case s.Clone(to):
                copy = packet.copy()
                path.sent.append(("clone", Delivery("copy", copy.data, copy.src, value(to, path), None, copy.outside)))
            case s.Push(header, fields):
                self._push(header, fields, path)
            case s.Pop(header, otherwise):
                return self._pop(header, otherwise, path)
            case _:
                raise BeyondProofError(type(node).__name__)
        return [path]

    def _decide(self, node: e.Expr, path: Path) -> list[tuple[Path, bool]]:
        """Return the paths on which a condition holds or not; what leaves traces only sometimes forks first."""
        match node:
            case e.Unary("not", of):
                return [(way, not holds) for way, holds in self._decide(of, path)]
            case e.Binary("and" | "or" as op, left, right) if any(_leaves_traces(n, path) for n in walk(node)):
                ways = self._decide(left, path)
                open_, settled = op == "and", [(w, h) for w, h in ways if h == (op == "or")]
                return settled + [end for w, h in ways if h == open_ for end in self._decide(right, w)]
        yes, no = path.fork(self.words.value(node, path))
        return [(way, holds) for way, holds in ((yes, True), (no, False)) if way is not None]

    def _attempt(self, target: s.Target, of: e.Expr, otherwise: s.Body, path: Path) -> list[Path]:
        if not isinstance(of, e.Call):
            msg = f"an attempt at {type(of).__name__}"
            raise BeyondProofError(msg)
        succeeds, result = self.words.attempt(of, path)
        yes, no = path.fork(succeeds)
        done = []
        if yes is not None:
            self._assign(target, result, yes)
            done.append(yes)
        return done + (self.execute(otherwise, no) if no is not None else [])

    def _assign(self, target: s.Target, value: Value, path: Path) -> None:
        packet = path.packet
        match target:
            case e.Local(name):
                path.locals[name] = value
            case e.Field(header, name) if header in packet.outside and header not in packet.at:
                packet.outside[header] = {**packet.outside[header], name: value}
            case e.Field():
                first, _ = self.words.place(target, path)
                packet.data = write_bits(packet.data, first, value)
            case e.Address(which):
                setattr(packet, which, value)
            case e.Part(e.Address(which), part):
                ip, port = getattr(packet, which)
                setattr(packet, which, (ip, value) if part == "port" else (value, port))
            case e.Payload():
                packet.data, packet.at = as_text(value), {}
            case e.Value():
                packet.value = value
            case _:
                raise BeyondProofError(type(target).__name__)

    def _key(self, keys: tuple[e.Expr, ...], path: Path) -> tuple[z3.ExprRef, ...]:
        return tuple(part for key in keys for part in self.words.flat(self.words.value(key, path)))

    def _store(self, node: s.Store, path: Path) -> None:
        facts = self.world.facts
        key = self._key(node.keys, path)
        row = tuple(p for v in node.values for p in self._stored(node, self.words.value(v, path)))
        memory = path.memories[node.state]
        if node.mode == "add":
            memory, there, old = memory.get(key, facts)
            row = tuple(z3.If(there, a, bits(0, a.size())) + b for a, b in zip(old, row, strict=True))
        path.memories[node.state] = memory.set(key, row, facts)

    def _stored(self, node: s.Store, value: Value) -> tuple[z3.ExprRef, ...]:
        """Return the components of a value for a state, whose byte strings may be of any length."""
        components = self.world.states[node.state].values
        if len(components) == 1 and not isinstance(components[0], Bits) and components[0].size is None:
            value = as_text(value)
        return self.words.flat(value)

    def _push(self, name: str, fields: tuple[tuple[str, e.Expr], ...], path: Path) -> None:
        given = {field: self.words.value(of, path) for field, of in fields}
        packet, message = path.packet, self.world.messages[name]
        data = packet.data
        packet.data = Text(tuple(bits(0, 8) for _ in range(message.size)) + data.head, data.base, data.cut)
        packet.at = {header: at + message.size for header, at in packet.at.items()}
        packet.at[name] = 0
        packet.popped.pop(name, None)
        for field, value in given.items():
            packet.data = write_bits(packet.data, message.bit_offset(field), value)

    def _pop(self, name: str, otherwise: s.Body, path: Path) -> list[Path]:
        message = self.world.messages[name]
        fits, short = path.fork(z3.UGE(path.packet.data.size(), message.size))
        done = self.execute(otherwise, short) if short is not None else []
        if fits is not None:
            packet = fits.packet
            taken = header_of(message)
            packet.popped = {
                **packet.popped,
                name: {
                    f.name: read_bits(packet.data, taken.bit_offset(f.name), width_of(f.type)) for f in taken.fields
                },
            }
            packet.data = packet.data.dropped(message.size)
            packet.at = {header: at - message.size for header, at in packet.at.items() if at >= message.size}
            done.append(fits)
        return done


def _leaves_traces(node: object, path: Path) -> bool:
    """Whether it shows later that an expression was evaluated: it used a map that evicts, or took an input."""
    match node:
        case e.Get(name) | e.Contains(name):
            return isinstance(path.memories.get(name), History)
        case e.Call(name):
            return "input" in PRIMITIVES[name].laws
    return False
