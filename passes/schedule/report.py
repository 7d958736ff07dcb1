"""From counts to a schedule: everything is computed again from what was given, in floats, and compared."""

from __future__ import annotations

from math import fsum, inf
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.passes.schedule.aims import first, key
from bertha_ir.passes.schedule.reasons import reason
from bertha_ir.passes.schedule.result import Proof, Schedule, Served, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertha_ir.passes.schedule.aims import Aim, Found
    from bertha_ir.passes.schedule.model import Hysteresis, Kind, Objective, Resource
    from bertha_ir.passes.schedule.problem import Problem
    from bertha_ir.passes.schedule.result import Decision

TOLERANCE = 1e-9
"""The share of a value that rounding may hide before it is no longer called optimal."""


@frozen
class Asked:
    """The question, and its form in whole numbers."""

    resources: tuple[Resource, ...]
    kinds: tuple[Kind, ...]
    objective: Objective
    hysteresis: Hysteresis
    problem: Problem


def schedule(asked: Asked, aims: Sequence[Aim], found: Found, decision: Decision | None, engine: str) -> Schedule:
    """Return the schedule. What was found may have had further aims, after these.

    Raises:
        RuntimeError: an engine's answer does not hold, which is a mistake of ours.
    """
    problem = asked.problem
    counts = {row.name: own for row, own in zip(problem.rows, found.counts, strict=True)}
    moved = {row.name: row.moved(own) for row, own in zip(problem.rows, found.counts, strict=True)}
    usage = _usage(asked, counts)
    penalty = asked.hysteresis.penalty
    return Schedule(
        asked.objective,
        tuple(_served(asked, kind, counts, usage, moved.get(kind.name, 0)) for kind in asked.kinds),
        fsum(kind.weight * _cost(kind, counts) for kind in asked.kinds),
        fsum(kind.weight * penalty * moved.get(kind.name, 0) for kind in asked.kinds),
        usage,
        _proofs(asked, aims, found, counts, moved),
        decision,
        engine,
    )


def _cost(kind: Kind, counts: Mapping[str, Sequence[int]]) -> float:
    own = counts.get(kind.name, (0,) * len(kind.options))
    if sum(own) != kind.connections or min(own, default=0) < 0:
        msg = f"{own} does not serve the {kind.connections} connections of `{kind.name}`"
        raise RuntimeError(msg)
    return fsum(count * option.cost for count, option in zip(own, kind.options, strict=True))


def _usage(asked: Asked, counts: Mapping[str, Sequence[int]]) -> tuple[Usage, ...]:
    used = {resource.name: 0 for resource in asked.resources}
    paid: dict[tuple[str, str], int] = {}
    for kind in asked.kinds:
        for option, count in zip(kind.options, counts.get(kind.name, ()), strict=False):
            for name, amount in option.uses:
                used[name] += amount * count
            if count:
                paid |= {(name, shared): amount for name, shared, amount in option.shared}
    for (name, _), amount in paid.items():
        used[name] += amount
    for resource in asked.resources:
        if used[resource.name] > resource.capacity:
            msg = f"{used[resource.name]} of `{resource.name}` are used, which has {resource.capacity}"
            raise RuntimeError(msg)
    return tuple(Usage(r.name, r.capacity, used[r.name], r.capacity - used[r.name]) for r in asked.resources)


def _served(
    asked: Asked, kind: Kind, counts: Mapping[str, Sequence[int]], usage: Sequence[Usage], moved: int
) -> Served:
    own = tuple(counts.get(kind.name, (0,) * len(kind.options)))
    cost = _cost(kind, counts)
    return Served(
        kind.name,
        tuple((option.name, count) for option, count in zip(kind.options, own, strict=True)),
        kind.weight * cost,
        _slowdown(kind, cost),
        moved,
        reason(kind, asked.kinds, counts, usage),
    )


def _slowdown(kind: Kind, cost: float) -> float:
    best = kind.connections * min((option.cost for option in kind.options), default=0.0)
    if best:
        return cost / best
    return inf if cost else 1.0


def _proofs(
    asked: Asked, aims: Sequence[Aim], found: Found, counts: Mapping[str, Sequence[int]], moved: Mapping[str, int]
) -> tuple[Proof, ...]:
    full = {k.name: _cost(k, counts) + asked.hysteresis.penalty * moved.get(k.name, 0) for k in asked.kinds}
    kinds = {kind.name: kind for kind in asked.kinds}
    proofs = []
    amounts = key(asked.problem, aims, found.counts)
    for aim, amount, bound, proven in zip(aims, amounts, found.bounds, found.proven, strict=False):
        own = [kinds[row.name] for row in asked.problem.rows]
        if aim.worst:
            value = max((_slowdown(kind, full[kind.name]) for kind in own), default=0.0)
        else:
            value = fsum(k.weight * full[k.name] for k in own if aim.level in {None, k.priority})
        exact = float(first(amount) * aim.unit)
        lost = sum(3 * row.connections for row in asked.problem.rows) * float(aim.unit)
        if not exact - TOLERANCE * max(1.0, exact) <= value <= exact + lost + TOLERANCE * max(1.0, exact):
            msg = f"the {aim.what} is {value}, and {exact} in the search"
            raise RuntimeError(msg)
        least = min(value, float(bound * aim.unit))
        proofs.append(Proof(aim.what, value, least, proven and value - least <= TOLERANCE * value))
    return tuple(proofs)
