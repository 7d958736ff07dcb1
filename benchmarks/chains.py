"""What merging and reordering are worth in this kernel, and whether the cost model knows.

Each chain as it is written, a program an op, one behind another by tail calls; all of them in one program, in the
written order; and in the order of its plan. Beside what is measured stands what a profile says that was calibrated
here, with none of these chains. Run it as root: `python benchmarks/chains.py [--profile here.toml] [--json]`. Times are
of this machine; what to compare are the ratios of one run, in which the programs of a chain take turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import geometric_mean, mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import asdict, evolve, field, frozen

from bertha_ir import api
from bertha_ir.backends.ebpf.row import emit_row
from bertha_ir.backends.names import mangle
from bertha_ir.cost_models.base import DeviceView
from bertha_ir.cost_models.calibration import kernel, probes
from bertha_ir.cost_models.calibration.run import calibrate
from bertha_ir.cost_models.calibration.trial import MESSAGE, SITE, graph_of, steady_frame
from bertha_ir.cost_models.calibration.written import toml
from bertha_ir.cost_models.profile import ProfileModel
from bertha_ir.cost_models.units import ByteCount
from bertha_ir.cost_models.work import measure
from bertha_ir.passes.lowering.program import apart, frame_part, merge
from bertha_ir.runtime import ebpf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertha_ir.program import DeviceProgram
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph, Op

ROUNDS, REPEAT = 15, 50_000
EMPTY = 9  # programs in the row by which a tail call is measured
LIMIT = "limit(rate = 1000000000, burst = 1000000, by = {})"
DENY = "firewall(deny = [{}.0.0.0/8, 192.168.0.0/16])"
PARTS = (
    "count(by = ipv4.dscp)", DENY.format(20), "tag(Query.kind, 7)", LIMIT.format("ipv4.src"),
    DENY.format(30), "count(by = Query.word)", "fault(per_mille = 0)", "tag(ipv4.dscp, 0)",
)  # fmt: skip
REAL = {
    "access log": "count(by = ipv4.src) |> firewall(deny = [192.0.2.0/24, 198.51.100.0/24])",
    "admission": f"count(by = Query.kind) |> firewall(deny = [192.0.2.0/24]) |> {LIMIT.format('ipv4.src')}",
    "scrubber": f"firewall(deny = [192.0.2.0/24, 224.0.0.0/3]) |> {LIMIT.format('ipv4.src')} |> count(by = ipv4.src)",
    "tenants": f"count(by = Query.word) |> {LIMIT.format('Query.word')} |> tag(ipv4.dscp, 0)",
    "drill": "fault(per_mille = 0) |> count(by = Query.kind) |> tag(Query.kind, 7)",
}
# What is last drops the frame that is measured: where it may come first, all the rest is spared.
DROPS = {
    "early drop": f"tag(Query.kind, 7) |> tag(ipv4.dscp, 0) |> {DENY.format(40)} |> firewall(deny = [10.0.0.0/8])",
    "early drop, state kept": "tag(Query.kind, 7) |> count(by = ipv4.dscp) |> firewall(deny = [10.0.0.0/8])",
}
WORKLOAD = "workload app.request { size 256; firewall drops 90 %; }"


@frozen
class Figures:
    """Nanoseconds a packet, without the kernel's own part of a test run."""

    written: float
    merged: float
    planned: float


@frozen
class Row:
    """A chain: what was measured, and what the profile says."""

    name: str
    ops: int
    order: tuple[str, ...]
    measured: Figures
    predicted: Figures


def planned(chain: str) -> tuple[str, ...]:
    """Return the ops of a chain in the order that the compiler gives them in one kernel."""
    request = f"serialize(Query) |> {chain}" if "Query." in chain else chain
    names = dict.fromkeys(part.partition("(")[0].strip() for part in chain.split("|>"))
    policy = " ".join(f"prefer {name} on [kernel(h1)];" for name in names)
    stack = f"stack app(client, server) {{ request: {request} |> udp(4242); response: udp(4242); }}"
    workload = WORKLOAD if "firewall" in names else ""
    with TemporaryDirectory() as folder:
        path = Path(folder, "app.chunnel")
        path.write_text(f"{MESSAGE}\n{stack}\n{SITE}\npolicy {{ {policy} }}\n{workload}", encoding="utf-8")
        (plan,) = api.build([path], pipeline="select,expand,canonicalize,undo,place").plans
    return tuple(
        op for order in plan.orders if order.direction == "request" for op in order.ops if op.endswith(".packet")
    )


@contextmanager
def linked(programs: Sequence[DeviceProgram]) -> Iterator[ebpf.Object]:
    """Load programs, one behind another; the first is the one to run."""
    with TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        for file, text in emit_row(programs).items():
            (folder / file).write_text(text, encoding="utf-8")
        found = []
        for program in (mangle(p.name) for p in programs):
            built = ebpf.build(folder / f"{program}.bpf.c", folder)
            found.append(opened.enter_context(ebpf.Object(built, folder / f"{program}.maps.json")))
        for one, other in pairwise(found):
            one.go_on_to(other)
        yield found[0]


def timed(rows: Sequence[Sequence[DeviceProgram]], frame: bytes) -> list[float]:
    """Return what each row of programs takes for a frame, the least of many rounds in which they take turns."""
    with ExitStack() as opened:
        loaded = [opened.enter_context(linked(programs)) for programs in rows]
        rounds = [[one.run(frame, REPEAT)[2] for one in loaded] for _ in range(ROUNDS)]
    return [min(column) + kernel.TRUNCATED for column in zip(*rounds, strict=True)]


def empty(number: int) -> DeviceProgram:
    """A program that takes the frames of the service and does nothing to them."""
    specification, graph, ops = graph_of("tag(ipv4.dscp, 0)")
    nothing = tuple(evolve(op, body=()) for op in ops)
    return merge(f"empty_{number}", "h1", "ingress", [frame_part(specification, graph, nothing)])


@frozen
class Model:
    """A profile of this host, and what it has no word for: the call of the next program."""

    profile: str
    call: float
    model: ProfileModel = field(factory=ProfileModel)

    def op(self, program: DeviceProgram, size: int) -> float:
        """Return what a program takes, without the way into it."""
        cost = self.model.op_cost(measure(program), self._view(), ByteCount(size))
        assert cost is not None  # noqa: S101  INVARIANT: calibration measures whatever a kernel program does
        return cost.latency.value

    def entry(self, size: int) -> float:
        """Return what the way into a program takes."""
        cost = self.model.entry_cost(self._view(), ByteCount(size))
        assert cost is not None  # noqa: S101  INVARIANT: as above
        return cost.latency.value

    def row(self, programs: Sequence[DeviceProgram], size: int) -> float:
        """Return what programs take, one behind another."""
        return self.entry(size) + sum(self.op(p, size) for p in programs) + self.call * (len(programs) - 1)

    def _view(self) -> DeviceView:
        return DeviceView("kernel(h1)", "kernel", self.profile, hook="ingress")


def called(profile: str, frame: bytes) -> Model:
    """Return the model with what a tail call takes: that of a row of programs that do nothing, less what they parse."""
    row = [empty(n) for n in range(EMPTY)]
    alone, together = timed([row[:1], row], frame)
    plain = Model(profile, 0.0)
    return evolve(plain, call=(together - alone) / (EMPTY - 1) - plain.op(row[0], len(frame)))


def measured(name: str, chain: str, model: Model) -> Row:
    """Measure a chain."""
    specification, graph, ops = graph_of(chain)
    order = planned(chain)
    better = tuple(graph.op(op) for op in order)
    rows = [
        apart(specification, graph, ops, "h1", "ingress"),
        *((_whole(specification, graph, o),) for o in (ops, better)),
    ]
    frame = steady_frame(rows[1][0])
    base = model.entry(len(frame))
    times = [time - base for time in timed(rows, frame)]
    said = [model.row(row, len(frame)) - base for row in rows]
    return Row(name, len(ops), order, Figures(*times), Figures(*said))


def _whole(specification: Specification, graph: Graph, ops: tuple[Op, ...]) -> DeviceProgram:
    return merge("app", "h1", "ingress", [frame_part(specification, graph, ops)])


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
        frame = probes.frame((probes.SOURCE, 1024), (probes.SERVICE, probes.PORT), bytes(256))
        model = called(profile, frame)
        made = {f"{n} chunnels": " |> ".join((PARTS * 2)[:n]) for n in (2, 4, 8, 16)}
        rows = [measured(name, chain, model) for name, chain in {**made, **REAL, **DROPS}.items()]
    _say(rows, model, as_json=parsed.json)


def _say(rows: list[Row], model: Model, *, as_json: bool) -> None:
    errors = {
        of: mean(abs(getattr(r.predicted, of) / getattr(r.measured, of) - 1) for r in rows if "drop" not in r.name)
        for of in ("written", "merged", "planned")
    }
    ratio = geometric_mean(r.measured.written / r.measured.planned for r in rows)
    if as_json:
        data = {"tail_call_ns": model.call, "rows": [asdict(r) for r in rows], "mean_error": errors, "ratio": ratio}
        print(json.dumps(data, indent=2))
        return
    print(f"a tail call: {model.call:.1f} ns; ns a packet, without the kernel's own part:\n")
    print(f"{'chain':24}{'ops':>4}{'written':>9}{'merged':>9}{'planned':>9}{'ratio':>7}   the profile says")
    for r in rows:
        m, p = r.measured, r.predicted
        figures = f"{m.written:9.1f}{m.merged:9.1f}{m.planned:9.1f}{m.written / m.planned:7.2f}"
        print(f"{r.name:24}{r.ops:4}{figures}   {p.written:9.1f}{p.merged:9.1f}{p.planned:9.1f}")
    print(f"\nas written takes {ratio:.2f} times as long as planned (geometric mean)")
    print(
        "mean error of the profile, without the chains that drop: "
        + ", ".join(f"{k} {e:.1%}" for k, e in errors.items())
    )


if __name__ == "__main__":
    main()
