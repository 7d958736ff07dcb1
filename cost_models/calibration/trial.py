"""Compares what a profile says of the library's chunnels with what they take on this host.

None of these chains is among what a profile is calibrated with: those programs are made by hand, these by the compiler.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from bertha_ir import api
from bertha_ir.cost_models.base import DeviceView
from bertha_ir.cost_models.calibration import kernel, probes, process
from bertha_ir.cost_models.profile import ProfileModel
from bertha_ir.cost_models.units import ByteCount
from bertha_ir.cost_models.work import measure
from bertha_ir.passes.lowering.program import datagram_program, frame_part, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.plan import Hook
    from bertha_ir.program import DeviceProgram
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph, Op

SITE = """
device h1: host { address 10.0.0.1; }
device c1: host { address 10.0.0.9; }
link c1 <-> h1 ethernet { rate 10 Gbit/s; }
run app.server on h1;
run app.client on c1;
"""
MESSAGE = """
message Query over udp { kind: u8; flags: u8; word: u16; wide: u64; rest: bytes; }
endpoint own = 10.0.0.1:4242;
endpoint other = 10.0.0.1:4243;
endpoint third = 10.0.0.1:4244;
"""
NEAR = ", ".join(f"10.{i}.0.0/16" for i in range(32))
PREFIXES = "[172.16.0.0/12, 192.168.0.0/16, 10.0.0.0/24]"
FIREWALL, ALLOW = f"firewall(deny = {PREFIXES})", f"allow(sources = {PREFIXES})"
LIMIT = "limit(rate = 1000000000, burst = 1000000, by = ipv4.src)"
SHARD = "shard(key = Query.wide, shards = [own, other, third])"
BALANCE = "load_balance(by = Query.wide, backends = [own, other, third])"
STEER = "steer(by = Query.kind, ranges = [0..6 -> other, 7..9 -> own], otherwise = third)"
NAT = "nat(outside = 10.0.0.9)"
CHAINS = (
    "tag(ipv4.dscp, 0)",
    "tag(Query.kind, 7)",
    FIREWALL,
    f"firewall(deny = [{NEAR}])",
    ALLOW,
    "fault(per_mille = 0)",
    "count(by = ipv4.dscp)",
    "count(by = Query.wide)",
    LIMIT,
    SHARD,
    BALANCE,
    STEER,
    "rewrite(old = own, new = own)",
    NAT,
    f"{ALLOW} |> count(by = ipv4.dscp)",
    "count(by = ipv4.dscp) |> count(by = ipv4.src)",
    f"{ALLOW} |> {LIMIT} |> {SHARD}",
    f"count(by = Query.kind) |> tag(Query.kind, 7) |> {STEER}",
    f"fault(per_mille = 0) |> {LIMIT} |> count(by = ipv4.src)",
)
IN_PROCESS = (
    "count(by = Query.wide)",
    "tag(Query.kind, 7)",
    "fault(per_mille = 0)",
    FIREWALL,
    SHARD,
    BALANCE,
    STEER,
    "limit(rate = 1000000000, burst = 1000000, by = Query.wide)",
    NAT,
    f"{ALLOW} |> count(by = Query.kind)",
    f"count(by = Query.kind) |> {SHARD}",
)
SOURCE, SERVICE = (probes.SOURCE, 1024), (probes.SERVICE, probes.PORT)
TRIED = 64  # keys, of which one leads back to the service itself


@frozen
class Trial:
    """One chain at one hook: what the profile says and what was measured, in nanoseconds."""

    chain: str
    hook: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """The prediction's relative error: 0.05 is 5 % too much."""
        return self.predicted / self.measured - 1


@frozen
class Summary:
    """The mean and the worst of the errors, without their signs."""

    mean: float
    worst: float


def summary(trials: tuple[Trial, ...]) -> Summary:
    """Return the summary of some trials, at least one."""
    errors = [abs(t.error) for t in trials]
    return Summary(mean(errors), max(errors))


@frozen
class Result:
    """All trials, and what could not be tried, one sentence each."""

    trials: tuple[Trial, ...]
    notes: tuple[str, ...]


def steps() -> int:
    """Return how many times `validate` says what it does."""
    return len(IN_PROCESS) + (0 if kernel.missing() else 2 * len(CHAINS))


def validate(profile: str, *, quick: bool, progress: Callable[[str], None]) -> Result:
    """Try a profile, by its name or path, on this host."""
    model = ProfileModel()
    notes: list[str] = []
    trials: list[Trial] = []
    if missing := kernel.missing():
        notes.append(f"the kernel's hooks are not tried: this process lacks {', '.join(missing)}")
    else:
        effort = kernel.QUICK if quick else kernel.FULL
        hooks: tuple[Literal["ingress", "egress"], ...] = ("ingress", "egress")
        for hook in hooks:
            view = DeviceView("kernel(h1)", "kernel", profile, hook=hook)
            for chain in CHAINS:
                progress(f"{chain.partition('(')[0]} at {hook}")
                program = compiled(chain, hook)
                frame = steady_frame(program)
                predicted = _predicted(model, program, view, len(frame), entry=True)
                _add(trials, notes, Trial(chain, hook, predicted or 0.0, kernel.time_of(program, frame, effort)))
    view = DeviceView("h1", "host", profile, hook="process")
    for chain in IN_PROCESS:
        progress(f"{chain.partition('(')[0]} in a process")
        program, content = compiled(chain, "process"), _content(0)
        predicted = _predicted(model, program, view, len(content), entry=False)
        _add(trials, notes, Trial(chain, "process", predicted or 0.0, _process_time(program, content, quick=quick)))
    return Result(tuple(trials), tuple(dict.fromkeys(notes)))


def _add(trials: list[Trial], notes: list[str], trial: Trial) -> None:
    """Keep a trial, or note that the profile is silent."""
    if trial.predicted:
        trials.append(trial)
    else:
        notes.append(f"the profile lacks figures for `{trial.chain}` at {trial.hook}")


def _predicted(
    model: ProfileModel, program: DeviceProgram, view: DeviceView, size: int, *, entry: bool
) -> float | None:  # fmt: skip
    cost, way_in = model.op_cost(measure(program), view, ByteCount(size)), model.entry_cost(view, ByteCount(size))
    if cost is None or way_in is None:
        return None
    return cost.latency.value + (way_in.latency.value if entry else 0.0)


def compiled(chain: str, hook: Hook, declared: str = "") -> DeviceProgram:
    """Return the program that a chain comes to at a hook, all of its ops fused, wherever a plan would put them.
    `declared`: what the chain is made of, beside the library.
    """
    specification, graph, ops = graph_of(chain, declared)
    if hook == "process":
        return datagram_program(specification, graph, ops, "h1")
    return merge("app", "h1", hook, [frame_part(specification, graph, ops)])


def graph_of(chain: str, declared: str = "") -> tuple[Specification, Graph, tuple[Op, ...]]:
    """Return the requests' direction of a stack with a chain above UDP, and the chain's ops of the path."""
    request = f"serialize(Query) |> {chain}" if "Query." in chain else chain
    stack = f"stack app(client, server) {{ request: {request} |> udp(4242); response: udp(4242); }}"
    with TemporaryDirectory(prefix="bertha-") as folder:
        path = Path(folder, "app.chunnel")
        path.write_text(f"{MESSAGE}\n{declared}\n{stack}\n{SITE}", encoding="utf-8")
        built = api.build([path], pipeline="expand,canonicalize,undo")
    graph = next(g for g in built.graphs if g.direction == "request")
    return built.specification, graph, tuple(op for op in graph.chain() if op.event == "packet")


def _content(key: int) -> bytes:
    return bytes([7, 0, 0, 1]) + key.to_bytes(8, "big") + bytes(244)


def steady_frame(program: DeviceProgram) -> bytes:
    """Return a frame that the program drops or leaves as it is: run again and again, it goes the same way."""
    frames: Iterator[bytes] = (probes.frame(SOURCE, SERVICE, _content(key)) for key in range(TRIED))
    first = next(frames)
    if kernel.steady(program, first):
        return first
    return next((frame for frame in frames if kernel.steady(program, frame)), first)


def _process_time(program: DeviceProgram, content: bytes, *, quick: bool) -> float:
    """Return what a program takes in a process, without the call itself, which is part of the way in."""
    effort = process.QUICK if quick else process.FULL
    run, empty = process.module_of(program).run, process.module_of(next(probes.on_datagrams()).program).run
    times = [process.time_of(lambda r=r: r(content, SOURCE, SERVICE), effort) for r in (run, empty)]  # type: ignore[misc]
    return max(times[0] - times[1], 1.0)
