"""A question for the prover: do two pipelines do the same to every message, whatever state it finds?"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from attrs import evolve, field, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.stack import Step, steps_of
from bertha_ir.interpreter.trace import Tracer
from bertha_ir.passes.layout import network_headers
from bertha_ir.stack import Graph, Layout, Op, connect
from bertha_ir.types import Bits, Bytes, Record
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.interpreter.trace import Start, Trace
    from bertha_ir.message import Message
    from bertha_ir.program import State
    from bertha_ir.spec import Parameter, Specification

Observed = Literal["all", "message", "shared"]


@frozen
class Question:
    """`left` and `right` are the pipelines. `network`: the fields of headers in front of the message that their bodies
    touch. `record`: the message whose decoded form comes in, if one does.

    `observed`: `all` that each does; the `message` alone, as laws ask; or the message and the state that both have.
    `parameters` and `condition` are those of a rule: it must hold for all values that the condition admits.
    """

    left: Graph
    right: Graph
    messages: Mapping[str, Message] = field(eq=False)
    network: tuple[e.Field, ...]
    record: str | None = None
    observed: Observed = "all"
    parameters: tuple[Parameter, ...] = ()
    condition: e.Expr | None = None

    @property
    def sides(self) -> tuple[Graph, Graph]:
        """Both pipelines."""
        return self.left, self.right

    def steps(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Return both pipelines, ready to run."""
        return steps_of(self.left, self.messages), steps_of(self.right, self.messages)

    def states(self) -> dict[str, State]:
        """Return the states of both pipelines by name."""
        return {t.name: t for graph in self.sides for op in graph.ops for t in op.states}

    def spoken(self) -> tuple[Message, ...]:
        """Return the messages whose layout the answer depends on."""
        names = {name for graph in self.sides for op in graph.ops for name in _touched(op).messages}
        names |= {h for graph in self.sides for edge in graph.edges for h in edge.layout.headers}
        return tuple(self.messages[name] for name in sorted(names))

    def compared(self) -> tuple[str, ...]:
        """Return the names of the states that take part in the answer."""
        left, right = ({t.name for op in graph.ops for t in op.states} for graph in self.sides)
        return (
            ()
            if self.observed == "message"
            else tuple(sorted(left & right if self.observed == "shared" else left | right))
        )

    def core(self) -> Question:
        """Return the question without the ops that both sides end with: what is the same before them is so behind."""
        if self.observed != "all":
            return self
        left, right = (_pairs(graph) for graph in self.sides)
        same = 0
        while same < min(len(left), len(right)) and left[-1 - same] == right[-1 - same]:
            same += 1
        cut = slice(None, -same or None)
        return evolve(self, left=pipeline(left[cut]), right=pipeline(right[cut])) if same else self

    def tracers(self) -> tuple[Tracer, Tracer]:
        """Return what runs both pipelines in the interpreter."""
        return Tracer(self.left, self.messages), Tracer(self.right, self.messages)


def _pairs(graph: Graph) -> tuple[tuple[Op, Layout], ...]:
    return tuple((op, graph.into(op.id)) for op in graph.chain())


def swapped(op: Op, over: Op, graph: Graph) -> tuple[Graph, Graph]:
    """Return two ops of a graph as they lie, and with the upper one behind the lower; nothing between them counts."""
    chain = graph.chain()
    position = next(i for i, o in enumerate(chain) if o.id == over.id)
    front, behind = graph.into(over.id), graph.edges[position + 1].layout
    return pipeline(((op, front), (over, front)), behind), pipeline(((over, front), (op, behind)), behind)


def pipeline(ops: tuple[tuple[Op, Layout], ...], end: Layout | None = None) -> Graph:
    """Return ops, each with the layout in front of it, as a graph."""
    steps = tuple(op for op, _ in ops)
    layouts = (*(layout for _, layout in ops), end or Layout(raw=True))
    return Graph("", "request", "", "", steps, connect(steps, layouts))


def ask(left: Graph, right: Graph, specification: Specification, observed: Observed = "all") -> Question:
    """Return the question whether two pipelines are the same; what comes in is read off their bodies."""
    network = network_of(specification)
    ops = (*left.ops, *right.ops)
    fields = {(f.header, f.name): f for op in ops for f in _touched(op).fields if f.header in network}
    messages = {m.name: m for m in specification.messages}
    records = sorted({name for op in ops if op.side == "sender" for name in _touched(op).records})
    record = records[0] if records else None
    ordered = tuple(fields[name] for name in sorted(fields))
    return Question(left, right, messages, ordered, record, observed)


def under(question: Question, parameters: tuple[Parameter, ...], condition: e.Expr | None) -> Question:
    """Return a question that leaves parameters open, under a condition on them."""
    return evolve(question, parameters=parameters, condition=condition)


def network_of(specification: Specification) -> frozenset[str]:
    """Return the headers that lie in front of messages, of every transport there is."""
    transports = [c.transport for c in specification.chunnels if c.transport is not None]
    return frozenset(h for t in transports for h in network_headers(specification, t))


@frozen
class _Touches:
    """What an op's body names: `fields` of headers that it has not made itself, decoded `records`, all `messages`."""

    fields: tuple[e.Field, ...]
    records: frozenset[str]
    messages: frozenset[str]


@cache
def _touched(op: Op) -> _Touches:
    nodes = tuple(walk(op.body))
    own = {n.header for n in nodes if isinstance(n, s.Push | s.Pop)}
    fields = tuple(n for n in nodes if isinstance(n, e.Field))
    records = {n.message for n in nodes if isinstance(n, e.Value)}
    made = {n.type.message for n in nodes if isinstance(n, e.Call) and isinstance(n.type, Record)}
    others = tuple(f for f in fields if f.header not in own)
    return _Touches(others, frozenset(records), frozenset(own | records | made | {f.header for f in fields}))


def same_states(question: Question, left: Trace, right: Trace) -> tuple[str, ...]:
    """Return the states that two runs leave different."""
    return tuple(n for n in question.compared() if left.states.get(n) != right.states.get(n))


def differs(question: Question, left: Trace, right: Trace) -> bool:
    """Whether two runs differ in what the question observes."""
    if question.observed == "message" and question.record is not None:
        ours, theirs = ([(d.value, d.src, d.dst) for d in t.deliveries] for t in (left, right))
        return ours != theirs
    return left.deliveries != right.deliveries or bool(same_states(question, left, right))


def width(type_: object) -> int:
    """Return the bits of a field's value."""
    assert isinstance(type_, Bits | Bytes)  # noqa: S101  INVARIANT: fields are of these
    return type_.width if isinstance(type_, Bits) else 8 * (type_.size or 0)


def run_both(tracers: tuple[Tracer, Tracer], start: Start) -> tuple[Trace, Trace]:
    """Run both pipelines from one start."""
    return tracers[0].run(start), tracers[1].run(start)
