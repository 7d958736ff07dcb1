"""Asks z3, and has the interpreter try what it answers.

A model over uninterpreted functions is no counterexample until the interpreter has run it. When a run does not differ,
what the real hashes and tables give for the model's arguments is added, and z3 is asked again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import z3
from attrs import define

from bertha_ir.passes.smt.answer import Answer, Proved, Refuted, Unknown
from bertha_ir.passes.smt.context import fresh, solver, variable
from bertha_ir.passes.smt.encode import Encoding, encode
from bertha_ir.passes.smt.lessons import Lesson, lessons
from bertha_ir.passes.smt.path import BeyondProofError, MeaninglessError
from bertha_ir.passes.smt.question import Question, differs, run_both
from bertha_ir.passes.smt.search import search
from bertha_ir.passes.smt.witness import start_of_model

if TYPE_CHECKING:
    from bertha_ir.interpreter.trace import Start

TIMEOUT_MS = 2000
ROUNDS = 8
SMALL = 48
"""Bytes and entries of the counterexample that is asked for first."""


def solve(question: Question, timeout_ms: int = TIMEOUT_MS) -> Answer:
    """Return whether the two pipelines of a question are the same. `timeout_ms` is for each time z3 is asked."""
    core = question.core()
    if not core.left.ops and not core.right.ops:
        return Proved("effects", "the same ops in the same order")
    answer = _solve(core, timeout_ms)
    if core is question or isinstance(answer, Proved):
        return answer
    start = answer.start if isinstance(answer, Refuted) else None
    if start is not None and differs(question, *run_both(question.tracers(), start)):
        return answer
    return _solve(question, timeout_ms)


def _solve(question: Question, timeout_ms: int) -> Answer:
    with fresh():
        try:
            encoding = encode(question)
        except MeaninglessError as meaningless:
            return Unknown(f"a body reads {meaningless}")
        except BeyondProofError as beyond:
            return _tried(question, f"the encoding does not hold {beyond}")
        return _Solver(encoding, timeout_ms).answer()


def _tried(question: Question, reason: str) -> Answer:
    found = search(question)
    return Unknown(reason) if found is None else Refuted("found by trying", found)


@define
class _Solver:
    encoding: Encoding
    timeout_ms: int

    def answer(self) -> Answer:
        asked = solver(self.timeout_ms)
        asked.add(*self.encoding.assertions())
        learned: list[Lesson] = []
        for _ in range(ROUNDS):
            result = asked.check()
            if result == z3.unsat:
                return Proved("z3", "no message and state on which they differ", certificate(asked))
            if result == z3.unknown:
                return _tried(self.encoding.question, f"z3 gave up: {asked.reason_unknown()}")
            model = self._readable(asked, learned)
            if found := self._replayed(model):
                return Refuted("z3's counterexample, replayed", found)
            learned = lessons(self.encoding, model)
            if not learned:
                break
            asked.add(*(lesson.rule for lesson in learned))
        return _tried(self.encoding.question, "z3's counterexamples do not come true")

    def _readable(self, asked: z3.Solver, learned: list[Lesson]) -> z3.ModelRef:
        """Return a model: one for the arguments of which the truth was just learned, or a small one, or any."""
        model = asked.model()
        for wanted in (self._small(), [*self._small(), *(lesson.when for lesson in learned)]):
            if asked.check(*wanted) == z3.sat:
                model = asked.model()
        return model

    def _small(self) -> list[z3.BoolRef]:
        """Return what keeps a counterexample readable."""
        sizes = [self.encoding.packet.data.size(), *(variable(f"{n}.count", 32) for n in self.encoding.world.states)]
        return [z3.ULE(size, SMALL) for size in sizes]

    def _replayed(self, model: z3.ModelRef) -> Start | None:
        question = self.encoding.question
        tracers = question.tracers()
        for full in (False, True):
            start = start_of_model(self.encoding, model, full=full)
            if differs(question, *run_both(tracers, start)):
                return start
        return None


def certificate(asked: z3.Solver) -> str:
    """Return what a solver was asked as SMT-LIB 2, complete with its logic and the command to answer it."""
    lines = (line for line in asked.to_smt2().splitlines() if not line.startswith(("; ", "(set-info")))
    text = "".join(f"{line}\n" for line in lines)
    # z3's own names for a division whose divisor it knows not to be 0, where they mean the same.
    return "(set-logic ALL)\n" + re.sub(r"\b(bvudiv|bvurem)_i\b", r"\1", text)
