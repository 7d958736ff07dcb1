"""The prover against random bodies over few bits: what it says never contradicts what the interpreter does."""

import os
from collections import Counter
from random import Random
from statistics import quantiles
from time import perf_counter

import pytest
import z3
from bodies import MESSAGES, Bodies, start

from bertha_ir import expr as e
from bertha_ir.interpreter.evaluate import constant
from bertha_ir.passes.effects import effects, independent
from bertha_ir.passes.smt.context import bits, fresh
from bertha_ir.passes.smt.expressions import Evaluator
from bertha_ir.passes.smt.path import Packet, Path, World
from bertha_ir.passes.smt.question import Question, differs, run_both
from bertha_ir.passes.smt.solve import solve
from bertha_ir.passes.smt.terms import Text
from bertha_ir.types import MAX_WIDTH, Bits, Bytes

LONG = os.environ.get("BERTHA_LONG") == "1"
PAIRS, MESSAGES_EACH = (5000, 2000) if LONG else (300, 500)


def test_no_answer_contradicts_the_interpreter():
    """What is proved holds of messages drawn from all there are; what is refuted has one on which the sides differ,
    from a state that can be; few are left open. What is independent by its effects is proved, if it can be encoded.
    """
    said: Counter[str] = Counter()
    times = []
    for seed in range(PAIRS):
        asked = Bodies(Random(seed)).question()
        before = perf_counter()
        answer = solve(asked)
        times.append(1000 * (perf_counter() - before))
        said[answer.status] += 1
        if answer.status == "refuted":
            assert differs(asked, *run_both(asked.tracers(), answer.start)), seed
            assert can_be(asked, answer.start), seed
        if answer.status == "proved":
            assert not differing(asked, seed), seed
        if by_effects(asked):
            said["independent"] += 1
            assert answer.status == "proved" or "the encoding does not hold" in answer.reason, seed
    settled = said["proved"] + said["refuted"]
    assert said["unknown"] <= 0.05 * (settled + said["unknown"]), said
    assert said["proved"] > 0.05 * settled, said
    assert said["independent"], said
    cuts = quantiles(times, n=20)
    print(f"{dict(said)}; solve: median {cuts[9]:.1f} ms, 95 % {cuts[18]:.1f} ms")  # noqa: T201  (with -s: the figures)


def can_be(asked: Question, begun) -> bool:
    """Whether no state holds more than it can."""
    return all(len(begun.states.get(name, ())) <= state.size for name, state in asked.states().items())


def differing(asked: Question, seed: int):
    """A message that was drawn on which the sides differ, if there is one."""
    rng, tracers = Random(seed), asked.tracers()
    tried = (start(rng, asked.record) for _ in range(MESSAGES_EACH))
    return next((begun for begun in tried if differs(asked, *run_both(tracers, begun))), None)


def by_effects(asked: Question) -> bool:
    """Whether effects alone say that the ops may trade places."""
    one, other = (effects(op.body, MESSAGES.values()) for op in asked.left.ops)
    return independent(one, other) is None


OPERATORS = (*e.ARITHMETIC, *e.SHIFTS, *e.ORDER, *e.EQUALITY, "~", "-u", "cast", "choose")


@pytest.mark.parametrize("op", OPERATORS)
def test_every_operator_means_the_same_at_every_width(op):
    """The term of an expression of constants is, simplified, the number that the interpreter computes."""
    rng = Random(op)
    with fresh():
        zero = (bits(0, 32), bits(0, 16))
        evaluator, path = Evaluator(World({}), "", {}), Path(Packet(Text(), zero, zero), {})
        for width in range(1, MAX_WIDTH + 1):
            for _ in range(6):
                node = expression(op, width, rng)
                assert known(evaluator.value(node, path)) == plain(constant(node)), node


def expression(op: str, width: int, rng: Random) -> e.Expr:
    """An operator on constants of some width, often at the edges."""

    def some(wide: int) -> e.Const:
        top = (1 << wide) - 1
        return e.Const(rng.choice((0, 1 & top, top, top >> 1, min(wide, top), rng.getrandbits(wide))), Bits(wide))

    other = rng.randint(1, MAX_WIDTH)
    match op:
        case "~":
            return e.Unary("~", some(width))
        case "-u":
            return e.Unary("-", some(width))
        case "cast" if width % 8 == 0 and rng.random() < 0.5:
            return e.Cast(e.Cast(some(width), Bytes(width // 8)), Bits(width))
        case "cast":
            return e.Cast(some(width), Bits(other))
        case "choose":
            asked = e.Binary(rng.choice(e.LOGIC), *(e.Binary("<", some(other), some(other)) for _ in "ab"))
            return e.Choose(asked, some(width), some(width))
    return e.Binary(op, some(width), some(other if op in e.SHIFTS else width))


def known(term: z3.ExprRef) -> int:
    found = z3.simplify(term)
    return found.as_long() if z3.is_bv(found) else int(z3.is_true(found))


def plain(value: int | bytes) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)
