"""Placement of the path's ops by OR-tools' CP-SAT, for orders too loose to go through.

Stops on the path are passed once, so an order of its ops is a stop for each: those at one stop keep their written
order. What is asked is a stop for each op such that none runs before one it must follow, a program's entry is paid once
for each stop that runs any, and capacities hold. Costs are whole picoseconds. The ends are few; `dynamic` places them.
"""

from __future__ import annotations

from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from bertha_ir.passes.search.dynamic import Found, Step, by_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.passes.search.dynamic import Key
    from bertha_ir.passes.search.problem import Place, Price, Problem

SECONDS = 10.0
PICO = 1000


class NotForSolverError(Exception):
    """The problem is none that CP-SAT is asked: messages end on the way, so that the cost of an op depends on all that
    run before it, or OR-tools is not installed.
    """


@frozen
class Answer:
    """The least way that was found, and by how much a better one may beat it: 0 when it is proved to be the best."""

    found: Found
    gap: float = 0.0


def by_solver(problem: Problem, seconds: float = SECONDS) -> Answer | None:
    """Return the way that is least by `Key`; None when there is none. The best that was found, with its gap in the
    objective's unit, when the time is over.

    Raises:
        NotForSolverError: CP-SAT cannot be asked this.
        TooManyOrdersError: the ends' ops are too loose.
    """
    if any(task.keeps < 1 for task in problem.tasks) or any(t.grows for t in problem.tasks[_above(problem) :]):
        msg = "the cost of an op depends on those before it"
        raise NotForSolverError(msg)
    above = _above(problem)
    ends = evolve(
        problem,
        tasks=problem.tasks[:above],
        choices=tuple(c for c in problem.choices if c.stop is None),
    )
    answers = [a for way in by_place(ends) if (a := _Path(problem, way, seconds).answer()) is not None]
    return min(answers, key=lambda a: a.found.key, default=None)


def _above(problem: Problem) -> int:
    """Return how many ops are of the ends: they come first."""
    return min((c.tasks[0] for c in problem.choices if c.stop is not None), default=len(problem.tasks))


@define(slots=False)
class _Path:
    """The placement of the path's ops behind one way to place the ends'."""

    problem: Problem
    ends: Found
    seconds: float
    model: Any = field(init=False)
    stops: dict[int, Any] = field(factory=dict)
    chosen: dict[int, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        try:
            from ortools.sat.python import cp_model  # noqa: PLC0415  (310 ms, and few stacks need it)
        except ImportError as error:
            msg = "OR-tools is not installed"
            raise NotForSolverError(msg) from error
        self.model = cp_model.CpModel()

    @property
    def place(self) -> Place:
        """Where the ends' ops leave the message."""
        return self.ends.steps[-1].moves.place if self.ends.steps else self.problem.start

    def answer(self) -> Answer | None:
        tasks = range(_above(self.problem), len(self.problem.tasks))
        self._choose(tasks)
        self._keep_order(tasks)
        if not self._fit():
            return None
        solved, gap = None, 0.0
        for goal in self._goals(tasks):
            better = self._least(goal)
            if better is None:
                break
            if solved is None:
                gap = (better.ObjectiveValue() - better.BestObjectiveBound()) / PICO
            solved = better
            self.model.Add(goal <= round(better.ObjectiveValue()))
        if solved is None:
            return None
        return Answer(self._found({t: solved.Value(self.stops[t]) for t in tasks}, solved), gap)

    def _goals(self, tasks: Sequence[int]) -> list[Any]:
        """Return what is to be made least, one after the other: see `Key`."""
        doors = self._doors()
        rank = sum(self.problem.choices[n].rank * chosen for n, chosen in self.chosen.items())
        terms = [(chosen, self._price(n)) for n, chosen in self.chosen.items()]
        terms += [(door, self.problem.way.door(stop, path=True)) for stop, door in doors.items()]
        latency = sum(round(PICO * price.latency) * var for var, price in terms)
        cpu = sum(round(PICO * price.cpu) * var for var, price in terms)
        busiest = self._busiest(terms) if self.problem.objective == "throughput" else None
        first, second = (busiest, latency) if busiest is not None else (latency, cpu)
        if self.problem.objective == "cpu":
            first, second = cpu, latency
        most = PICO * (1 + sum(round(abs(price.latency) + abs(price.cpu)) + 1 for _, price in terms))
        moved = sum(self._inverted(tasks))
        away = sum(self.stops.values())
        return [rank * most + first, second, moved * (1 + self.problem.last * len(tasks)) + away]

    def _choose(self, tasks: Sequence[int]) -> None:
        s, r, _ = self.place
        model, problem = self.model, self.problem
        for number, choice in enumerate(problem.choices):
            if choice.stop is not None and choice.stop >= s and not r < choice.stop < problem.last:
                self.chosen[number] = model.NewBoolVar(f"choice{number}")
        for task in tasks:
            mine = [n for n in self.chosen if problem.choices[n].tasks == (task,)]
            model.AddExactlyOne(self.chosen[n] for n in mine)
            self.stops[task] = model.NewIntVar(0, problem.last, f"stop{task}")
            model.Add(self.stops[task] == sum((problem.choices[n].stop or 0) * self.chosen[n] for n in mine))

    @cached_property
    def _above(self) -> dict[int, set[int]]:
        """All that must come before each op, and not only what it says itself."""
        found: dict[int, set[int]] = {}
        for number, task in enumerate(self.problem.tasks):
            found[number] = set(task.after).union(*(found[n] for n in task.after))
        return found

    def _keep_order(self, tasks: Sequence[int]) -> None:
        for task in tasks:
            after = self.problem.tasks[task].after & self.stops.keys()
            for before in after - set().union(*(self._above[n] for n in after)):
                self.model.Add(self.stops[before] <= self.stops[task])
            if self.problem.tasks[task].pins:
                for other in tasks:
                    self.model.Add(self.stops[other] <= self.stops[task])

    def _fit(self) -> bool:
        """Hold the capacities that the ends leave; False when they leave less than nothing."""
        used = dict(self.ends.uses)
        for name, capacity in self.problem.capacity.items():
            left = capacity - used.get(name, 0)
            if left < 0:
                return False
            amounts = {n: dict(self.problem.choices[n].uses).get(name, 0) for n in self.chosen}
            self.model.Add(sum(a * self.chosen[n] for n, a in amounts.items()) <= left)
        return True

    def _price(self, number: int) -> Price:
        return self.problem.choices[number].price(self.problem.size_of((1 << len(self.problem.tasks)) - 1))

    def _doors(self) -> dict[int, Any]:
        """Return, for each stop, whether it runs any op."""
        doors = {}
        for stop in sorted({self.problem.choices[n].stop or 0 for n in self.chosen}):
            doors[stop] = self.model.NewBoolVar(f"door{stop}")
            for number, chosen in self.chosen.items():
                if self.problem.choices[number].stop == stop:
                    self.model.AddImplication(chosen, doors[stop])
        return doors

    def _busiest(self, terms: list[tuple[Any, Price]]) -> Any:  # noqa: ANN401  (OR-tools' own)
        """Return the load of what is busiest: of what the ends and the way between them keep busy, too."""
        fixed = dict(self.ends.price(self.problem).loads)
        names = sorted({name for _, price in terms for name, _ in price.loads} | fixed.keys())
        loads = {name: round(PICO * fixed.get(name, 0.0)) for name in names}
        most = sum(loads.values()) + sum(round(PICO * load) for _, price in terms for _, load in price.loads)
        busiest = self.model.NewIntVar(0, max(1, most), "busiest")
        for name in names:
            rest = sum(round(PICO * dict(price.loads).get(name, 0.0)) * var for var, price in terms)
            self.model.Add(busiest >= loads[name] + rest)
        return busiest

    def _inverted(self, tasks: Sequence[int]) -> list[Any]:
        """Return, for each pair that may run in another order than the written, whether it does."""
        found = []
        for first, second in combinations(tasks, 2):
            if first not in self._above[second]:
                inverted = self.model.NewBoolVar(f"inverted{first},{second}")
                self.model.Add(self.stops[first] <= self.stops[second]).OnlyEnforceIf(inverted.Not())
                found.append(inverted)
        return found

    def _least(self, objective: Any) -> Any:  # noqa: ANN401  (as above)
        from ortools.sat.python import cp_model  # noqa: PLC0415  (as above)

        self.model.Minimize(objective)
        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds = self.seconds
        solver.parameters.num_workers = 1  # the same answer every time
        solver.parameters.random_seed = 0
        status = solver.Solve(self.model)
        return solver if status in {cp_model.OPTIMAL, cp_model.FEASIBLE} else None

    def _found(self, stops: dict[int, int], solved: Any) -> Found:  # noqa: ANN401  (as above)
        """Return the way, its key reckoned anew from the problem."""
        problem, place = self.problem, self.place
        steps = list(self.ends.steps)
        size = problem.size_of((1 << len(problem.tasks)) - 1)
        taken = {problem.choices[n].tasks[0]: problem.choices[n] for n, var in self.chosen.items() if solved.Value(var)}
        pinned = False
        for task in sorted(stops, key=lambda t: (stops[t], t)):
            moves = problem.moves(place, taken[task], size, pinned=pinned)
            assert moves is not None  # noqa: S101  INVARIANT: the model allows only such
            steps.append(Step(taken[task], moves))
            place, pinned = moves.place, pinned or problem.tasks[task].pins
        found = Found(self.ends.key, tuple(steps))
        return evolve(found, key=_key(problem, found), uses=_uses(problem, found))


def _key(problem: Problem, found: Found) -> Key:
    """Return the key of a way, from its steps."""
    price = found.price(problem)
    order = [n for step in found.steps for n in step.choice.tasks]
    moved = sum(a > b for a, b in combinations(order, 2))
    away = 0
    for step in found.steps:
        choice = step.choice
        away += sum(s or 0 for s in choice.sender) + (choice.stop or 0)
        away += sum(problem.last - r for r in choice.receiver if r is not None)
    first, second = {
        "latency": (price.latency, price.cpu),
        "cpu": (price.cpu, price.latency),
        "throughput": (max((load for _, load in price.loads), default=0.0), price.latency),
    }[problem.objective]
    return sum(s.choice.rank for s in found.steps), round(first, 6), round(second, 6), moved, away


def _uses(problem: Problem, found: Found) -> tuple[tuple[str, int], ...]:
    total = dict.fromkeys(sorted(problem.capacity), 0)
    for step in found.steps:
        for name, amount in step.choice.uses:
            if name in total:
                total[name] += amount
    return tuple(total.items())
