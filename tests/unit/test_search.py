"""The search for order and placement finds what trying everything finds."""

from itertools import permutations, product
from random import Random

import pytest

from bertha_ir.passes.search import Choice, Step, Task, TooManyOrdersError, cheapest, in_written_order


def key(steps: tuple[Step, ...]):
    moved = sum(a.task > b.task for i, a in enumerate(steps) for b in steps[i + 1 :])
    choices = [step.choice for step in steps]
    return sum(c.rank for c in choices), sum(c.latency for c in choices), moved, sum(c.stop for c in choices)


def allowed(steps: tuple[Step, ...], tasks: list[Task]) -> bool:
    done: set[int] = set()
    at, pinned = 0, False
    for step in steps:
        if not tasks[step.task].after <= done or step.choice.stop < at or (pinned and step.choice.stop != at):
            return False
        done.add(step.task)
        at, pinned = step.choice.stop, pinned or tasks[step.task].pins
    return True


def tried(tasks: list[Task]):
    """The least key of every order and every choice of stops."""
    keys = [
        key(steps)
        for order in permutations(range(len(tasks)))
        for chosen in product(*(tasks[n].choices for n in order))
        for steps in [tuple(map(Step, order, chosen))]
        if allowed(steps, tasks)
    ]
    return min(keys, default=None)


def problem(rng: Random) -> list[Task]:
    count, stops = rng.randint(1, 5), rng.randint(1, 4)
    tasks = []
    for number in range(count):
        places = rng.sample(range(1, stops + 1), rng.randint(1, min(3, stops)))
        choices = tuple(Choice(p, rng.randrange(3), float(rng.randrange(1, 9))) for p in sorted(places))
        after = frozenset(n for n in range(number) if rng.random() < 0.4)
        tasks.append(Task(choices, after, rng.random() < 0.2))
    return tasks


@pytest.mark.parametrize("group", range(5))
def test_the_search_equals_trying_everything(group):
    """On 500 random problems of up to five ops: the same least key, by an order that is allowed; or none at all."""
    for seed in range(group, 500, 5):
        tasks = problem(Random(seed))
        found = cheapest(tasks)
        assert (found is None) == (tried(tasks) is None), seed
        if found is not None:
            assert allowed(found, tasks), seed
            assert key(found) == tried(tasks), seed


def test_ops_that_are_too_loose_are_not_searched_for_ever():
    """Thirty ops without any order: said at once, and their written order is there to fall back on."""
    tasks = [Task((Choice(1, 0, 1.0), Choice(2, 0, 2.0)), frozenset(), pins=False) for _ in range(30)]
    with pytest.raises(TooManyOrdersError):
        cheapest(tasks)
    found = cheapest(in_written_order(tasks))
    assert [step.task for step in found] == list(range(30))


def test_forty_ops_that_must_keep_most_of_their_order():
    """The work grows with the width of the order: forty ops in two chains are no matter."""
    tasks = [
        Task(tuple(Choice(s, 0, float((7 * n + s) % 5)) for s in (1, 2, 3)), frozenset({n - 2} if n > 1 else ()), False)  # noqa: FBT003
        for n in range(40)
    ]
    found = cheapest(tasks)
    assert found is not None
    assert sorted(step.task for step in found) == list(range(40))
