"""Secrecy: does a changed plan show more on the link than the one that was written?

It does if two messages look the same on the link under the plan as written, and different under the changed one. What
a primitive that conceals makes is taken for what it should be: a function of the size of what it conceals, so the
answer does not rest on the strength of the cipher.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import z3
from attrs import evolve

from bertha_ir.interpreter.trace import Tracer
from bertha_ir.passes.smt.answer import Answer, Proved, Refuted, Unknown
from bertha_ir.passes.smt.context import all_of, any_of, fresh, solver
from bertha_ir.passes.smt.encode import delivered_alike, incoming
from bertha_ir.passes.smt.machine import Outcome, run
from bertha_ir.passes.smt.path import BeyondProofError, MeaninglessError, World
from bertha_ir.passes.smt.search import starts
from bertha_ir.passes.smt.solve import TIMEOUT_MS, certificate
from bertha_ir.passes.smt.terms import Facts
from bertha_ir.primitives import PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.interpreter.trace import Start
    from bertha_ir.passes.smt.question import Question

TRIES = 60


def shows_no_more(question: Question, timeout_ms: int = TIMEOUT_MS) -> Answer:
    """Return whether the right sending half shows nothing on the link that the left one does not show."""
    try:
        with fresh():
            answer = _asked(question, timeout_ms)
    except MeaninglessError as meaningless:
        return Unknown(f"a body reads {meaningless}")
    except BeyondProofError as beyond:
        return _tried(question, f"the encoding does not hold {beyond}")
    return answer or _tried(question, "two messages that z3 tells apart were not found")


def _asked(question: Question, timeout_ms: int) -> Answer | None:
    world = World(question.messages, Facts(ideal=True))
    packets = [incoming(question, world, mark) for mark in ("one.", "other.")]
    written, changed = ([run(steps, world, p) for p in packets] for steps in question.steps())
    asked = solver(timeout_ms)
    before, after = (_look_alike(one, other, world) for one, other in (written, changed))
    asked.add(before, z3.Not(after))
    asked.add(*world.facts.known, *world.room())
    result = asked.check()
    if result == z3.unsat:
        return Proved("z3", "what looks the same on the link still does", certificate(asked))
    return Unknown(f"z3 gave up: {asked.reason_unknown()}") if result == z3.unknown else None


def _look_alike(one: list[Outcome], other: list[Outcome], world: World) -> z3.BoolRef:
    """Return when two messages give the same deliveries."""
    return any_of(
        *(
            all_of(*a.path.conditions, *b.path.conditions, delivered_alike(a.deliveries, b.deliveries, world))
            for a in one
            for b in other
        )
    )


def _tried(question: Question, reason: str) -> Answer:
    for one, other in _pairs(question):
        if not looks_alike(question, one, other):
            return Refuted(
                "two messages that look the same on the link as written look different when changed", one, other
            )
    return Unknown(reason)


def looks_alike(question: Question, one: Start, other: Start) -> bool:
    """Whether two messages that look the same on the link as written still do when changed."""
    ideal = ideal_primitives()
    written, changed = (Tracer(graph, question.messages, ideal) for graph in question.sides)
    return _seen(written, one) != _seen(written, other) or _seen(changed, one) == _seen(changed, other)


def seen_on_the_link(question: Question, start: Start) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the payloads on the link, as written and when changed, with zeros for what is concealed."""
    ideal = ideal_primitives()
    written, changed = (Tracer(graph, question.messages, ideal).run(start).deliveries for graph in question.sides)
    return tuple(d.payload for d in written), tuple(d.payload for d in changed)


def ideal_primitives() -> dict[str, Callable[..., bytes]]:
    """Return, for each primitive that conceals, one that shows the size alone."""

    def blank(growth: int) -> Callable[..., bytes]:
        return lambda *given: bytes(len(given[-1]) + growth)

    return {p.name: blank(p.growth or 0) for p in PRIMITIVES.values() if "conceals" in p.laws}


def _seen(tracer: Tracer, start: Start) -> list[object]:
    """Return what an observer on the link sees."""
    return [evolve(d, value=None) for d in tracer.run(start).deliveries]


def _pairs(question: Question) -> Iterator[tuple[Start, Start]]:
    """Yield pairs of messages that differ in what the application says, and in nothing else."""
    rng = random.Random(0)  # noqa: S311  (tests, not secrets)
    for start in starts(question, TRIES):
        for size in (64, 200, 17):
            data = [bytes(size), rng.randbytes(size), bytes(range(size % 256)), bytes(size + 1)]
            for a, b in ((0, 1), (0, 2), (0, 3), (1, 3)):
                yield _saying(question, start, data[a]), _saying(question, start, data[b])


def _saying(question: Question, start: Start, data: bytes) -> Start:
    if question.record is None or start.value is None:
        return evolve(start, payload=data)
    message = question.messages[question.record]
    if not message.has_tail:
        return start
    return evolve(start, value={**start.value, message.fields[-1].name: data})
