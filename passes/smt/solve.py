"""Asks z3, and has the interpreter try what it answers.

A model over uninterpreted functions is no counterexample until the interpreter has run it. When a run does not differ,
what the real hashes and tables give for the model's arguments is added, and z3 is asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3
from attrs import define

from bertha_ir.interpreter.store import find
from bertha_ir.passes.smt.answer import Answer, Proved, Refuted, Unknown
from bertha_ir.passes.smt.encode import Encoding, encode
from bertha_ir.passes.smt.path import BeyondProofError
from bertha_ir.passes.smt.question import Question, differs, run_both
from bertha_ir.passes.smt.search import search
from bertha_ir.passes.smt.witness import start_of_model
from bertha_ir.primitives import PRIMITIVES

if TYPE_CHECKING:
    from bertha_ir.interpreter.trace import Start

TIMEOUT_MS = 2000
ROUNDS = 8
SEED = 0
SMALL = 256
"""Bytes and entries of the counterexample that is asked for first."""


def solve(question: Question, timeout_ms: int = TIMEOUT_MS) -> Answer:
    """Return whether the two pipelines of a question are the same. `timeout_ms` is for each time z3 is asked."""
    try:
        encoding = encode(question)
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
        solver = z3.Solver()
        solver.set("timeout", self.timeout_ms)
        solver.set("random_seed", SEED)
        solver.add(*self.encoding.assertions())
        for _ in range(ROUNDS):
            result = solver.check()
            if result == z3.unsat:
                return Proved("z3", "no message and state on which they differ", certificate(solver))
            if result == z3.unknown:
                return _tried(self.encoding.question, f"z3 gave up: {solver.reason_unknown()}")
            model = solver.model()
            if solver.check(*self._small()) == z3.sat:
                model = solver.model()
            if found := self._replayed(model):
                return Refuted("z3's counterexample, replayed", found)
            learned = self._learned(model)
            if not learned:
                break
            solver.add(*learned)
        return _tried(self.encoding.question, "z3's counterexamples do not come true")

    def _small(self) -> list[z3.BoolRef]:
        """Return what keeps a counterexample readable."""
        sizes = [self.encoding.packet.data.size(), *(z3.BitVec(f"{n}.count", 32) for n in self.encoding.world.states)]
        return [z3.ULE(size, SMALL) for size in sizes]

    def _replayed(self, model: z3.ModelRef) -> Start | None:
        question = self.encoding.question
        tracers = question.tracers()
        for full in (False, True):
            start = start_of_model(self.encoding, model, full=full)
            if differs(question, *run_both(tracers, start)):
                return start
        return None

    def _learned(self, model: z3.ModelRef) -> list[z3.BoolRef]:
        """Return what hashes and tables really give where the model asks them, and it is not what the model says."""

        def number(term: z3.ExprRef) -> int:
            return model.eval(term, model_completion=True).as_long()  # type: ignore[no-any-return]  # z3 is untyped

        facts = self.encoding.world.facts
        learned = []
        for made in facts.applications.values():
            reference = PRIMITIVES[made.primitive].reference
            if made.text is not None or reference is None:
                continue
            (value,) = made.leading
            given = number(value)
            result = reference(given.to_bytes(value.size() // 8, "big"))
            if number(made.term) != result:
                learned.append(z3.Implies(value == given, made.term == result))
        for asked in facts.lookups:
            key = tuple(number(part) for part in asked.key)
            row = find(asked.table, key)
            here = z3.And(*(part == k for part, k in zip(asked.key, key, strict=True)))
            true = [asked.hit == (row is not None), *(a == b for a, b in zip(asked.row, row or (), strict=False))]
            if not z3.is_true(model.eval(z3.And(*true), model_completion=True)):
                learned.append(z3.Implies(here, z3.And(*true)))
        return learned


def certificate(solver: z3.Solver) -> str:
    """Return a solver's question as SMT-LIB 2, complete with its logic and the command to answer it."""
    text: str = solver.to_smt2()
    return "(set-logic ALL)\n" + "".join(
        line + "\n" for line in text.splitlines() if not line.startswith(("; ", "(set-info"))
    )
