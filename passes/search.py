"""The exact search for an order of ops and a stop for each, by dynamic programming over what is done already.

A state is the set of ops that are done and the stop where the message is: which order led there does not matter for
what follows. The sets are the ideals of the order that must be kept, so the work grows with its width and not with the
number of ops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Key = tuple[int, float, int, int]
"""What is made least, in this order: ranks, nanoseconds, ops out of their written order, stops passed."""


STATES = 5000
"""States of one length that the search goes through: about a second."""


@frozen
class Choice:
    """A stop where an op can run: its place on the path, its rank in the policy, and what it costs there (ns)."""

    stop: int
    rank: int
    latency: float


@frozen
class Task:
    """An op: where it can run, which ops (by number) must come before it, and whether all that follows it must run at
    the same stop.
    """

    choices: tuple[Choice, ...]
    after: frozenset[int]
    pins: bool


@frozen
class Step:
    """An op (by number) at one of its choices."""

    task: int
    choice: Choice


@frozen
class _Way:
    key: Key
    steps: tuple[Step, ...]
    pinned: bool


class TooManyOrdersError(Exception):
    """The ops are too loose: more sets of done ops than `STATES`."""


def in_written_order(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Return the same ops, each after all that are written before it."""
    return tuple(evolve(task, after=frozenset(range(number))) for number, task in enumerate(tasks))


def cheapest(tasks: Sequence[Task]) -> tuple[Step, ...] | None:
    """Return all ops in an order that keeps what must be kept, stops never going back, least by `Key`; None when there
    is no such order.

    Raises:
        TooManyOrdersError: the search would take too long; `in_written_order` is always short.
    """
    level: dict[tuple[frozenset[int], int], _Way] = {(frozenset(), 0): _Way((0, 0.0, 0, 0), (), pinned=False)}
    for _ in tasks:
        reached: dict[tuple[frozenset[int], int], _Way] = {}
        for (done, stop), way in level.items():
            for step in _next(tasks, done, stop, pinned=way.pinned):
                after = _with(way, step, tasks)
                place = (done | {step.task}, step.choice.stop)
                if place not in reached or after.key < reached[place].key:
                    reached[place] = after
            if len(reached) > STATES:
                raise TooManyOrdersError
        level = reached
    ends = sorted(level.values(), key=lambda way: way.key)
    return ends[0].steps if ends else None


def _next(tasks: Sequence[Task], done: frozenset[int], stop: int, *, pinned: bool) -> Iterator[Step]:
    for number, task in enumerate(tasks):
        if number in done or not task.after <= done:
            continue
        for choice in task.choices:
            if choice.stop == stop if pinned else choice.stop >= stop:
                yield Step(number, choice)


def _with(way: _Way, step: Step, tasks: Sequence[Task]) -> _Way:
    rank, latency, moved, passed = way.key
    choice = step.choice
    overtaken = sum(earlier.task > step.task for earlier in way.steps)
    key = (rank + choice.rank, latency + choice.latency, moved + overtaken, passed + choice.stop)
    return _Way(key, (*way.steps, step), way.pinned or tasks[step.task].pins)
