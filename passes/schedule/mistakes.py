"""What is wrong with a question, all of it at once."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import TYPE_CHECKING, get_args

from bertha_ir.passes.schedule.model import MistakenError, Objective

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bertha_ir.passes.schedule.model import Hysteresis, Kind, Option, Resource

LARGEST = 2**48
"""Capacities, amounts and connections stay below: sums of them must fit into a solver's 64 bits."""


def check(resources: Sequence[Resource], kinds: Sequence[Kind], objective: str, hysteresis: Hysteresis) -> None:
    """Raise `MistakenError` with everything that is wrong."""
    found = [
        *_twice("resource", (r.name for r in resources)),
        *_twice("kind", (k.name for k in kinds)),
        *(f"`{r.name}` has the capacity {r.capacity}" for r in resources if not 0 <= r.capacity < LARGEST),
        *_numbers("the hysteresis", hysteresis.penalty, hysteresis.relative, hysteresis.absolute),
        *(m for kind in kinds for m in _kind(kind, {r.name for r in resources})),
        *_amounts(kinds),
    ]
    if objective not in get_args(Objective):
        found.append(f"`{objective}` is no objective: {', '.join(get_args(Objective))}")
    if objective == "max-min":
        found += [f"`{k.name}` has an option that costs nothing, so no slowdown" for k in kinds if _free(k)]
    if found:
        raise MistakenError(tuple(found))


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    return (f"the {what} `{name}` is there twice" for name, times in Counter(names).items() if times > 1)


def _numbers(whose: str, *numbers: float) -> Iterator[str]:
    return (f"{whose} has the number {n}" for n in numbers if not (isfinite(n) and n >= 0))


def _free(kind: Kind) -> bool:
    costs = [option.cost for option in kind.options]
    return bool(costs) and min(costs) <= 0 < max(costs)


def _kind(kind: Kind, known: set[str]) -> Iterator[str]:
    where = f"`{kind.name}`"
    yield from _twice(f"option of {where}", (o.name for o in kind.options))
    yield from _numbers(f"the weight of {where}", kind.weight)
    if not 0 <= kind.connections < LARGEST:
        yield f"{where} has {kind.connections} connections"
    for name, count in kind.current.items():
        if not 0 <= count < LARGEST:
            yield f"{where} has {count} connections that run by `{name}`"
    for option in kind.options:
        yield from _option(f"`{option.name}` of {where}", option, known)


def _option(where: str, option: Option, known: set[str]) -> Iterator[str]:
    yield from _numbers(where, option.cost)
    yield from _twice(f"use by {where} of", (name for name, _ in option.uses))
    used = [*option.uses, *((name, amount) for name, _, amount in option.shared)]
    for name, amount in used:
        if name not in known:
            yield f"{where} uses `{name}`, which is no resource"
        if not 0 <= amount < LARGEST:
            yield f"{where} uses {amount} of `{name}`"


def _amounts(kinds: Sequence[Kind]) -> Iterator[str]:
    amounts: dict[tuple[str, str], set[int]] = {}
    for option in (o for kind in kinds for o in kind.options):
        for name, key, amount in option.shared:
            amounts.setdefault((name, key), set()).add(amount)
    for (name, key), several in amounts.items():
        if len(several) > 1:
            yield f"`{key}` shares several amounts of `{name}`: {', '.join(map(str, sorted(several)))}"
