"""How long proofs take: each question of the library's matrix, anew and remembered, and how it grows with the body.

Run it as `python benchmarks/proofs.py [--json]`. Times are of this machine; what to compare are the ratios of one run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bertha_ir.frontend.load import load_uses
from bertha_ir.frontend.uses import library_uses
from bertha_ir.passes.smt.cache import Cache
from bertha_ir.passes.smt.matrix import matrix
from bertha_ir.passes.smt.obligations import Prover

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.passes.smt.answer import Answer
    from bertha_ir.passes.smt.question import Question

STEPS = (1, 2, 4, 8, 16, 32)


class Timed:
    """A solver that notes how long each answer took, in milliseconds."""

    def __init__(self, cache: Cache) -> None:
        """Answer through a cache."""
        self.cache, self.times, self.unknown = cache, [], 0

    def __call__(self, kind: str, question: Question, ask_now: Callable[[], Answer]) -> Answer:
        """Answer, and note the time."""
        began = time.perf_counter()
        answer = self.cache(kind, question, ask_now)
        self.times.append(1e3 * (time.perf_counter() - began))
        self.unknown += answer.status == "unknown"
        return answer


def whole_matrix(folder: Path) -> dict[str, float]:
    """Settle every pair of the library once, and return what it took."""
    began = time.perf_counter()
    specification, chains = load_uses([], library_uses())
    timed = Timed(Cache(folder))
    names = [str(number) for number in range(len(chains))]
    pairs = matrix(Prover(specification, solver=timed), dict(zip(names, chains, strict=True)), lambda *_: None)
    return {
        "pairs": len(pairs),
        "questions": len(timed.times),
        "unknown": timed.unknown,
        "seconds": time.perf_counter() - began,
        "median_ms": median(timed.times),
        "p95_ms": quantiles(timed.times, n=20)[-1],
    }


def growth(folder: Path, steps: int) -> float:
    """Return the milliseconds for two filters of so many conditions each, which may trade places."""
    file = folder / "filter.chunnel"
    conditions = " ".join(
        f"if m.ipv4.identification == {n} {{ drop; }} if m.dns.id == {n} {{ m.ipv4.ttl = 7; }}" for n in range(steps)
    )
    other = " ".join(f"if m.dst.port == {n} {{ m.dst = 10.0.0.1:9000; }}" for n in range(1, steps + 1))
    bodies = {"one": conditions, "two": other}
    file.write_text("\n".join(f"chunnel {name}() {{ on packet(m) {{ {body} }} }}" for name, body in bodies.items()))
    specification, (one, two) = load_uses([file], ["one", "two"])
    began = time.perf_counter()
    Prover(specification).commute(one, two, "wire")
    return 1e3 * (time.perf_counter() - began)


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        anew, remembered = (whole_matrix(Path(folder, "answers")) for _ in range(2))
        grown = {steps: growth(Path(folder), steps) for steps in STEPS}
    if parsed.json:
        json.dump({"anew": anew, "remembered": remembered, "ms_by_conditions": grown}, sys.stdout, indent=2)
        return
    for name, found in (("anew", anew), ("remembered", remembered)):
        print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in found.items()))
    print("ms by conditions in each body: " + ", ".join(f"{steps}: {ms:.1f}" for steps, ms in grown.items()))


if __name__ == "__main__":
    main()
