"""Runs a stack as written beside the device programs that were made of it, on the same messages, and compares.

As written: each direction's ops in the order of the specification, on one message at a time. As placed: what the
sender's process packs goes, as a frame, through the programs of the devices on its way, and what arrives is unpacked.
After every message both must have the same frame behind the last device, and the same for the receiver's application;
in the end, the same state. Frames that are no messages of the stack must pass as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field, frozen

from bertha_ir import expr as e
from bertha_ir.interpreter.both import FAILURES, Both, DiffersError, Row, program_key, ran, rows_between, shown
from bertha_ir.interpreter.frame import Framing, ways
from bertha_ir.interpreter.halves import objection, offloaded, placed_of, transport_of, until_the_wire, written_of
from bertha_ir.interpreter.program import Machine
from bertha_ir.interpreter.remains import kept_by, state_rows
from bertha_ir.interpreter.stack import StackMachine
from bertha_ir.interpreter.traffic import PADDING, Chance, Sending, constants, secrets_of, strangers
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.interpreter.halves import Placed
    from bertha_ir.interpreter.packet import Endpoint
    from bertha_ir.interpreter.store import StateStore
    from bertha_ir.message import Message
    from bertha_ir.plan import PlacedProgram, Plan
    from bertha_ir.stack import Graph


@frozen
class Difference:
    """What the `number`-th message shows: `given`, what was sent; `rows`, what is not the same `where`.

    `direction` is None of a state that several messages together leave different.
    """

    number: int
    direction: str | None
    where: str
    given: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


@frozen
class Compared:
    """The outcome. `messages`: how many were sent, by direction; `others`: frames that were none of the stack's;
    `programs`: those that ran, as DEVICE/HOOK/NAME; `left_out`: directions that were not compared, and why; `notes`:
    states that were not.
    """

    messages: Mapping[str, int]
    others: int
    programs: tuple[str, ...]
    difference: Difference | None = None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@frozen
class Subject:
    """What is compared: a stack's `graphs` as written, and the `programs` that the plan runs.

    `messages`: every layout by name; `ports`: those of all services, which frames of others do not go to; `reordered`:
    the graphs whose ends run another order, in that one.
    """

    plan: Plan
    graphs: tuple[Graph, ...]
    programs: tuple[PlacedProgram, ...]
    messages: Mapping[str, Message]
    ports: frozenset[int] = frozenset()
    reordered: tuple[Graph, ...] = ()


def compare(
    subject: Subject, *, count: int = 1000, seed: int = 0, progress: Callable[[int], None] = lambda _: None
) -> Compared:
    """Send `count` messages through both, up to the first difference. `progress` is told how many are done."""
    found = _Comparison(subject, seed).outcome(count, progress)
    if found.difference is not None and found.difference.direction is None:
        return _Comparison(subject, seed, watched=True).outcome(count, progress)  # which message was it?
    return found


@define
class _Inputs:
    """Time and chance of one message: the same for whoever asks, however often, so that order plays no part."""

    chance: Chance
    values: dict[str, int] = Factory(lambda: {"now": 0})

    def next(self) -> None:
        chance = self.chance
        now = self.values["now"] + chance.number(32)
        self.values = {"now": now, "random": chance.number(32), "nonce": chance.rng.getrandbits(96)}

    def of(self, name: str) -> int:
        return self.values[name]

    def of_op(self, _: str, name: str) -> int:
        return self.values[name]


@frozen
class _Way:
    """A direction, what runs it both ways, and what its messages are made of."""

    graph: Graph
    both: Both
    framings: tuple[Framing, ...]
    record: str | None


@define
class _Comparison:
    """`watched`: state is compared after each message, not only in the end."""

    subject: Subject
    seed: int
    watched: bool = False
    graphs: tuple[Graph, ...] = field(init=False)
    chance: Chance = field(init=False)
    inputs: _Inputs = field(init=False)
    secrets: dict[str, bytes] = field(init=False)
    machines: dict[str, Machine] = field(factory=dict, init=False)
    left_out: list[str] = field(factory=list, init=False)
    notes: dict[str, None] = field(factory=dict, init=False)
    others: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        plan = self.subject.plan
        ours = sorted((g for g in self.subject.graphs if g.stack == plan.stack), key=lambda g: g.direction)
        self.graphs = tuple(written_of(g, plan) for g in ours)
        trees = (*self.graphs, *(p.program for p in self.subject.programs))
        self.chance = Chance(self.seed, constants(trees))
        self.inputs = _Inputs(self.chance)
        self.secrets = secrets_of(trees, self.chance)

    def outcome(self, count: int, progress: Callable[[int], None]) -> Compared:
        """Run all messages, and compare the state that they leave."""
        found = self._ways()
        sent: dict[str, int] = {way.graph.direction: 0 for way in found}
        difference = None
        for number in range(count if found else 0):
            way = found[number % len(found)]
            sent[way.graph.direction] += 1
            difference = self._one(number, way, found)
            if difference is not None:
                break
            progress(number + 1)
        if difference is None and found:
            difference = self._in_the_end(count, found)
        ran_ = tuple(sorted({program_key(p) for way in found for p in way.both.placed.all}))
        return Compared(sent, self.others, ran_, difference, tuple(self.left_out), tuple(self.notes))

    # What runs

    def _ways(self) -> list[_Way]:
        found: list[_Way] = []
        for graph in self.graphs:
            placed = placed_of(self.subject.plan, graph.direction, self.subject.programs)
            framings = self._framings(graph) if placed.frames else ()
            reason = objection(graph)
            if not placed.all and not any(o.body for o in graph.ops):
                continue  # nothing is done to its messages
            if reason is None and placed.frames and not framings:
                reason = "no frames are known for its transport"
            if reason is not None:
                self.left_out.append(f"{graph.direction}: {reason}")
                continue
            values = [
                n.message for o in graph.ops if o.side == "sender" for n in walk(o.body) if isinstance(n, e.Value)
            ]
            both = self._both(graph, placed, found[-1].both if found else None)
            found.append(_Way(graph, both, framings, values[0] if values else None))
        return found

    def _both(self, graph: Graph, placed: Placed, other: Both | None) -> Both:
        """Return what runs a direction both ways; it shares the state of the other."""
        messages, inputs, secrets = self.subject.messages, self.inputs, self.secrets
        for program in placed.all:
            key = program_key(program)
            self.machines.setdefault(key, Machine(program, inputs.of, dict(messages), secrets))

        def written(part: Graph, shared: StackMachine | None) -> StackMachine:
            return StackMachine(part, messages, inputs.of_op, secrets, shared)

        plan, wire = self.subject.plan, self._on_the_wire(graph)
        cards = [offloaded(wire, plan, side) for side in ("sender", "receiver")]
        out, in_ = (written(card, None) if card is not None else None for card in cards)
        return Both(
            placed,
            written(until_the_wire(wire, path=False), other.sender if other else None),
            written(until_the_wire(wire, path=True), other.wire if other else None),
            written(graph, other.whole if other else None),
            self.machines,
            out,
            in_,
        )

    def _on_the_wire(self, graph: Graph) -> Graph:
        """Return the direction with the ends in the order that both of them run."""
        same = (g for g in self.subject.reordered if (g.stack, g.direction) == (graph.stack, graph.direction))
        found = next(same, None)
        return graph if found is None else written_of(found, self.subject.plan)

    def _framings(self, graph: Graph) -> tuple[Framing, ...]:
        """Return the headers that may lie in front of a message, with all that its ops read."""
        transport = transport_of(graph)
        if transport is None:
            return ()
        rows = ways(self.subject.messages, transport)
        network = {name for row in rows for name in row}
        read = {n.header for o in graph.ops for n in walk(o.body) if isinstance(n, e.Field)} & network
        return tuple(Framing(self.subject.messages, transport, row) for row in rows if read <= set(row))

    # One message

    def _one(self, number: int, way: _Way, ways_: list[_Way]) -> Difference | None:
        self.inputs.next()
        sending = self._sending(way)
        try:
            way.both.run(sending)
            if self.watched:
                self._states(ways_)
            self._strangers(way, sending)
        except DiffersError as error:
            given = _given(sending, way)
            return Difference(number + 1, way.graph.direction, error.where, given, error.rows)
        except FAILURES as error:
            self.left_out.append(f"{way.graph.direction}: what is written fails: {type(error).__name__}: {error}")
            return Difference(number + 1, way.graph.direction, "the stack as written", (), ())
        return None

    def _sending(self, way: _Way) -> Sending:
        chance = self.chance
        src, dst = self._ends(way)
        framing = chance.rng.choice(way.framings) if way.framings else None
        payload, value = b"", None
        if way.record is not None:
            value = chance.record(self.subject.messages[way.record])
        else:
            payload = chance.payload(tuple(v for step in way.both.wire.steps for v in step.views))
        given = chance.given(framing) if framing is not None else {}
        padding = chance.rng.randrange(PADDING) if chance.some(0.2) and framing is not None else 0
        return Sending(payload, value, src, dst, framing, given, padding, not chance.some(0.1))

    def _ends(self, way: _Way) -> tuple[Endpoint, Endpoint]:
        """Return where a message comes from and goes to: the service is one of them, if it is known.

        The other is at no address of the service where a switch is between them: what goes from a host to itself does
        not pass there.
        """
        graph = way.graph
        address, port = self.subject.plan.service or (None, None)
        there = (
            self.chance.number(32) if address is None else address,
            self.chance.number(16) if port is None else port,
        )
        here = self.chance.endpoint()
        undone = [x.match for g in self.graphs for o in g.ops if o.undoes for t in o.tables for x in t.entries]
        inside = {address, *(ip for ip, *_ in undone)}
        while here[0] in inside and any(p.hook == "pipeline" for p in way.both.placed.frames):
            here = (self.chance.number(32), here[1])
        if graph.direction == "request":
            return here, there
        undone = [x.match for o in graph.ops if o.undoes for t in o.tables for x in t.entries]
        return (self.chance.rng.choice(undone) if undone and self.chance.some(0.7) else there), here  # type: ignore[return-value]  # pairs

    def _strangers(self, way: _Way, sending: Sending) -> None:
        if sending.framing is None or not self.chance.some(0.1):
            return
        frame = sending.framing.build(sending.src, sending.dst, sending.payload, sending.given)
        for stranger in strangers(frame, sending.framing, self.subject.ports, self.chance):
            data = stranger
            for program in way.both.placed.frames:
                outcome = ran(self.machines[program_key(program)], data)
                if (outcome.verdict, outcome.data) != ("pass", stranger):
                    rows = rows_between({"frame": stranger}, {"frame": outcome.data, "message": outcome.verdict})
                    where = f"another service's frame behind {program.name} on {program.device}"
                    raise DiffersError(where, rows)
                data = outcome.data
            self.others += 1

    def _in_the_end(self, number: int, found: list[_Way]) -> Difference | None:
        try:
            self._states(found)
        except DiffersError as error:
            return Difference(number, None, error.where, (), error.rows)
        return None

    def _states(self, found: list[_Way]) -> None:
        """Compare the states. What several programs keep cannot be compared. Raises `DiffersError`."""
        written: dict[str, StateStore] = {n: w.both.whole.states for w in found for n in w.both.whole.states.declared}
        for name, store in written.items():
            holders = [m for m in self.machines.values() if name in kept_by(m.program)]
            if len(holders) != 1:
                self.notes[f"the state {name}: {len(holders) or 'no'} programs keep it"] = None
            elif rows := state_rows(name, store, holders[0].states):
                where = f"the state {name} of {holders[0].program.name} on {holders[0].program.device}"
                raise DiffersError(where, rows)


def _given(sending: Sending, way: _Way) -> tuple[tuple[str, str], ...]:
    """Return what was sent, by name."""
    rows: list[tuple[str, object]] = [("source", sending.src), ("destination", sending.dst)]
    rows += (sending.value or {"payload": sending.payload}).items()
    read = {(n.header, n.name) for o in way.graph.ops for n in walk(o.body) if isinstance(n, e.Field)}
    rows += [(f"{h}.{n}", v) for h, fields in sending.given.items() for n, v in fields.items() if (h, n) in read]
    return tuple((name, shown(value)) for name, value in rows)
