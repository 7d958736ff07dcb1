"""The scheduler's entry: chooses an engine, weighs hysteresis, explains why there is no schedule."""

from __future__ import annotations

import time
from importlib.util import find_spec
from math import comb, isfinite, prod
from typing import TYPE_CHECKING, Literal

from attrs import evolve

from bertha_ir.passes.schedule import cpsat, exact
from bertha_ir.passes.schedule.aims import fewest_moves, first_options, wanted
from bertha_ir.passes.schedule.hysteresis import decide
from bertha_ir.passes.schedule.infeasible import explain
from bertha_ir.passes.schedule.mistakes import check
from bertha_ir.passes.schedule.model import Hysteresis, MistakenError
from bertha_ir.passes.schedule.problem import make
from bertha_ir.passes.schedule.report import Asked, schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.passes.schedule.aims import Aim, Found
    from bertha_ir.passes.schedule.model import Kind, Objective, Resource
    from bertha_ir.passes.schedule.problem import Problem
    from bertha_ir.passes.schedule.result import Schedule

Engine = Literal["auto", "cp-sat", "exact"]

TINY = 10_000
"""Schedules, whether they fit or not, up to which `auto` does without OR-tools: they take less than its import."""

AT_WILL = Hysteresis()


def solve(  # noqa: PLR0913  (each has a name and a default)
    resources: Sequence[Resource],
    kinds: Sequence[Kind],
    *,
    objective: Objective = "weighted",
    hysteresis: Hysteresis = AT_WILL,
    limit_s: float = 60.0,
    engine: Engine = "auto",
) -> Schedule:
    """Return the schedule that is best by the objective; of those equally good the one that moves less, then the one
    that uses options named earlier. The order of kinds and resources is of no account. When `limit_s` seconds are up,
    the best that was found, with its gap. `auto` takes CP-SAT if it is installed, and the exact search for what is
    tiny; the exact search gives up on what is large, and then there is a gap too.

    Raises:
        MistakenError: the question makes no sense.
        CannotServeError: there is no schedule. To say why may take as long again as `limit_s`.
        NothingFoundError: time was up before there was one.
        ImportError: `cp-sat` was asked for, and OR-tools is not installed.
    """
    began = time.monotonic()
    check(resources, kinds, objective, hysteresis)
    if not (isfinite(limit_s) and limit_s > 0):
        raise MistakenError((f"a limit of {limit_s} s",))
    problem = make(resources, kinds, hysteresis)
    name = _engine(problem, engine)

    def found(question: Problem, aims: Sequence[Aim], seconds: float) -> Found | None:
        least = cpsat.least if name == "cp-sat" else exact.least
        return least(question, aims, began + seconds, limit_s)

    aims, moves, tie = wanted(problem, objective), fewest_moves(problem), first_options(problem)
    compared = bool(moves) and max(hysteresis.relative, hysteresis.absolute) > 0
    best = found(problem, (*aims, *(evolve(m, tie=True) for m in moves), tie), limit_s / (1 + compared))
    if best is None:
        raise explain(problem, lambda p: found(p, (), 2 * limit_s) is not None)
    decision = None
    if compared and any(row.moved(own) for row, own in zip(problem.rows, best.counts, strict=True)):
        still = found(problem, (*moves, *aims, tie), limit_s)
        best, decision = decide(problem, aims, best, still or best, hysteresis)
    asked = Asked(tuple(resources), tuple(kinds), objective, hysteresis, problem)
    return schedule(asked, aims, best, decision, name)


def _engine(problem: Problem, asked: Engine) -> Literal["cp-sat", "exact"]:
    if asked != "auto":
        return asked
    ways = (comb(r.connections + len(r.columns) - 1, len(r.columns) - 1) if r.columns else 1 for r in problem.rows)
    return "exact" if prod(ways) <= TINY or find_spec("ortools") is None else "cp-sat"
