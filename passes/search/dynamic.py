"""The exact search for an order of ops and a place for each, by dynamic programming over what is done already.

A state is the set of ops that are done and where the message is: which order led there does not matter for what
follows. The sets are the ideals of the order that must be kept, so the work grows with its width and not with the
number of ops. Where resources are scarce, or the busiest of them counts, a state keeps every way to it that no other is
better than in all respects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from bertha_ir.passes.search.problem import FREE, in_written_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.passes.search.problem import Choice, Leg, Moves, Place, Price, Problem

Key = tuple[int, float, float, int, int]
"""What is made least, in this order: ranks, the objective, latency (or processor time where that is the objective), ops
out of their written order, stops away from the ends.
"""

STATES = 1000
"""Ways of one length that the search goes on from: less than half a second."""


@frozen
class Step:
    """A choice that is taken, and where it leads."""

    choice: Choice
    moves: Moves


class TooManyOrdersError(Exception):
    """The ops are too loose: more ways than `STATES` to have done the same number of them."""


@define
class _Way:
    """One way to a state. `used`: of each scarce resource, then of each device and link if they bound the objective."""

    key: Key
    used: tuple[float, ...]
    place: Place
    steps: tuple[Step, ...]

    def beats(self, other: _Way) -> bool:
        return self.key <= other.key and all(a <= b for a, b in zip(self.used, other.used, strict=True))


@define
class _Search:
    problem: Problem
    resources: tuple[str, ...] = field(init=False)
    loads: tuple[str, ...] = field(init=False)
    _moves: dict[tuple[Place, int, int, bool], tuple[Moves, Price, Price] | None] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.resources = tuple(sorted(self.problem.capacity))
        bounded = self.problem.objective == "throughput"
        self.loads = tuple(sorted(self._busy())) if bounded else ()

    def _busy(self) -> set[str]:
        problem = self.problem
        prices = [price(problem.size) for c in problem.choices for price in (c.price, c.received)]
        for stop in range(problem.last + 1):
            prices += [problem.way.door(stop, path=path) for path in (True, False)]
            if stop < problem.last:
                prices += [problem.way.leg(stop, stop + 1, 0), problem.way.leg(stop + 1, stop, 0)]
        return {name for price in prices for name, _ in price.loads}

    def ends(self) -> list[_Way]:
        """Return the ways to have done everything, none of which is beaten by another that leads to the same place."""
        problem = self.problem
        full = (1 << len(problem.tasks)) - 1
        empty = _Way((0, 0.0, 0.0, 0, 0), (0.0,) * (len(self.resources) + len(self.loads)), problem.start, ())
        levels: list[dict[int, dict[Place, list[_Way]]]] = [{} for _ in range(len(problem.tasks) + 1)]
        levels[0][0] = {problem.start: [empty]}
        for count, level in enumerate(levels[:-1]):
            if sum(len(ways) for places in level.values() for ways in places.values()) > STATES:
                raise TooManyOrdersError
            for done, places in level.items():
                for number in self._admitted(done):
                    choice = problem.choices[number]
                    after = done | sum(1 << n for n in choice.tasks)
                    reached = levels[count + len(choice.tasks)].setdefault(after, {})
                    for place, ways in places.items():
                        self._go_on(place, ways, number, done, reached)
            level.clear()
        return [self._arrived(way) for ways in levels[-1].get(full, {}).values() for way in ways]

    def found(self, way: _Way) -> Found:
        """Return a way as an answer."""
        used = map(int, way.used[: len(self.resources)])
        return Found(way.key, way.steps, tuple(zip(self.resources, used, strict=True)))

    def _admitted(self, done: int) -> Iterator[int]:
        return (n for n, choice in enumerate(self.problem.choices) if self.problem.admits(choice, done))

    def _go_on(
        self, place: Place, ways: list[_Way], number: int, done: int, reached: dict[Place, list[_Way]]
    ) -> None:  # fmt: skip
        problem, choice = self.problem, self.problem.choices[number]
        found = self._moved(place, number, problem.size_of(done), pinned=bool(problem.pins & done))
        if found is None:
            return
        moves, price = found[0], found[1] * problem.share_of(done) + found[2] * problem.arriving
        overtaken = _overtaken(choice, done)
        away = sum(s or 0 for s in choice.sender) + sum(problem.last - r for r in choice.receiver if r is not None)
        away += choice.stop or 0
        for way in ways:
            used = self._used(way.used, choice, price)
            if used is None:
                continue
            first, second = self._objectives(price)
            key = (
                way.key[0] + choice.rank, _sum(way.key[1], first), _sum(way.key[2], second), way.key[3] + overtaken,
                way.key[4] + away,
            )  # fmt: skip
            made = _Way(key, used, moves.place, (*way.steps, Step(choice, moves)))
            others = reached.setdefault(moves.place, [])
            if not any(other.beats(made) for other in others):
                others[:] = [*(other for other in others if not made.beats(other)), made]

    def _moved(self, place: Place, number: int, size: int, *, pinned: bool) -> tuple[Moves, Price, Price] | None:
        key = (place, number, size, pinned)
        if key not in self._moves:
            choice = self.problem.choices[number]
            moves = self.problem.moves(place, choice, size, pinned=pinned)
            self._moves[key] = (moves, *self.problem.step_price(choice, moves, size)) if moves else None
        return self._moves[key]

    def _objectives(self, price: Price) -> tuple[float, float]:
        if self.problem.objective == "throughput":
            return 0.0, price.latency
        both = (price.latency, price.cpu)
        return both if self.problem.objective == "latency" else both[::-1]

    def _used(self, used: tuple[float, ...], choice: Choice, price: Price) -> tuple[float, ...] | None:
        if not used:
            return used
        more = {**dict(choice.uses), **dict(price.loads)}
        total = tuple(u + more.get(n, 0) for u, n in zip(used, (*self.resources, *self.loads), strict=True))
        fits = all(total[i] <= self.problem.capacity[n] for i, n in enumerate(self.resources))
        return total if fits else None

    def _arrived(self, way: _Way) -> _Way:
        """Return a way with the price of what lies between the ends."""
        problem = self.problem
        price = problem.price_of(problem.between(way.place)) * problem.arriving
        loads = dict(price.loads)
        used = tuple(
            u + loads.get(n, 0.0) for u, n in zip(way.used, (*self.resources, *self.loads), strict=True)
        )  # fmt: skip
        first, second = self._objectives(price)
        rank, objective, other, moved, away = way.key
        busiest = max(used[len(self.resources) :], default=0.0)
        key = (rank, busiest if self.loads else _sum(objective, first), _sum(other, second), moved, away)
        return _Way(key, used, way.place, way.steps)


def _sum(one: float, other: float) -> float:
    """Return a sum in whole femtoseconds, so that the same summands in another order come to the same."""
    return round(one + other, 6)


def _overtaken(choice: Choice, done: int) -> int:
    """Return how many ops that are written below a choice's come before them."""
    overtaken = 0
    for number in choice.tasks:
        overtaken += (done >> number).bit_count()
        done |= 1 << number
    return overtaken


def _unbeaten(ways: list[_Way]) -> list[_Way]:
    kept: list[_Way] = []
    for way in ways:
        if not any(other.beats(way) for other in kept):
            kept.append(way)
    return kept


@frozen
class Found:
    """A way to do everything: its key, its steps, and what it uses of each scarce resource."""

    key: Key
    steps: tuple[Step, ...]
    uses: tuple[tuple[str, int], ...] = ()

    def legs(self, problem: Problem) -> tuple[Leg, ...]:
        """Return the legs of a message's way, in its order."""
        moves = [step.moves for step in self.steps]
        last = moves[-1].place if moves else problem.start
        back = [leg for m in moves for leg in m.back]
        return (*(leg for m in moves for leg in (*m.out, *m.on)), *problem.between(last), *back[::-1])

    def price(self, problem: Problem, *, apart: bool = False) -> Price:
        """Return the mean price of a message, be it one that goes all the way or not. `apart`: no two ops of the path
        run in one program, so that each pays for its door.
        """
        total, done = FREE, 0
        for step in self.steps:
            moves = step.moves
            if apart and step.choice.stop is not None:
                moves = evolve(moves, doors=((step.choice.stop, True),))
            sent, received = problem.step_price(step.choice, moves, problem.size_of(done))
            total += sent * problem.share_of(done) + received * problem.arriving
            done |= sum(1 << n for n in step.choice.tasks)
        last = self.steps[-1].moves.place if self.steps else problem.start
        return total + problem.price_of(problem.between(last)) * problem.arriving


def pareto(problem: Problem) -> tuple[Found, ...]:
    """Return the ways of which none is better than another both by `Key` and in what it uses, the least `Key` first;
    none when there is no way.

    Raises:
        TooManyOrdersError: the search would take too long.
    """
    search = _Search(problem)
    return tuple(search.found(way) for way in _unbeaten(sorted(search.ends(), key=lambda way: way.key)))


def by_place(problem: Problem) -> tuple[Found, ...]:
    """Return the ways of which none is better than another that leads to the same place, for a problem that goes on
    from there.

    Raises:
        TooManyOrdersError: the search would take too long.
    """
    search = _Search(problem)
    return tuple(search.found(way) for way in search.ends())


def cheapest(problem: Problem) -> Found | None:
    """Return the way that is least by `Key`; None when there is none.

    Raises:
        TooManyOrdersError: the search would take too long; `in_written_order` is always short.
    """
    return next(iter(pareto(problem)), None)


__all__ = ["Found", "Key", "Step", "TooManyOrdersError", "by_place", "cheapest", "in_written_order", "pareto"]
