"""By OR-tools' CP-SAT: whole numbers of connections, one aim after the other.

For each column how many connections use it, for each share whether it is paid. An aim that was reached becomes a
constraint for those after it. One worker and a fixed seed: the same question has the same answer, unless time ends the
search.

The worst first (`worst`) is the method of Bouveret and Lemaître (Computing leximin-optimal solutions in constraint
networks, 2009): the least number that all rows but `n` keep, for n = 0, 1, …, with all earlier numbers kept. The solver
finds it to one unit; whether it can be a little less is asked until it cannot, in exact fractions. Mostly it can be
proved which row it is that cannot do better; that row is then spared at once, and the solver need not choose.
"""

from __future__ import annotations

import time
from fractions import Fraction
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING, Any, Literal

from attrs import define, evolve, frozen

from bertha_ir.passes.schedule import greedy
from bertha_ir.passes.schedule.aims import Found, first, order
from bertha_ir.passes.schedule.model import NothingFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.passes.schedule.aims import Aim
    from bertha_ir.passes.schedule.problem import Counts, Problem

TIE_EFFORT = 1.0
"""The solver's own deterministic time for an aim that only decides ties."""


@frozen
class _Kept:
    """What an aim has to keep: its sum, or for n = 0, 1, … the number that all its rows but n have to keep, and then
    the row that cannot be below that number, if one is known.
    """

    aim: Aim
    limits: tuple[Fraction, ...]
    stuck: tuple[int | None, ...] = ()

    def spared(self, but: int) -> frozenset[int]:
        """Return the rows that are known to be among the `but` which need not keep a limit."""
        return frozenset(row for row in self.stuck[:but] if row is not None)


@frozen
class _Answer:
    """`best`: nothing is less. `none`: there is no solution. `open`: neither is known, and counts may be missing."""

    status: Literal["best", "none", "open"]
    counts: Counts | None
    bound: int


class _Model:
    """A problem as the solver reads it, with what earlier aims have to keep."""

    def __init__(self, problem: Problem, kept: Sequence[_Kept]) -> None:
        from ortools.sat.python import cp_model  # noqa: PLC0415  (an extra, and slow to import)

        self.api: Any = cp_model
        self.problem, self.model = problem, cp_model.CpModel()
        self.counts = [[self.model.new_int_var(0, c.most, "") for c in row.columns] for row in problem.rows]
        self.moved = [self._moves(number) for number in range(len(problem.rows))]
        self._resources()
        for limit in kept:
            self._keep(limit)

    def _moves(self, number: int) -> Any:  # noqa: ANN401  (the solver's expressions have no types)
        row = self.problem.rows[number]
        total: Any = row.forced
        for column, count in zip(row.columns, self.counts[number], strict=True):
            if column.now:
                gone = self.model.new_int_var(0, column.now, "")
                self.model.add(gone >= column.now - count)
                total += gone
        return total

    def _resources(self) -> None:
        problem, model = self.problem, self.model
        paid = [model.new_bool_var("") for _ in problem.shares]
        load: list[list[Any]] = [[] for _ in problem.capacities]
        for (resource, amount), share in zip(problem.shares, paid, strict=True):
            load[resource].append(amount * share)
        for row, counts in zip(problem.rows, self.counts, strict=True):
            model.add(sum(counts) == row.connections)
            for column, count in zip(row.columns, counts, strict=True):
                for used, rate in column.uses:
                    load[used].append(rate * count)
                for needed in column.shares:
                    model.add(count <= column.most * paid[needed])
        for terms, capacity in zip(load, problem.capacities, strict=True):
            model.add(sum(terms) <= capacity)

    def parts(self, aim: Aim) -> list[Any]:
        """Return what each row adds to an aim."""
        return [
            sum(rate * count for rate, count in zip(rates, own, strict=True)) + move * moved
            for rates, own, move, moved in zip(aim.rates, self.counts, aim.moves, self.moved, strict=True)
        ]

    def _keep(self, kept: _Kept) -> None:
        if not kept.aim.worst:
            self.model.add(sum(self.parts(kept.aim)) <= int(kept.limits[0]))
            return
        for but, limit in enumerate(kept.limits):
            self.all_but(but, kept, [floor(limit * row.connections) for row in self.problem.rows])

    def all_but(self, but: int, kept: _Kept, most: Sequence[Any]) -> None:
        """Demand that all rows but so many, counting those that are known to be spared, add at most so much."""
        known, chosen = kept.spared(but), []
        for number, (part, limit) in enumerate(zip(self.parts(kept.aim), most, strict=True)):
            if number in known:
                continue
            demanded = self.model.add(part <= limit)
            if but > len(known):
                chosen.append(self.model.new_bool_var(""))
                demanded.only_enforce_if(chosen[-1].negated())
        self.model.add(sum(chosen) <= but - len(known))

    def solve(self, goal: Any, hint: Counts | None, seconds: float, effort: float | None = None) -> _Answer:  # noqa: ANN401
        """Make a goal least, or only look for a solution when it is None."""
        if seconds <= 0:
            return _Answer("open", None, 0)
        if goal is not None:
            self.model.minimize(goal)
        for own, known in zip(self.counts, hint or (), strict=False):
            for count, value in zip(own, known, strict=True):
                self.model.add_hint(count, value)
        solver = self.api.CpSolver()
        given = solver.parameters
        given.num_workers, given.random_seed, given.linearization_level = 1, 1, 2
        given.max_time_in_seconds = seconds
        if effort is not None:
            given.max_deterministic_time = effort
        status = solver.solve(self.model)
        if status == self.api.INFEASIBLE:
            return _Answer("none", None, 0)
        solved = status in {self.api.OPTIMAL, self.api.FEASIBLE}
        counts = tuple(tuple(solver.value(c) for c in own) for own in self.counts) if solved else None
        bound = solver.best_objective_bound if goal is not None else 0.0
        return _Answer("best" if status == self.api.OPTIMAL else "open", counts, ceil(bound) if isfinite(bound) else 0)


def least(problem: Problem, aims: Sequence[Aim], until: float, limit_s: float) -> Found | None:
    """Return what is least by the aims, one after the other; None when there is no schedule. When the time is up, the
    best that is known, its proofs missing.

    Raises:
        NothingFoundError: the time was up before a schedule was found.
        ImportError: OR-tools is not installed.
    """
    search = _Search(problem, until, greedy.found(problem, aims, until), [], [], [])
    if search.known is None:
        answer = _Model(problem, ()).solve(None, None, until - time.monotonic())
        search.known = answer.counts
        if answer.status == "none":
            return None
    if search.known is None:
        raise NothingFoundError(limit_s)
    for aim in aims:
        (search.worst if aim.worst else search.sum)(aim, search.known)
    return Found(search.known, tuple(search.bounds), tuple(search.proven))


@define
class _Search:
    problem: Problem
    until: float
    known: Counts | None
    kept: list[_Kept]
    bounds: list[Fraction]
    proven: list[bool]

    def _solve(self, model: _Model, goal: Any, effort: float | None = None) -> _Answer:  # noqa: ANN401
        return model.solve(goal, self.known, self.until - time.monotonic(), effort)

    def _means(self, aim: Aim, counts: Counts) -> tuple[Fraction, ...]:
        rows = enumerate(self.problem.rows)
        return order(Fraction(aim.part(self.problem, n, counts[n]), row.connections) for n, row in rows)

    def _sum(self, aim: Aim, counts: Counts) -> int:
        return sum(aim.part(self.problem, number, own) for number, own in enumerate(counts))

    def sum(self, aim: Aim, known: Counts) -> None:
        """Make a sum least, and keep it."""
        model = _Model(self.problem, self.kept)
        answer = self._solve(model, sum(model.parts(aim)), TIE_EFFORT if aim.tie else None)
        if answer.counts is not None and self._sum(aim, answer.counts) <= self._sum(aim, known):
            self.known = known = answer.counts
        reached = Fraction(self._sum(aim, known))
        self._settle(_Kept(aim, (reached,)), reached, Fraction(answer.bound), proven=answer.status == "best")

    def worst(self, aim: Aim, known: Counts) -> None:
        """Make the largest mean least, then the next, and keep them all."""
        lowest = min((Fraction(min(rates)) for rates in aim.rates), default=Fraction())
        kept, bound, proven = _Kept(aim, ()), lowest, True
        while proven and len(kept.limits) < len(self.problem.rows):
            answer, known = self._nearly(kept, known)
            if not kept.limits:
                bound = max(lowest, Fraction(answer.bound - 1))
            proven = answer.status == "best"
            while proven:
                lower = self._lower(kept, known)
                proven = lower.status != "open"
                if lower.counts is None:
                    break
                known = lower.counts
            limit = self._means(aim, known)[len(kept.limits)]
            kept = evolve(kept, limits=(*kept.limits, limit))
            if limit == lowest:
                break
            kept = evolve(kept, stuck=(*kept.stuck, self._stuck(kept, known)))
        self.known = known
        self._settle(kept, first(kept.limits), bound, proven=proven)

    def _nearly(self, kept: _Kept, known: Counts) -> tuple[_Answer, Counts]:
        """Make least what all rows keep but so many as there are limits, to one unit."""
        model = _Model(self.problem, [*self.kept, kept])
        most = model.model.new_int_var(0, ceil(self._means(kept.aim, known)[len(kept.limits)]), "")
        model.all_but(len(kept.limits), kept, [row.connections * most for row in self.problem.rows])
        answer = self._solve(model, most)
        better = answer.counts is not None and self._means(kept.aim, answer.counts) <= self._means(kept.aim, known)
        return answer, answer.counts if better and answer.counts else known

    def _lower(self, kept: _Kept, known: Counts) -> _Answer:
        """Look for anything less than what is known."""
        model = _Model(self.problem, [*self.kept, kept])
        at = self._means(kept.aim, known)[len(kept.limits)]
        model.all_but(len(kept.limits), kept, [ceil(at * row.connections) - 1 for row in self.problem.rows])
        return model.solve(None, None, self.until - time.monotonic())

    def _stuck(self, kept: _Kept, known: Counts) -> int | None:
        """Return a row that is at the last limit, and is so whatever the others do; None when none is known."""
        for number, row in enumerate(self.problem.rows):
            part, most = kept.aim.part(self.problem, number, known[number]), kept.limits[-1] * row.connections
            if part == most and number not in kept.stuck:
                model = _Model(self.problem, [*self.kept, kept])
                model.model.add(model.parts(kept.aim)[number] <= ceil(most) - 1)
                if model.solve(None, None, self.until - time.monotonic()).status == "none":
                    return number
        return None

    def _settle(self, kept: _Kept, reached: Fraction, bound: Fraction, *, proven: bool) -> None:
        self.kept.append(kept)
        self.bounds.append(reached if proven else min(bound, reached))
        self.proven.append(proven)
