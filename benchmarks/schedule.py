"""How long a schedule takes, and how much memory, by the number of connections, of kinds, and by what is made least.

Run it as `python benchmarks/schedule.py [--json]`. Each question is answered in a process of its own, whose peak memory
is the most that it ever held, OR-tools included. What to compare are the ratios to the first row of one run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from random import Random

from bertha_ir.passes.schedule import Hysteresis, Kind, Option, Resource, solve

CONNECTIONS = (10, 100, 1_000, 10_000)
KINDS = (5, 10, 20, 40)
OBJECTIVES = ("weighted", "priority", "max-min")


def question(connections: int, kinds: int) -> tuple[list[Resource], list[Kind]]:
    """Return kinds that share six resources, which hold some of what they want; half of them run already."""
    rng = Random(kinds)  # noqa: S311  (chance that can be repeated)
    resources = [Resource(f"r{n}", max(12, int(connections * rng.uniform(0.1, 1.2)))) for n in range(6)]
    tables = [(r.name, key, 1 + r.capacity // 8) for r in resources for key in "ab"]
    sizes = [connections // kinds + (number < connections % kinds) for number in range(kinds)]

    def kind(number: int) -> Kind:
        slow = round(rng.uniform(2_000, 20_000), 2)
        fast = [
            Option(
                f"o{n}",
                round(slow * rng.uniform(0.1, 0.9), 2),
                tuple((r.name, rng.randint(1, 12)) for r in rng.sample(resources, 2)),
                (rng.choice(tables),) if rng.random() < 0.5 else (),  # noqa: PLR2004  (one in two)
            )
            for n in range(3)
        ]
        options = (*fast, Option("software", slow))
        current = {"software": sizes[number] // 2}
        return Kind(f"k{number}", sizes[number], options, rng.choice([1, 2, 5]), rng.randrange(3), current)

    return resources, [kind(number) for number in range(kinds)]


def one(connections: int, kinds: int, objective: str) -> dict[str, object]:
    """Answer one question in this process, and return what it took."""
    resources, asked = question(connections, kinds)
    began = time.perf_counter()
    answer = solve(
        resources, asked, objective=objective, engine="cp-sat", hysteresis=Hysteresis(penalty=5, relative=0.01)
    )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak, "optimal": answer.optimal, "gap": answer.gap}


def measured(connections: int, kinds: int, objective: str) -> dict[str, object]:
    """Answer one question in a fresh process."""
    command = [sys.executable, __file__, "--one", str(connections), str(kinds), objective]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  (this very script)
    took = json.loads(ran.stdout)
    return {"objective": objective, "connections": connections, "kinds": kinds, **took}


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--one", nargs=3, metavar=("CONNECTIONS", "KINDS", "OBJECTIVE"), help="answer one question")
    parsed = parser.parse_args()
    if parsed.one:
        json.dump(one(int(parsed.one[0]), int(parsed.one[1]), parsed.one[2]), sys.stdout)
        return
    rows = []
    for objective in OBJECTIVES:
        sizes = [*((n, 20) for n in CONNECTIONS), *((CONNECTIONS[-1], kinds) for kinds in KINDS)]
        for connections, kinds in dict.fromkeys(sizes):
            rows.append(measured(connections, kinds, objective))
            first = next(row for row in rows if row["objective"] == objective)
            rows[-1] |= {f"{name}_ratio": rows[-1][name] / first[name] for name in ("seconds", "peak_mib")}
    if parsed.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    for row in rows:
        print(
            "{objective}, {connections} connections of {kinds} kinds: {seconds:.2f} s (x{seconds_ratio:.1f}), "
            "{peak_mib:.0f} MiB (x{peak_mib_ratio:.2f}), gap {gap:.1g}, optimal {optimal}".format(**row)
        )


if __name__ == "__main__":
    main()
