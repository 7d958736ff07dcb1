"""Both engines of the scheduler find what trying every schedule finds."""

from random import Random

import pytest
from schedules import Question, all_moved, possible, question, tried, vector

from bertha_ir.passes.schedule import CannotServeError, Resource, greedy, solve

OBJECTIVES = ("weighted", "priority", "max-min")


def check(asked: Question, objective: str, engine: str, seed: int) -> bool:
    """Compare one answer; tell whether there is a schedule."""
    expected = tried(asked, objective)
    if expected is None:
        with pytest.raises(CannotServeError):
            solve(asked.resources, asked.kinds, objective=objective, hysteresis=asked.hysteresis, engine=engine)
        return False
    answer = solve(asked.resources, asked.kinds, objective=objective, hysteresis=asked.hysteresis, engine=engine)
    counts = tuple(tuple(n for _, n in served.counts) for served in answer.served)
    assert answer.optimal, seed
    assert counts in possible(asked.resources, asked.kinds), seed
    assert vector(asked, objective, counts) == expected[0], seed
    assert all_moved(asked, counts) == sum(s.moved for s in answer.served) == expected[1], seed
    worth = {p.what: p.value for p in answer.proofs}
    if objective == "weighted" and worth:
        assert worth["cost"] == pytest.approx(float(expected[0][0]), rel=1e-12)
        assert answer.bound == pytest.approx(answer.cost + answer.penalty, rel=1e-12)
    return True


@pytest.fixture(params=["with a start", "without"])
def start(request, monkeypatch):
    """An engine begins with what is found fast, or has to find everything itself."""
    if request.param == "without":
        monkeypatch.setattr(greedy, "found", lambda *_: None)


@pytest.mark.usefixtures("start")
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_exact_engine_equals_trying_everything(objective):
    """On 600 random questions, most of which can be served: the same least vector, with the same moves."""
    served = sum(check(question(Random(seed)), objective, "exact", seed) for seed in range(600))
    assert 300 < served < 600


@pytest.mark.usefixtures("start")
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_cp_sat_equals_trying_everything(objective):
    """On 500 other random questions: the same least vector, with the same moves."""
    pytest.importorskip("ortools", reason="the extra `search` is not installed")
    served = sum(check(question(Random(seed)), objective, "cp-sat", seed) for seed in range(1000, 1500))
    assert 250 < served < 500


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_cp_sat_equals_the_exact_engine_on_larger_questions(objective):
    """On 40 questions too large to try everything: both prove the same values, or that there is no schedule."""
    pytest.importorskip("ortools", reason="the extra `search` is not installed")
    proven = 0
    for seed in range(40):
        asked = question(Random(seed), kinds=8, connections=14, options=3, capacity=120)
        answers = []
        for engine in ("exact", "cp-sat"):
            try:
                answer = solve(
                    asked.resources, asked.kinds, objective=objective, hysteresis=asked.hysteresis, engine=engine
                )
            except CannotServeError as error:
                answers.append((error.kind, error.short))
                continue
            counts = tuple(tuple(n for _, n in served.counts) for served in answer.served)
            proven += answer.optimal
            assert answer.optimal, (seed, engine)
            answers.append((vector(asked, objective, counts), all_moved(asked, counts)))
        assert answers[0] == answers[1], seed
    assert proven > 40


def enlarged(asked: Question, sizes: dict[str, int]) -> tuple[Resource, ...]:
    return tuple(Resource(r.name, sizes.get(r.name, r.capacity)) for r in asked.resources)


@pytest.mark.parametrize("engine", ["exact", "cp-sat"])
def test_what_is_short_is_short(engine):
    """The error names the first kind that cannot be served beside those before it; what it says is needed is enough,
    and one unit less of any is not.
    """
    if engine == "cp-sat":
        pytest.importorskip("ortools", reason="the extra `search` is not installed")
    seen = 0
    for seed in range(250):
        asked = question(Random(seed), capacity=5)
        kinds = [k for k in sorted(asked.kinds, key=lambda k: (-k.priority, k.name)) if k.connections]
        prefix = next(
            (kinds[: n + 1] for n in range(len(kinds)) if not possible(asked.resources, kinds[: n + 1])), None
        )
        if prefix is None:
            continue
        with pytest.raises(CannotServeError) as caught:
            solve(asked.resources, asked.kinds, engine=engine)
        seen += 1
        error = caught.value
        sizes = {s.resource: s.needed for s in error.short}
        assert error.kind == prefix[-1].name, seed
        assert sizes, seed
        assert possible(enlarged(asked, sizes), prefix), seed
        for name, needed in sizes.items():
            assert f"`{name}`" in str(error)
            assert not possible(enlarged(asked, {**sizes, name: needed - 1}), prefix), (seed, name)
    assert seen > 50
