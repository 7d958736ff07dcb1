"""Lowers an end whose ops send further messages: what they emit and reply goes on from where the op stands.

An op that emits or replies ends its stage, so that the next one takes what it emits as well as what it passes on.
"""

from __future__ import annotations

from itertools import dropwhile
from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.passes.lowering.program import end_body
from bertha_ir.passes.lowering.wire import TRUE, header_of
from bertha_ir.program import Begin, Block, DeviceProgram, Header, Stage, State, Table
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.plan import Plan
    from bertha_ir.program import Root
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph, Op


def sends_further(graph: Graph) -> bool:
    """Whether the ends of a direction send more than one message for one, or some for none."""
    ends = (o.body for o in graph.ops if o.side != "path")
    return bool(graph.timers) or any(isinstance(n, s.Emit | s.Reply) for body in ends for n in walk(body))


def replying(graph: Graph) -> tuple[Op, ...]:
    """Return the ops at a direction's receiving end that reply."""
    ops = (o for o in graph.chain() if o.side == "receiver")
    return tuple(o for o in ops if any(isinstance(n, s.Reply) for n in walk(o.body)))


def further_refused(graph: Graph, plan: Plan) -> Iterator[tuple[Op, str]]:
    """Yield the ops of a direction that cannot send what they would, each with the reason."""
    elsewhere = {b.op for b in plan.bindings if b.direction == graph.direction and b.active and b.hook == "offload"}
    for op in (o for o in graph.ops if o.id in elsewhere and o.side != "path"):
        yield op, "runs on another device, and the ends of this direction send further messages in their process"
    replies = replying(graph)
    for op in replies[1:]:
        yield op, f"replies, and so does `{replies[0].chunnel}`: what comes back is of one chunnel of a direction"
    senders = {o.instance for o in graph.ops if o.side == "sender"}
    for op in (*replies, *graph.timers):
        if op.instance not in senders:
            yield op, "has no `send`, and what it replies or emits goes on below that"
        elif noisy := [o for o in below(graph, op.instance) if _makes(o)]:
            yield op, f"replies or emits through `{noisy[0].chunnel}`, which does so itself"


def _makes(op: Op) -> bool:
    return any(isinstance(n, s.Emit | s.Reply) for n in walk(op.body))


def below(graph: Graph, instance: str) -> tuple[Op, ...]:
    """Return the sending ops between an instance and the wire, in their order; none when it does not send."""
    senders = tuple(o for o in graph.chain() if o.side == "sender")
    return tuple(dropwhile(lambda op: op.instance != instance, senders))[1:]


def staged_program(
    specification: Specification, graph: Graph, ops: tuple[Op, ...], root: Root, device: str
) -> DeviceProgram:  # fmt: skip
    """Lower all ops of one end of one direction, with what comes back to it and its timers."""
    made = _Stages(specification, graph, f"{graph.stack}_{graph.direction}")
    if root == "recv":
        made.chain(ops, "recv", "message")
    else:
        made.chain(ops, "send", "message")
        for op in replying(graph):
            receivers = tuple(o for o in graph.chain() if o.side == "receiver")
            made.chain(receivers[: receivers.index(op) + 1], "recv", "returned")
        for timer in graph.timers:
            made.timer(timer)
    return made.program(f"{graph.stack}_{graph.direction}_{root}", root, device)


@define
class _Stages:
    specification: Specification
    graph: Graph
    prefix: str
    blocks: list[Block] = Factory(list)
    stages: list[Stage] = Factory(list)
    tables: dict[str, Table] = Factory(dict)
    states: dict[str, State] = Factory(dict)
    headers: dict[str, Header] = Factory(dict)

    def chain(self, ops: tuple[Op, ...], root: Root, entry: Begin | None) -> str | None:
        """Make the stages of ops that follow one another; return the name of the first, None when there is none."""
        groups: list[list[Op]] = [[]]
        for op in ops:
            groups[-1].append(op)
            if _makes(op):
                groups.append([])
        then: str | None = None
        filled = [tuple(group) for group in groups if any(op.body for op in group)]
        for number, group in reversed([*enumerate(filled)]):
            then = self._stage(group, root, entry if number == 0 else None, then)
        return then

    def timer(self, op: Op) -> None:
        """Make the stage of a timer; what it emits goes on below the chunnel's sending op."""
        then = self.chain(below(self.graph, op.instance), "send", None)
        self._stage((op,), "send", "timer", then, op.period or 0)

    def _stage(self, ops: tuple[Op, ...], root: Root, entry: Begin | None, then: str | None, period: int = 0) -> str:
        answers = [op for op in ops if root == "recv" and entry != "returned" and op in replying(self.graph)]
        back = self.chain(below(self.graph, answers[0].instance), "send", None) if answers else None
        body, tables, states, moved = end_body(self.graph, ops)
        if entry == "timer":
            body = (*body, s.Drop())  # it has no message that could pass
        self.tables |= {table.name: table for table in tables}
        self.states |= {state.name: state for state in states}
        messages = {m.name: m for m in self.specification.messages}
        named = [n.message for n in walk(body) if isinstance(n, e.Value)]
        self.headers.update({n: header_of(messages[n], words=False) for n in (*named, *moved)})
        name = f"{self.prefix}_{entry or 'on'}_{len(self.blocks) + 1}"
        self.blocks.append(Block(name, (), TRUE, body, tuple(op.id for op in ops)))
        self.stages.append(Stage(name, root, entry, then, back, named[0] if named else None, period))
        return name

    def program(self, name: str, root: Root, device: str) -> DeviceProgram:
        """Return the program of all stages."""
        message = next((stage.message for stage in self.stages if stage.message), None)
        return DeviceProgram(
            name, device, root, "process", tuple(self.headers.values()), (), tuple(self.tables.values()),
            tuple(self.states.values()), tuple(self.blocks), message, tuple(self.stages),
        )  # fmt: skip
