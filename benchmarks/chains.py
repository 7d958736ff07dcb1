"""What merging and reordering are worth in this kernel, and whether the cost model knows.

Each chain as it is written, a program an op, one behind another by tail calls; all of them in one program, in the
written order; and as planned, in one program. Beside what is measured stands what a profile says that was calibrated
here, with none of these chains. First a request that passes all of a chain, again and again; then traffic of which as
much is dropped as the chain's workload says. Run it as root: `python benchmarks/chains.py [--profile here.toml]
[--json]`. Times are of this machine; what to compare are the ratios of one run, in which the programs of a chain take
turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from itertools import chain as joined
from itertools import product
from pathlib import Path
from statistics import geometric_mean, mean, median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import Factory, asdict, evolve, field, frozen
from chosen import catalogued, made
from feed import timed
from tried import Side

from bertha_ir.cost_models.base import DeviceView
from bertha_ir.cost_models.calibration import kernel, probes
from bertha_ir.cost_models.calibration.run import calibrate
from bertha_ir.cost_models.calibration.trial import graph_of
from bertha_ir.cost_models.calibration.written import toml
from bertha_ir.cost_models.profile import ProfileModel
from bertha_ir.cost_models.units import ByteCount
from bertha_ir.cost_models.work import measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chosen import Chain

    from bertha_ir.cost_models.base import Cost
    from bertha_ir.plan import Hook
    from bertha_ir.program import DeviceProgram

CALLING, LENGTHS = ("tag(ipv4.ecn, 0)", "count(by = ipv4.ttl)", "tag(Query.flags, 0)"), (2, 4, 8)
WAYS = ("written", "merged", "planned")
HOOKS: tuple[Hook, ...] = ("ingress", "egress")


@frozen
class Figures:
    """Nanoseconds a packet, without the kernel's own part of a test run: a program an op, all in one as written, and as
    planned.
    """

    written: float
    merged: float
    planned: float

    @property
    def ratio(self) -> float:
        """How many times as long it takes as written as planned."""
        return self.written / self.planned


@frozen
class Row:
    """A chain: what was measured and what the profile says of a request that passes, and of mixed traffic. `entry`:
    what it has the way into the hook take. `slower`: by which share the median round took longer than what is told.
    """

    name: str
    ops: tuple[str, ...]
    order: tuple[str, ...]
    passing: Figures
    said: Figures
    mixed: Figures
    said_mixed: Figures
    entry: float
    slower: float


@frozen
class Model:
    """A profile of this host, and what it has no word for: the call of the next program, by hook."""

    profile: str
    calls: dict[Hook, float] = Factory(dict)
    model: ProfileModel = field(factory=ProfileModel)

    def entry(self, hook: Hook, size: int) -> float:
        """Return what the way into a hook takes."""
        return _latency(self.model.entry_cost(self._view(hook), ByteCount(size)))

    def row(self, programs: Sequence[DeviceProgram], size: int) -> float:
        """Return what programs take, one behind another, without the way into the first."""
        hook = programs[0].hook
        view, own = self._view(hook), ByteCount(size)
        costs = (_latency(self.model.op_cost(measure(p), view, own)) for p in programs)
        return sum(costs) + self.calls.get(hook, 0.0) * (len(programs) - 1)

    def _view(self, hook: Hook) -> DeviceView:
        return DeviceView("kernel(h1)", "kernel", self.profile, hook=hook)

    def figures(self, chain: Chain, frames: Iterable[bytes]) -> Figures:
        """Return what frames take in the mean, each as far as it gets."""
        before, after = (Counter(map(side.ends_at, frames)) for side in (chain.written, chain.planned))
        sides: list[tuple[Side, Counter[int], bool]] = [
            (chain.written, before, True), (chain.written, before, False), (chain.planned, after, False)
        ]  # fmt: skip
        return Figures(*(self._mean(*side, len(chain.passing)) for side in sides))

    def _mean(self, side: Side, ends: Counter[int], apart: bool, size: int) -> float:  # noqa: FBT001  (of two ways)
        costs = {n: self.row(side.apart(n) if apart else side.whole(n), size) for n in ends}
        return sum(costs[n] * count for n, count in ends.items()) / ends.total()


def _latency(cost: Cost | None) -> float:
    if cost is None:
        msg = "the profile lacks a figure for what the kernel does here: `bertha calibrate` makes one that has all"
        raise LookupError(msg)
    return cost.latency.value


def with_calls(profile: str) -> Model:
    """Return the model with what a tail call takes: what rows of programs take longer than one program of the same ops,
    less what they parse and ask more. Where programs lie in memory matters, so it is the median of several rows.
    """
    plain = Model(profile)
    frame = probes.frame((probes.SOURCE, 1024), (probes.SERVICE, probes.PORT), bytes(256))
    calls: dict[Hook, float] = {}
    for hook in HOOKS:
        each = []
        for op, count in product(CALLING, LENGTHS):
            side = Side(*graph_of(" |> ".join([op] * count)), hook)
            rows = [side.apart(), side.whole()]
            apart, whole = timed(rows, hook, [frame])
            more = plain.row(rows[0], len(frame)) - plain.row(rows[1], len(frame))
            each.append((apart.ns - whole.ns - more) / (count - 1))
        calls[hook] = max(0.0, median(each))
    return evolve(plain, calls=calls)


def measured(chain: Chain, model: Model) -> Row:
    """Measure a chain."""
    rows = [chain.written.apart(), chain.written.whole(), chain.planned.whole()]
    passing, mixed = (timed(rows, chain.written.hook, frames) for frames in ([chain.passing], chain.mixed))
    return Row(
        chain.name,
        *(tuple(op.id.removesuffix(".packet") for op in side.ops) for side in (chain.written, chain.planned)),
        Figures(*(t.ns for t in passing)),
        model.figures(chain, [chain.passing]),
        Figures(*(t.ns for t in mixed)),
        model.figures(chain, chain.mixed),
        model.entry(chain.written.hook, len(chain.passing)),
        mean(t.slower / t.ns for t in (*passing, *mixed)),
    )


def errors(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return the mean error of the profile, without its sign, for each way to run chains: of what they take alone, and
    with the way into the hook, as `bertha cost-models --validate` tells it.
    """

    def off(row: Row, kind: str, way: str, entry: float) -> float:
        said, found = getattr(row, "said" if kind == "passing" else "said_mixed"), getattr(row, kind)
        return abs((getattr(said, way) + entry) / (getattr(found, way) + entry) - 1)

    return {
        f"{kind}{', with the hook' if whole else ''}": {
            way: mean(off(r, kind, way, r.entry if whole else 0.0) for r in rows) for way in WAYS
        }
        for kind in ("passing", "mixed")
        for whole in (False, True)
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", metavar="FILE", help="of this host, by `bertha calibrate` (default: measured now)")
    parser.add_argument("--json", action="store_true", help="all figures as JSON")
    parsed = parser.parse_args()
    if missing := kernel.missing():
        sys.exit(f"this process lacks {', '.join(missing)}")
    with TemporaryDirectory() as folder:
        profile = parsed.profile or str(Path(folder, "here.toml"))
        if not parsed.profile:
            text = toml(calibrate(quick=True, progress=lambda _: None).profile, "This host.")
            Path(profile).write_text(text, encoding="utf-8")
        model = with_calls(profile)
        rows = [measured(chain, model) for chain in joined(made(), catalogued())]
    if parsed.json:
        data = {"tail_call_ns": model.calls, "rows": [asdict(r) for r in rows], "mean_error": errors(rows)}
        print(json.dumps(data, indent=2))
        return
    _say(rows, model)


def _say(rows: list[Row], model: Model) -> None:
    calls = ", ".join(f"{ns:.1f} at {hook}" for hook, ns in model.calls.items())
    print("ns a packet, without the kernel's own part: measured (as the profile has it)")
    print(f"a tail call: {calls}\n")
    _table("a request that passes", [(r, r.passing, r.said) for r in rows])
    _table("traffic of the workload", [(r, r.mixed, r.said_mixed) for r in rows])
    for kind, by in errors(rows).items():
        print(f"mean error of the profile, {kind}: " + ", ".join(f"{way} {share:.1%}" for way, share in by.items()))
    print(f"told is the fastest quarter of the rounds; the median round took {mean(r.slower for r in rows):.1%} longer")


def _table(title: str, rows: list[tuple[Row, Figures, Figures]]) -> None:
    print(f"{title:26}{'ops':>7}{'written':>16}{'merged':>16}{'planned':>16}{'ratio':>7}")
    for row, found, said in rows:
        cells = "".join(f"{f'{getattr(found, w):.0f} ({getattr(said, w):.0f})':>16}" for w in WAYS)
        print(f"{row.name:26}{f'{len(row.ops)}, {len(row.order)}':>7}{cells}{found.ratio:7.2f}")
    print(f"as written takes {geometric_mean(f.ratio for _, f, _ in rows):.2f} times as long (geometric mean)\n")


if __name__ == "__main__":
    main()
