"""Random questions for the scheduler, and what trying every schedule answers."""

from fractions import Fraction
from itertools import product
from random import Random

from attrs import frozen

from bertha_ir.passes.schedule import Hysteresis, Kind, Option, Resource

Counts = tuple[tuple[int, ...], ...]


@frozen
class Question:
    resources: tuple[Resource, ...]
    kinds: tuple[Kind, ...]
    hysteresis: Hysteresis


def question(rng: Random, kinds=3, connections=4, options=3, capacity=12) -> Question:
    """A question of at most so many kinds; costs, weights and penalties are decimals that are often equal."""
    resources = tuple(Resource(f"r{n}", rng.randrange(capacity + 1)) for n in range(rng.randint(1, 3)))
    amounts = {(r.name, key): rng.randrange(4) for r in resources for key in "ab"}

    def option(name: str) -> Option:
        uses = tuple((r.name, rng.randint(1, 3)) for r in resources if rng.random() < 0.5)
        shared = tuple((*key, amount) for key, amount in amounts.items() if rng.random() < 0.15)
        free = rng.random() < 0.25
        return Option(name, rng.choice([1, 2, 3, 5, 0.5, 4.5, 9, 0.1]), () if free else uses, () if free else shared)

    def kind(name: str) -> Kind:
        own = tuple(option(f"o{n}") for n in range(rng.randint(1, options)))
        named = [*(o.name for o in own), "gone"]
        current = {n: rng.randrange(connections) for n in named if rng.random() < 0.5} if rng.random() < 0.7 else {}
        return Kind(name, rng.randint(0, connections), own, rng.choice([1, 1, 2, 0.5]), rng.randrange(3), current)

    hysteresis = Hysteresis(rng.choice([0, 0, 0.5, 3]), rng.choice([0, 0, 0.1, 0.5]), rng.choice([0, 0, 0.3, 2, 6]))
    return Question(resources, tuple(kind(f"k{n}") for n in range(rng.randint(1, kinds))), hysteresis)


def exact(number: float) -> Fraction:
    return Fraction(str(number))


def splits(connections: int, options: int) -> list[tuple[int, ...]]:
    if not options:
        return [()] if not connections else []
    return [(n, *rest) for n in range(connections + 1) for rest in splits(connections - n, options - 1)]


def holds(resources: tuple[Resource, ...], kinds: tuple[Kind, ...], counts: Counts) -> bool:
    left = {resource.name: resource.capacity for resource in resources}
    paid = set()
    for kind, own in zip(kinds, counts, strict=True):
        for option, count in zip(kind.options, own, strict=True):
            for name, amount in option.uses:
                left[name] -= count * amount
            paid |= set(option.shared) if count else set()
    for name, _, amount in paid:
        left[name] -= amount
    return min(left.values()) >= 0


def possible(resources: tuple[Resource, ...], kinds: tuple[Kind, ...]) -> list[Counts]:
    """Every schedule that fits."""
    every = product(*(splits(kind.connections, len(kind.options)) for kind in kinds))
    return [counts for counts in every if holds(resources, kinds, counts)]


def moved(kind: Kind, own: tuple[int, ...]) -> int:
    """Connections that go to another option: no more than leave one, and no more than come to one."""
    after = dict(zip((o.name for o in kind.options), own, strict=True))
    names = {*after, *kind.current}
    changes = [after.get(n, 0) - kind.current.get(n, 0) for n in names]
    return min(sum(c for c in changes if c > 0), -sum(c for c in changes if c < 0))


def _full(kind: Kind, own: tuple[int, ...], penalty: float) -> Fraction:
    cost = sum((n * exact(o.cost) for n, o in zip(own, kind.options, strict=True)), Fraction())
    return cost + exact(penalty) * moved(kind, own)


def vector(asked: Question, objective: str, counts: Counts) -> list[Fraction]:
    """What an objective makes least, penalties included."""
    pairs = list(zip(asked.kinds, counts, strict=True))
    full = [(kind, _full(kind, own, asked.hysteresis.penalty)) for kind, own in pairs if kind.connections]
    total = sum((exact(kind.weight) * cost for kind, cost in full), Fraction())
    if objective == "weighted":
        return [total]
    if objective == "priority":
        levels = sorted({kind.priority for kind, _ in full}, reverse=True)
        return [sum(exact(k.weight) * c for k, c in full if k.priority == level) for level in levels]
    best = {k.name: min(exact(o.cost) for o in k.options) * k.connections for k, _ in full}
    return [*sorted((cost / best[k.name] for k, cost in full), reverse=True), total]


def all_moved(asked: Question, counts: Counts) -> int:
    return sum(moved(kind, own) for kind, own in zip(asked.kinds, counts, strict=True) if kind.connections)


def tried(asked: Question, objective: str) -> tuple[list[Fraction], int] | None:
    """What the best schedule comes to, and how many connections it moves, hysteresis heeded; None when none fits."""
    every = [
        (vector(asked, objective, counts), all_moved(asked, counts))
        for counts in possible(asked.resources, asked.kinds)
    ]
    if not every:
        return None
    best, still = min(every), min(every, key=lambda pair: (pair[1], pair[0]))
    without, by_moving = next(((s, b) for s, b in zip(still[0], best[0], strict=True) if s != b), (0, 0))
    threshold = max(exact(asked.hysteresis.absolute), exact(asked.hysteresis.relative) * without)
    return best if without - by_moving >= threshold and best[0] != still[0] else still
