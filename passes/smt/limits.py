"""Sizes: does every message that the plan as written gets through a link of some size get through it when changed?"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import z3
from attrs import evolve

from bertha_ir.interpreter.trace import Tracer
from bertha_ir.passes.smt.answer import Answer, Proved, Refuted, Unknown
from bertha_ir.passes.smt.context import all_of, fresh, solver
from bertha_ir.passes.smt.encode import incoming
from bertha_ir.passes.smt.machine import Outcome, run
from bertha_ir.passes.smt.path import BeyondProofError, MeaninglessError, World
from bertha_ir.passes.smt.search import starts
from bertha_ir.passes.smt.solve import TIMEOUT_MS, certificate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.interpreter.trace import Start
    from bertha_ir.passes.smt.question import Question


def fits_still(question: Question, limit: int, timeout_ms: int = TIMEOUT_MS) -> Answer:
    """Return whether each message that is at most `limit` bytes on the link as written is so when changed, too."""
    try:
        with fresh():
            answer = _asked(question, limit, timeout_ms)
    except MeaninglessError as meaningless:
        return Unknown(f"a body reads {meaningless}")
    except BeyondProofError as beyond:
        return _tried(question, limit, f"the encoding does not hold {beyond}")
    return answer or _tried(question, limit, "a message that z3 says does not fit was not found")


def _asked(question: Question, limit: int, timeout_ms: int) -> Answer | None:
    world = World(question.messages)
    packet = incoming(question, world)
    written, changed = (run(steps, world, packet) for steps in question.steps())
    asked = solver(timeout_ms)
    asked.add(all_of(*(_all_fit(w, limit) for w in written)), z3.Not(all_of(*(_all_fit(c, limit) for c in changed))))
    asked.add(*world.facts.known, *world.room())
    result = asked.check()
    if result == z3.unsat:
        return Proved("z3", f"what fits into {limit} bytes still does", certificate(asked))
    return Unknown(f"z3 gave up: {asked.reason_unknown()}") if result == z3.unknown else None


def _all_fit(outcome: Outcome, limit: int) -> z3.BoolRef:
    return z3.Implies(
        all_of(*outcome.path.conditions), all_of(*(z3.ULE(d.data.size(), limit) for d in outcome.deliveries))
    )


def _tried(question: Question, limit: int, reason: str) -> Answer:
    written, changed = (Tracer(graph, question.messages) for graph in question.sides)
    for start in _near(question, limit):
        before, after = (max((len(d.payload) for d in t.run(start).deliveries), default=0) for t in (written, changed))
        if before <= limit < after:
            return Refuted(f"{before} bytes on the link as written, {after} when changed: more than {limit}", start)
    return Unknown(reason)


def _near(question: Question, limit: int) -> Iterator[Start]:
    """Yield messages of about as many bytes as the link takes, that compress well or not at all."""
    rng = random.Random(0)  # noqa: S311  (tests, not secrets)
    for start in starts(question, 3):
        for size in (limit + d for d in (-64, -40, -28, -13, -9, -1, 0, 1, limit) if limit + d >= 0):
            for data in (bytes(size), rng.randbytes(size)):
                if question.record is None:
                    yield evolve(start, payload=data)
                elif start.value is not None and question.messages[question.record].has_tail:
                    tail = question.messages[question.record].fields[-1].name
                    yield evolve(start, value={**start.value, tail: data})
