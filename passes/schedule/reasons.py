"""Why a kind does not have its best option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.passes.schedule.model import Shortage
from bertha_ir.passes.schedule.result import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertha_ir.passes.schedule.model import Kind, Option
    from bertha_ir.passes.schedule.result import Usage


def reason(
    kind: Kind, kinds: Sequence[Kind], counts: Mapping[str, Sequence[int]], usage: Sequence[Usage]
) -> Reason | None:
    """Return why some connections of a kind do without its best option; None when none does."""
    own = counts.get(kind.name, ())
    used = [option for option, count in zip(kind.options, own, strict=False) if count]
    best = min(kind.options, key=lambda option: option.cost, default=None)
    missed = sum(count for o, count in zip(kind.options, own, strict=False) if best is not None and o.cost > best.cost)
    if best is None or not missed:
        return None
    source = max(used, key=lambda option: option.cost)
    needs = _needs(best, source, _paid(kinds, counts))
    short = tuple(Shortage(u.resource, needs[u.resource], u.left) for u in usage if needs.get(u.resource, 0) > u.left)
    takers = [f"{_shortage(s, usage)}{_takers(s.resource, kinds, counts)}" for s in short]
    why = " and ".join(takers) or "moving to it would not pay, or the search ended too soon"
    return Reason(best.name, missed, short, f"{missed} of `{kind.name}` do without `{best.name}`: {why}")


def _paid(kinds: Sequence[Kind], counts: Mapping[str, Sequence[int]]) -> set[tuple[str, str]]:
    return {
        (name, key)
        for kind in kinds
        for option, count in zip(kind.options, counts.get(kind.name, ()), strict=False)
        if count
        for name, key, _ in option.shared
    }


def _needs(best: Option, source: Option, paid: set[tuple[str, str]]) -> dict[str, int]:
    """Return what a connection needs more of each resource when it moves from `source` to `best`."""
    needs = dict(best.uses)
    for name, key, amount in best.shared:
        if (name, key) not in paid:
            needs[name] = needs.get(name, 0) + amount
    for name, amount in source.uses:
        needs[name] = needs.get(name, 0) - amount
    return needs


def _shortage(shortage: Shortage, usage: Sequence[Usage]) -> str:
    of = next(u.capacity for u in usage if u.resource == shortage.resource)
    return f"one more needs {shortage.needed} of `{shortage.resource}`, which has {shortage.left} of {of} left"


def _takers(resource: str, kinds: Sequence[Kind], counts: Mapping[str, Sequence[int]]) -> str:
    taken: dict[str, int] = {}
    for kind in kinds:
        for option, count in zip(kind.options, counts.get(kind.name, ()), strict=False):
            amount = count * dict(option.uses).get(resource, 0)
            if count:
                amount += sum(shared for name, _, shared in option.shared if name == resource)
            if amount:
                taken[kind.name] = taken.get(kind.name, 0) + amount
    most = sorted(taken.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    return f" (taken by {', '.join(f'`{name}`: {amount}' for name, amount in most)})" if most else ""
