"""How long a whole compilation takes, from files to an artifact folder: cold, in a process of its own without any proof
remembered, and warm, with all of them.

Run it as `python benchmarks/compile.py [--json] [--runs N]`. The least of several runs is given; what to compare are
the ratios to the first row of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

EXAMPLES = Path(__file__).parents[1] / "examples"
COMMAND = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"


def seconds(folder: Path, cache: Path, out: Path) -> float:
    """Return how long one compilation of an example's folder takes."""
    files = [str(path) for path in sorted(folder.glob("*.chunnel"))]
    began = time.perf_counter()
    subprocess.run(  # noqa: S603  (our own command)
        [sys.executable, "-c", COMMAND, "compile", *files, "-o", str(out)],
        env={**os.environ, "BERTHA_CACHE": str(cache)}, check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - began


def measured(folder: Path, runs: int) -> dict[str, object]:
    """Return the least time without and with remembered proofs."""
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        cold = min(seconds(folder, place / f"cache{n}", place / "out") for n in range(runs))
        warm = min(seconds(folder, place / "cache0", place / "out") for _ in range(runs))
    return {"example": folder.name, "cold_seconds": cold, "warm_seconds": warm}


def main() -> None:
    """Measure every example, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the least counts (default: 3)")
    parsed = parser.parse_args()
    folders = sorted(path.parent for path in EXAMPLES.glob("*/site.chunnel"))
    folders += sorted(path.parent for path in EXAMPLES.glob("catalogue/*/site.chunnel"))
    rows = [measured(folder, parsed.runs) for folder in folders]
    if parsed.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    first = rows[0]["cold_seconds"]
    for row in rows:
        cold, warm = row["cold_seconds"], row["warm_seconds"]
        print(f"{row['example']:20} cold {cold:6.2f} s ({cold / first:4.2f}), warm {warm:6.2f} s ({warm / first:4.2f})")


if __name__ == "__main__":
    main()
