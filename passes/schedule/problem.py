"""The question in whole numbers, as both engines read it.

A cost is read as the decimal that prints it: 0.1 is a tenth, so that sums that are equal on paper are equal here. All
costs are then multiplied by one number and rounded down. That number is their least common denominator, which loses
nothing, if the largest sum that can occur then stays within `ROOM`; else the largest power of ten that keeps it there,
so that no connection loses more than one unit. As costs only lose, what is least in whole numbers is a lower bound of
what is least. A schedule's cost is always computed again from the costs that were given (`result.py`).

Slowdowns have a number of their own: the costs over the cost of the kind's best option, multiplied alike.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from attrs import evolve, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bertha_ir.passes.schedule.model import Hysteresis, Kind, Option, Resource

ROOM = 2**50
"""The largest sum: a float holds it exactly, and a solver of 64 bits can multiply it by small numbers."""

Counts = tuple[tuple[int, ...], ...]
"""How many connections of each row use each of its columns."""


@frozen
class Column:
    """An option: its weighted cost and its slowdown, multiplied; (resource, amount) by number; the shares that it
    needs, by number; how many connections run so now, and how many ever could.
    """

    cost: int
    slowdown: int
    uses: tuple[tuple[int, int], ...]
    shares: tuple[int, ...]
    now: int
    most: int


@frozen
class Row:
    """A kind. `forced` is how many connections have to move as their option is gone, less how many have ended."""

    name: str
    connections: int
    priority: int
    columns: tuple[Column, ...]
    move_cost: int
    move_slowdown: int
    forced: int

    def moved(self, counts: Sequence[int]) -> int:
        """Return how many connections go from one option to another."""
        return self.forced + sum(max(0, c.now - n) for c, n in zip(self.columns, counts, strict=True))


@frozen
class Problem:
    """Kinds that have connections, and resources, both by name; what there is of each resource; what shares take, as
    (resource, amount).
    """

    rows: tuple[Row, ...]
    resources: tuple[str, ...]
    capacities: tuple[int, ...]
    shares: tuple[tuple[int, int], ...]
    unit: Fraction
    slowdown_unit: Fraction

    @property
    def runs(self) -> bool:
        """Whether anything runs now."""
        return any(column.now for row in self.rows for column in row.columns)

    def used(self, counts: Counts) -> tuple[int, ...]:
        """Return what is used of each resource."""
        used = [0] * len(self.capacities)
        paid: set[int] = set()
        for row, own in zip(self.rows, counts, strict=True):
            for column, count in zip(row.columns, own, strict=True):
                for resource, amount in column.uses:
                    used[resource] += amount * count
                if count:
                    paid.update(column.shares)
        for resource, amount in (self.shares[share] for share in paid):
            used[resource] += amount
        return tuple(used)

    def with_capacities(self, capacities: tuple[int, ...]) -> Problem:
        """Return the same question with other capacities."""

        def column(row: Row, old: Column) -> Column:
            return evolve(old, most=_most(row.connections, old.uses, [self.shares[s] for s in old.shares], capacities))

        rows = (evolve(row, columns=tuple(column(row, old) for old in row.columns)) for row in self.rows)
        return evolve(self, rows=tuple(rows), capacities=capacities)


def _most(
    connections: int, uses: Sequence[tuple[int, int]], shares: Sequence[tuple[int, int]], capacities: Sequence[int]
) -> int:
    if any(amount > capacities[resource] for resource, amount in shares):
        return 0
    return min([connections, *(capacities[resource] // amount for resource, amount in uses)])


def decimal(number: float) -> Fraction:
    """Return the number that is printed for a float."""
    return Fraction(repr(float(number)))


def make(resources: Sequence[Resource], kinds: Sequence[Kind], hysteresis: Hysteresis) -> Problem:
    """Return the question in whole numbers; it was checked before."""
    kinds = sorted((kind for kind in kinds if kind.connections), key=lambda kind: kind.name)
    resources = sorted(resources, key=lambda resource: resource.name)
    numbers = {resource.name: number for number, resource in enumerate(resources)}
    capacities = tuple(resource.capacity for resource in resources)
    keyed = {(name, key): (numbers[name], amount) for k in kinds for o in k.options for name, key, amount in o.shared}
    shares = {key: number for number, key in enumerate(sorted(keyed))}
    amounts = tuple(keyed[key] for key in shares)
    penalty = decimal(hysteresis.penalty)
    costs = [[decimal(k.weight) * c for c in (*(decimal(o.cost) for o in k.options), penalty)] for k in kinds]
    ratios = [[*(_over(decimal(o.cost), k) for o in k.options), penalty and _over(penalty, k)] for k in kinds]
    sizes = [kind.connections + sum(kind.current.values()) for kind in kinds]
    scale = _scale(costs, sum((n * (max(c) + c[-1]) for n, c in zip(sizes, costs, strict=True)), Fraction()))
    slower = _scale(ratios, max((n * (max(r) + r[-1]) for n, r in zip(sizes, ratios, strict=True)), default=Fraction()))

    def column(kind: Kind, option: Option, cost: Fraction, ratio: Fraction) -> Column:
        uses = tuple((numbers[name], amount) for name, amount in option.uses if amount)
        own = tuple(sorted({shares[name, key] for name, key, _ in option.shared}))
        most = _most(kind.connections, uses, [amounts[share] for share in own], capacities)
        return Column(int(cost * scale), int(ratio * slower), uses, own, kind.current.get(option.name, 0), most)

    rows = [
        Row(
            kind.name,
            kind.connections,
            kind.priority,
            tuple(column(kind, *given) for given in zip(kind.options, cost[:-1], ratio[:-1], strict=True)),
            int(cost[-1] * scale),
            int(ratio[-1] * slower),
            _forced(kind),
        )
        for kind, cost, ratio in zip(kinds, costs, ratios, strict=True)
    ]
    return Problem(tuple(rows), tuple(numbers), capacities, amounts, 1 / scale, 1 / slower)


def _forced(kind: Kind) -> int:
    names = {option.name for option in kind.options}
    gone = sum(count for name, count in kind.current.items() if name not in names)
    return gone - max(0, sum(kind.current.values()) - kind.connections)


def _over(cost: Fraction, kind: Kind) -> Fraction:
    best = min((decimal(option.cost) for option in kind.options), default=Fraction())
    return cost / best if best else Fraction(1)


def _scale(values: Iterable[Iterable[Fraction]], largest: Fraction) -> Fraction:
    exact = Fraction(lcm(*(value.denominator for row in values for value in row)))
    if exact * largest <= ROOM:
        return exact
    times = ROOM / largest
    return Fraction(10) ** (len(str(int(times))) - 1 if times >= 1 else -len(str(int(1 / times))))
