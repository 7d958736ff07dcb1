"""Encodes a question: a formula that holds of the messages and states on which the two pipelines differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3
from attrs import frozen

from bertha_ir.passes.smt.context import all_of, any_of, no, truth, variable, yes
from bertha_ir.passes.smt.expressions import Evaluator, width_of
from bertha_ir.passes.smt.machine import Outcome, run
from bertha_ir.passes.smt.path import BeyondProofError, Packet, World
from bertha_ir.passes.smt.terms import Text
from bertha_ir.types import Bits, Bool, EndpointType

if TYPE_CHECKING:
    from bertha_ir.passes.smt.path import Delivery, Value
    from bertha_ir.passes.smt.question import Question
    from bertha_ir.types import ParameterType

MAX_PAIRS = 4000
"""Pairs of paths, one of each pipeline, that a formula may compare."""


@frozen(eq=False)
class Encoding:
    """A question as terms. `packet` is what comes in; `formula` and the facts together hold where the sides differ."""

    question: Question
    world: World
    packet: Packet
    formula: z3.BoolRef

    def assertions(self) -> list[z3.BoolRef]:
        """Return all that must be satisfied."""
        return [*self.world.facts.known, *self.world.room(), self.formula]


def encode(question: Question) -> Encoding:
    """Return the formula of a question.

    Raises:
        BeyondProofError: a body does what the encoding does not hold.
    """
    world = World(question.messages)
    for parameter in question.parameters:
        world.parameters[parameter.name] = _parameter(f"parameter {parameter.name}", parameter.type)
    packet = incoming(question, world)
    left, right = (run(steps, world, packet) for steps in question.steps())
    if len(left) * len(right) > MAX_PAIRS:
        msg = f"more than {MAX_PAIRS} pairs of paths"
        raise BeyondProofError(msg)
    formula = any_of(*(_differ(a, b, question, world) for a in left for b in right))
    if question.condition is not None:
        holds = Evaluator(world, "", {}).value(question.condition, left[0].path)
        formula = all_of(holds, formula)
    return Encoding(question, world, packet, formula)


def incoming(question: Question, world: World, mark: str = "") -> Packet:
    """Return the message that comes in: every part of it unknown. `mark` tells one message from another."""
    outside: dict[str, dict[str, z3.BitVecRef]] = {}
    for field in question.network:
        name = f"{mark}{field.header}.{field.name}"
        outside.setdefault(field.header, {})[field.name] = variable(name, width_of(field.type))
    ends = [(variable(f"{mark}{end}.ip", 32), variable(f"{mark}{end}.port", 16)) for end in ("src", "dst")]
    value: dict[str, Value] | None = None
    data = Text()
    if question.record is not None:
        message = question.messages[question.record]
        value = {f.name: variable(f"{mark}value.{f.name}", width_of(f.type)) for f in message.fixed_fields}
        if message.has_tail:
            value[message.fields[-1].name] = world.facts.fresh(f"{mark}value.{message.fields[-1].name}")
    else:
        data = world.facts.fresh(f"{mark}payload")
    return Packet(data, ends[0], ends[1], value, outside)


def _parameter(name: str, type_: ParameterType) -> Value:
    match type_:
        case Bits(width):
            return variable(name, width)
        case Bool():
            return z3.Const(name, truth())
        case EndpointType():
            return variable(f"{name}.ip", 32), variable(f"{name}.port", 16)
    msg = f"a parameter of type {type_}"
    raise BeyondProofError(msg)


def _differ(left: Outcome, right: Outcome, question: Question, world: World) -> z3.BoolRef:
    """Return when both paths are taken and what they do differs."""
    taken = (*left.path.conditions, *right.path.conditions)
    if _contradict(left, right):
        return no()
    parts = [_deliveries_differ(left.deliveries, right.deliveries, question, world)]
    if not z3.is_true(parts[0]):
        ours, theirs = left.path.memories, right.path.memories
        parts += [
            ours[name].differs(theirs[name]) if name in ours and name in theirs else yes()
            for name in question.compared()
        ]
    return all_of(*taken, any_of(*parts))


def _contradict(left: Outcome, right: Outcome) -> bool:
    """Whether one path is taken under the contrary of a condition of the other."""
    ours = {c.get_id() for c in left.path.conditions}
    theirs = {c.get_id() for c in right.path.conditions}
    return any(z3.is_not(c) and c.arg(0).get_id() in theirs for c in left.path.conditions) or any(
        z3.is_not(c) and c.arg(0).get_id() in ours for c in right.path.conditions
    )


def _deliveries_differ(
    left: tuple[Delivery, ...], right: tuple[Delivery, ...], question: Question, world: World
) -> z3.BoolRef:
    if [d.kind for d in left] != [d.kind for d in right]:
        return yes()
    return any_of(*(_delivery_differs(a, b, question, world) for a, b in zip(left, right, strict=True)))


def delivered_alike(left: tuple[Delivery, ...], right: tuple[Delivery, ...], world: World) -> z3.BoolRef:
    """Return when two runs look the same to an observer on the link: bytes, addresses and the network's fields."""
    if [d.kind for d in left] != [d.kind for d in right]:
        return no()
    return all_of(*(_alike(a, b, world) for a, b in zip(left, right, strict=True)))


def _alike(left: Delivery, right: Delivery, world: World) -> z3.BoolRef:
    if left.outside.keys() != right.outside.keys():  # a reply has a frame of its own
        return no()
    words = Evaluator(world, "", {})
    fields = (left.outside[h][f] == right.outside[h][f] for h in left.outside for f in left.outside[h])
    ends = words.same(left.src, right.src), words.same(left.dst, right.dst)
    return all_of(*ends, left.data.same(right.data, world.facts), *fields)


def _delivery_differs(left: Delivery, right: Delivery, question: Question, world: World) -> z3.BoolRef:
    words = Evaluator(world, "", {})
    if (left.value is None) != (right.value is None):
        return yes()
    same = []
    if left.value is not None and right.value is not None:
        if left.value.keys() != right.value.keys():
            return yes()
        same.append(words.same(left.value, right.value))
    if question.observed == "message" and question.record is not None:
        same += [words.same(left.src, right.src), words.same(left.dst, right.dst)]
    else:
        same.append(_alike(left, right, world))
    return z3.Not(all_of(*same))
