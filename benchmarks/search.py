"""How long the search for order and placement takes, by number of ops, looseness of their order and number of stops.

Run it as `python benchmarks/search.py [--json]`. `tight`: each op must follow about six in ten of those before it;
`loose`: one in ten. Beside it: trying every order and every choice of stops, as far as that ends, in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import permutations, product
from random import Random

from bertha_ir.passes.search import Choice, Step, Task, TooManyOrdersError, cheapest

SIZES = (2, 4, 6, 8, 12, 20, 40)
TRIED_UP_TO = 5
LOOSENESS = {"tight": 0.6, "loose": 0.1}


def problem(rng: Random, count: int, share: float, stops: int) -> list[Task]:
    """Return so many ops, each of which can run at any stop."""
    return [
        Task(
            tuple(Choice(stop, rng.randrange(2), rng.random()) for stop in range(1, stops + 1)),
            frozenset(n for n in range(number) if rng.random() < share),
            pins=False,
        )
        for number in range(count)
    ]


def seconds(tasks: list[Task]) -> float | None:
    """Return the time to the optimum; None when there are too many orders."""
    began = time.perf_counter()
    try:
        cheapest(tasks)
    except TooManyOrdersError:
        return None
    return time.perf_counter() - began


def tried(tasks: list[Task]) -> float:
    """Return the time to try everything."""
    began = time.perf_counter()
    for order in permutations(range(len(tasks))):
        for chosen in product(*(tasks[n].choices for n in order)):
            allowed(tuple(map(Step, order, chosen)), tasks)
    return time.perf_counter() - began


def allowed(steps: tuple[Step, ...], tasks: list[Task]) -> float | None:
    """Return the latency of an order with its stops; None when it breaks one that must be kept."""
    done: set[int] = set()
    at, latency = 0, 0.0
    for step in steps:
        if not tasks[step.task].after <= done or step.choice.stop < at:
            return None
        done.add(step.task)
        at, latency = step.choice.stop, latency + step.choice.latency
    return latency


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args()
    rows = []
    for (name, share), count, stops in product(LOOSENESS.items(), SIZES, (3, 8)):
        tasks = problem(Random(count), count, share, stops)  # noqa: S311  (chance that can be repeated)
        brute = tried(tasks) if count <= TRIED_UP_TO and stops == 3 else None  # noqa: PLR2004  (the smaller of the two)
        rows.append({"order": name, "ops": count, "stops": stops, "seconds": seconds(tasks), "tried_seconds": brute})
    if parsed.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    for row in rows:
        took = "too many orders" if row["seconds"] is None else f"{1e3 * row['seconds']:.2f} ms"
        brute = "" if row["tried_seconds"] is None else f", trying everything {1e3 * row['tried_seconds']:.2f} ms"
        print(f"{row['order']}, {row['ops']} ops, {row['stops']} stops: {took}{brute}")


if __name__ == "__main__":
    main()
