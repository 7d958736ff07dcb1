"""How long the search for order and placement takes to a proven optimum, and what it needs of memory.

Run it as `python benchmarks/search.py [--json]`. `tight`: each op must follow about six in ten of those before it;
`loose`: one in ten; `free`: none. Each question is put, in the same run, to the dynamic program, to CP-SAT, to z3's
optimizer and to trying everything, each as far as it ends within its limit: `-` where it does not. `find` is what a
compilation does: the first, and the second where the first does not end.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from bertha_ir.passes.search.dynamic import TooManyOrdersError, cheapest
from bertha_ir.passes.search.find import find
from bertha_ir.passes.search.problem import Always, Choice, Price, Problem, Task
from bertha_ir.passes.search.solver import by_solver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.passes.search.dynamic import Found

SIZES = (5, 10, 20, 40, 100)
STOPS = (3, 8)
ORDERS = {"tight": 0.6, "loose": 0.1, "free": 0.0}
TRIED_UP_TO = 5
LIMIT = 10.0  # seconds
RANK = 1e6  # more than all prices


class Row:
    """Stops in a row whose doors cost a little."""

    def leg(self, a: int, b: int, size: int) -> Price:
        """Return the price of a step."""
        return Price(abs(a - b) * (100.0 + size))

    def door(self, stop: int, *, path: bool) -> Price:
        """Return the price of a program's entry."""
        return Price(3.0 + stop) if path else Price()


def problem(rng: Random, count: int, share: float, stops: int) -> Problem:
    """Return so many ops, each of which can run at any stop, at a price of its own."""
    tasks = tuple(Task(frozenset(n for n in range(number) if rng.random() < share)) for number in range(count))
    choices = tuple(
        Choice((n,), stop=stop, rank=rng.randrange(2), price=Always(Price(round(rng.random() * 100, 2))))
        for n, stop in product(range(count), range(1, stops + 1))
    )
    return Problem(tasks, choices, Row(), stops + 1, 256)


def _objective(found: Found | None) -> float | None:
    return found.key[1] + RANK * found.key[0] if found else None


def compiled(asked: Problem) -> float | None:
    """Return the least objective as a compilation finds it: one engine, then the other."""
    result = find(asked, LIMIT)
    return None if result.note else _objective(result.found)


def dynamic(asked: Problem) -> float | None:
    """Return the least objective by the dynamic program."""
    try:
        return _objective(cheapest(asked))
    except TooManyOrdersError:
        return None


def solver(asked: Problem) -> float | None:
    """Return the least objective by CP-SAT, if it is proved."""
    answer = by_solver(asked, LIMIT)
    return _objective(answer.found) if answer and not answer.gap else None


def optimizer(asked: Problem) -> float | None:
    """Return the least objective by z3's optimizer."""
    import z3  # noqa: PLC0415  (only where it is measured)

    asking = z3.Optimize()
    asking.set("timeout", int(1000 * LIMIT))
    stops = [z3.Int(f"stop{n}") for n in range(len(asked.tasks))]
    costs: list[z3.ArithRef] = []
    for number, task in enumerate(asked.tasks):
        mine = [c for c in asked.choices if c.tasks == (number,)]
        asking.add(z3.Or([stops[number] == c.stop for c in mine]))
        asking.add(*(stops[before] <= stops[number] for before in task.after))
        costs += [z3.If(stops[number] == c.stop, _whole(c.price(0), c.rank), 0) for c in mine]
    for stop in range(1, asked.last):
        costs.append(z3.If(z3.Or([s == stop for s in stops]), _whole(asked.way.door(stop, path=True), 0), 0))
    asking.minimize(z3.Sum(costs))
    if asking.check() != z3.sat:
        return None
    total = asking.model().eval(z3.Sum(costs)).as_long() / 100
    return float(total + sum(asked.way.leg(a, a + 1, asked.size).latency for a in range(asked.last)))


def _whole(price: Price, rank: int) -> int:
    return round(100 * (price.latency + RANK * rank))


def tried(asked: Problem) -> float | None:
    """Return the least objective by trying every choice of stops that keeps the order."""
    return min(_all(asked), default=None) if len(asked.tasks) <= TRIED_UP_TO else None


def _all(asked: Problem) -> Iterator[float]:
    rows = [[c for c in asked.choices if c.tasks == (n,)] for n in range(len(asked.tasks))]
    fixed = sum(asked.way.leg(a, a + 1, asked.size).latency for a in range(asked.last))
    for chosen in product(*rows):
        if all(chosen[b].stop <= c.stop for c in chosen for b in asked.tasks[c.tasks[0]].after):
            doors = sum(asked.way.door(stop, path=True).latency for stop in {c.stop for c in chosen})
            yield fixed + doors + sum(c.price(0).latency + RANK * c.rank for c in chosen)


WAYS: dict[str, Callable[[Problem], float | None]] = {
    "find": compiled, "dynamic": dynamic, "cp-sat": solver, "z3": optimizer, "tried": tried
}  # fmt: skip


def measured(order: str, count: int, stops: int) -> dict[str, object]:
    """Return the seconds of each way, which must agree."""
    asked = problem(Random(count), count, ORDERS[order], stops)  # noqa: S311  (chance that can be repeated)
    row: dict[str, object] = {"order": order, "ops": count, "stops": stops}
    answers = set()
    for name, way in WAYS.items():
        began = time.perf_counter()
        answer = way(asked)
        row[name] = time.perf_counter() - began if answer is not None else None
        answers |= {round(answer, 2)} if answer is not None else set()
    if len(answers) > 1:
        msg = f"they disagree: {answers}"
        raise AssertionError(msg)
    row["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return row


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args()
    by_solver(problem(Random(0), 2, 0.0, 2))  # noqa: S311  (so that importing OR-tools is in no row)
    rows = [measured(order, count, stops) for order, count, stops in product(ORDERS, SIZES, STOPS)]
    if parsed.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(f"{'order':6} {'ops':>4} {'stops':>5} " + " ".join(f"{name:>11}" for name in WAYS) + "     memory")
    for row in rows:
        times = (f"{1e3 * row[n]:8.1f} ms" if isinstance(row[n], float) else f"{'-':>11}" for n in WAYS)
        print(f"{row['order']:6} {row['ops']:4} {row['stops']:5} {' '.join(times)} {row['megabytes']:7} MB")


if __name__ == "__main__":
    main()
