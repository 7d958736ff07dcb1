"""The search for order and placement finds what trying everything finds."""

from random import Random

import pytest
from attrs import evolve
from problems import Row, key_of, problem, tried

from bertha_ir.passes.search.dynamic import TooManyOrdersError, cheapest, in_written_order, pareto
from bertha_ir.passes.search.find import find
from bertha_ir.passes.search.problem import Always, Choice, Price, Problem, Task
from bertha_ir.passes.search.solver import by_solver


@pytest.mark.parametrize("objective", ["latency", "cpu", "throughput"])
@pytest.mark.parametrize("group", range(5))
def test_the_search_equals_trying_everything(group, objective):
    """On 1,500 random problems: the same least key, by a row of choices that is allowed; or none at all."""
    there = 0
    for seed in range(group, 500, 5):
        asked = problem(Random(seed), objective)
        found, expected = cheapest(asked), tried(asked)
        assert (found is None) == (expected is None), seed
        if found is not None:
            there += 1
            assert found.key[:4] == expected, seed
            assert key_of(asked, [step.choice for step in found.steps]) == expected, seed
    assert there > 60


def test_seven_ops_are_tried_whole():
    """On forty problems of up to seven ops, most of whose order must be kept: the same least key."""
    sizes = []
    for seed in range(2000, 2400):
        asked = problem(Random(seed), most=7)
        if len(asked.tasks) == 7 and sum(len(t.after) for t in asked.tasks) > 11 and len(asked.choices) < 14:
            sizes.append(len(asked.tasks))
            found = cheapest(asked)
            assert (found.key[:4] if found else None) == tried(asked), seed
    assert len(sizes) >= 8


def test_what_costs_more_uses_less():
    """Of the ways that are kept none beats another, and the least is among them."""
    rows = 0
    for seed in range(200):
        asked = evolve(problem(Random(seed)), capacity={"slots": 9})
        ways = pareto(asked)
        found = cheapest(asked)
        assert found == (ways[0] if ways else None)
        for one in ways:
            for other in ways:
                assert one is other or one.key > other.key or one.uses < other.uses or one.uses > other.uses
        rows += len(ways) > 1
    assert rows > 20


def steady(asked: Problem) -> Problem:
    """The same problem, from which no message ends on the way, and whose path leaves sizes alone."""
    ends = min((c.tasks[0] for c in asked.choices if c.stop is not None), default=len(asked.tasks))
    tasks = tuple(evolve(t, keeps=1.0, grows=t.grows if n < ends else 0) for n, t in enumerate(asked.tasks))
    return evolve(asked, tasks=tasks)


@pytest.mark.parametrize("objective", ["latency", "cpu", "throughput"])
def test_a_second_formulation_finds_the_same(objective):
    """CP-SAT, asked for a stop for each op, and the dynamic program over sets of them: the same key on 200 problems."""
    there = 0
    for seed in range(200):
        asked = steady(problem(Random(seed), objective, most=8))
        found, answer = cheapest(asked), by_solver(asked)
        assert (found is None) == (answer is None), seed
        if found is not None:
            there += 1
            assert answer.gap == 0
            assert answer.found.key[:4] == found.key[:4], seed
            if len(asked.tasks) <= 6:
                assert key_of(asked, [step.choice for step in answer.found.steps]) == found.key[:4], seed
    assert there > 60


@pytest.mark.parametrize("count", [20, 40])
def test_larger_orders_have_the_same_answer_both_ways(count):
    """Of ops in two chains, each with three stops."""
    asked = loose(count, (1, 2, 3), lambda n: frozenset({n - 2} if n > 1 else ()))
    assert by_solver(asked).found.key[:4] == cheapest(asked).key[:4]


def test_what_is_too_loose_is_asked_of_the_solver():
    """Forty ops without any order, the least of which is known: each where it is cheapest. Where messages end on the
    way, CP-SAT is not asked, and the note says so.
    """
    asked = loose(40)
    result = find(asked)
    assert result.note is None
    assert result.found.key[1] == sum(min((7 * n + s) % 5 for s in (1, 2)) for n in range(40))
    leaving = evolve(asked, tasks=tuple(evolve(t, keeps=0.5) for t in asked.tasks))
    assert find(leaving).note == "keep their written order: the cost of an op depends on those before it"
    assert find(loose(3)).found == cheapest(loose(3))


def loose(count: int, stops: tuple[int, ...] = (1, 2), after=lambda _: frozenset()) -> Problem:
    """Path ops that cost something else at each stop."""
    choices = [Choice((n,), stop=s, price=Always(Price(float((7 * n + s) % 5)))) for n in range(count) for s in stops]
    tasks = tuple(Task(after(n)) for n in range(count))
    return Problem(tasks, tuple(choices), Row(((0.0, 0.0),) * 4, (0.0,) * 5), 4)


def test_ops_that_are_too_loose_are_not_searched_for_ever():
    """Thirty ops without any order: said at once, and their written order is there to fall back on."""
    with pytest.raises(TooManyOrdersError):
        cheapest(loose(30))
    found = cheapest(in_written_order(loose(30)))
    assert [n for step in found.steps for n in step.choice.tasks] == list(range(30))


def test_forty_ops_that_must_keep_most_of_their_order():
    """The work grows with the width of the order: forty ops in two chains are no matter."""
    found = cheapest(loose(40, (1, 2, 3), lambda n: frozenset({n - 2} if n > 1 else ())))
    assert found is not None
    assert sorted(n for step in found.steps for n in step.choice.tasks) == list(range(40))
