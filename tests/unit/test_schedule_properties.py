"""What must hold of every schedule, whatever was asked."""

from random import Random

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from schedules import Question, question

from bertha_ir.passes.schedule import CannotServeError, Hysteresis, Kind, Schedule, solve

OBJECTIVES = st.sampled_from(["weighted", "priority", "max-min"])
QUESTIONS = st.builds(lambda seed: question(Random(seed), kinds=4, connections=5), st.integers(0, 10**9))
AT_WILL = Hysteresis()


def answered(asked: Question, objective: str, hysteresis: Hysteresis = AT_WILL) -> Schedule | None:
    try:
        return solve(asked.resources, asked.kinds, objective=objective, hysteresis=hysteresis, engine="exact")
    except CannotServeError:
        return None


@given(QUESTIONS, OBJECTIVES, st.integers(0, 8), st.integers(0, 2))
def test_more_capacity_never_costs_more(asked, objective, more, which):
    """Nor does it make a question that could be answered one that cannot."""
    resources = list(asked.resources)
    number = which % len(resources)
    resources[number] = evolve(resources[number], capacity=resources[number].capacity + more)
    before = answered(asked, objective)
    after = answered(evolve(asked, resources=tuple(resources)), objective)
    if before is not None:
        assert after is not None
        assert [p.value for p in after.proofs] <= [p.value * (1 + 1e-12) for p in before.proofs]


def scaled(kind: Kind, factor: int) -> Kind:
    return evolve(kind, options=tuple(evolve(o, cost=o.cost * factor) for o in kind.options))


@given(QUESTIONS, OBJECTIVES, st.sampled_from([2, 3, 10, 1000]))
def test_scaling_all_costs_scales_the_result(asked, objective, factor):
    """With the penalty and the absolute threshold scaled too: the same schedule, the cost times the factor."""
    kinds = tuple(scaled(kind, factor) for kind in asked.kinds)
    own = asked.hysteresis if objective != "max-min" else evolve(asked.hysteresis, absolute=0)
    larger = evolve(own, penalty=own.penalty * factor, absolute=own.absolute * factor)
    before = answered(asked, objective, own)
    after = answered(evolve(asked, kinds=kinds), objective, larger)
    assert (before is None) == (after is None)
    if before is not None:
        assert before.counts() == after.counts()
        assert after.cost == pytest.approx(before.cost * factor)


@given(QUESTIONS, OBJECTIVES, QUESTIONS)
def test_a_kind_without_connections_changes_nothing(asked, objective, other):
    """Whatever options it has and whatever of it ran."""
    known = {r.name for r in asked.resources}
    shares = {(name, key): amount for k in asked.kinds for o in k.options for name, key, amount in o.shared}
    idle = tuple(
        evolve(k, name=f"idle{n}", connections=0)
        for n, k in enumerate(other.kinds)
        if all(name in known for o in k.options for name, *_ in (*o.uses, *o.shared))
        and all(shares.get((name, key), amount) == amount for o in k.options for name, key, amount in o.shared)
    )
    before = answered(asked, objective, asked.hysteresis)
    after = answered(evolve(asked, kinds=(*idle[:1], *asked.kinds)), objective, asked.hysteresis)
    assert (before is None) == (after is None)
    if before is not None:
        assert after.served[len(idle[:1]) :] == before.served
        assert (after.cost, after.usage, after.decision) == (before.cost, before.usage, before.decision)
