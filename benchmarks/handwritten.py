"""Generated kernel programs against programs written by hand for the same job, on the same packets, in one run.

The programs by hand are in `benchmarks/handwritten/`, in the style of known ones: Bertha's own XDP sharder, xdp-filter,
Katran. That they do the same is checked before they are timed, and by `tests/kernel/test_handwritten.py` on many
packets. Run it as root: `python benchmarks/handwritten.py [--json]`. Times are of this machine; what to compare are the
ratios of one run.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import struct
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import asdict, frozen

from bertha_ir.backends.base import Unit
from bertha_ir.backends.ebpf.target import EbpfBackend
from bertha_ir.cost_models.calibration import kernel
from bertha_ir.cost_models.calibration.trial import compiled, steady_frame
from bertha_ir.runtime import ebpf
from bertha_ir.runtime.libbpf import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.program import DeviceProgram

HERE = Path(__file__).parent / "handwritten"
ROUNDS, REPEAT, LOADS = 25, 100_000, 10
GROWING = 4_000  # single runs of a program that makes its packet longer
PREFIXES = ("172.16.0.0/12", "192.168.0.0/16", "10.99.0.0/16", "100.64.0.0/10")
BACKENDS = "[own, other, third]"
ADDRESSES = ((0x0A000001, 4242), (0x0A000001, 4243), (0x0A000001, 4244))
JOBS = {
    "sharder": f"shard(key = Query.wide, shards = {BACKENDS})",
    "deny": f"firewall(deny = [{', '.join(PREFIXES)}])",
    "limiter": "limit(rate = 1000000000, burst = 1000000, by = ipv4.src)",
    "balancer": f"load_balance(by = Query.wide, backends = {BACKENDS})",
    "vxlan": "tunnel",
}
TUNNEL = """
chunnel tunnel() {
  place: path;
  on packet(m) { push inner_ethernet { dst = 02:00:00:00:00:01, src = 02:00:00:00:00:02 }; push vxlan { vni = 7 }; }
}
"""


COLUMNS = ("instructions", "verified", "machine code, bytes", "ns a packet", "median", "load, ms")


@frozen
class Figures:
    """A program: instructions as the kernel holds them, and as its verifier walked through; bytes of machine code;
    nanoseconds of processor time a packet, the least and the median of the rounds, without the kernel's own part of a
    test run; milliseconds to load it, at the least.
    """

    translated: int
    verified: int
    machine_code: int
    ns: float
    ns_median: float
    load_ms: float


def generated(job: str) -> DeviceProgram:
    """Return Bertha's program for a job."""
    return compiled(JOBS[job], "ingress", TUNNEL)


@contextmanager
def loaded(job: str) -> Iterator[tuple[ebpf.Object, ebpf.Object]]:
    """Load both programs of a job: Bertha's, and the one by hand, with the same tables."""
    program = generated(job)
    with TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        for file, text in EbpfBackend().emit(Unit(program)).items():
            (folder / file).write_text(text, encoding="utf-8")
        ours = opened.enter_context(ebpf.Object(ebpf.build(folder / "app.bpf.c", folder), folder / "app.maps.json"))
        theirs = opened.enter_context(ebpf.Object(ebpf.build(HERE / f"{job}.bpf.c", folder, f"-I{HERE}")))
        _fill(job, theirs, program)
        yield ours, theirs


def _fill(job: str, program: ebpf.Object, same: DeviceProgram) -> None:
    """Give a program by hand the tables of the generated one."""
    rows: dict[str, Callable[[], list[tuple[bytes, bytes]]]] = {
        "sharder": lambda: [(struct.pack("=I", n), _endpoint(at)) for n, at in enumerate(ADDRESSES)],
        "balancer": lambda: [(struct.pack("=I", n), _endpoint(at)) for n, at in enumerate(ADDRESSES)],
        "deny": lambda: [(_prefix(text), struct.pack("=I", 1)) for text in PREFIXES],
        "limiter": list,
        "vxlan": list,
    }
    name = {"sharder": "shards", "balancer": "reals", "deny": "denied"}.get(job, "")
    for key, value in rows[job]():
        program.put(name, key, value)
    if job == "balancer":
        ring = next(table for table in same.tables if len(table.entries) > len(ADDRESSES))
        for entry in ring.entries:
            program.put("ring", struct.pack("=I", entry.match[0]), struct.pack("=I", entry.values[0] % len(ADDRESSES)))


def _endpoint(at: tuple[int, int]) -> bytes:
    return struct.pack(">IHH", *at, 0)


def _prefix(text: str) -> bytes:
    address, _, length = text.partition("/")
    return struct.pack("=I", int(length)) + bytes(map(int, address.split(".")))


def measured(job: str) -> tuple[Figures, Figures]:
    """Return the figures of the generated program and of the one by hand, of rounds in which they, and a program that
    does nothing, take turns.
    """
    frame = steady_frame(generated(job))
    with loaded(job) as both, _nothing() as empty:
        if both[0].verdict(frame) != both[1].verdict(frame):
            sys.exit(f"the programs of `{job}` do not do the same")
        timed = _time if both[0].verdict(frame)[1] == frame else _time_growing
        rounds = [[timed(one, frame) for one in (empty, *both)] for _ in range(ROUNDS)]
        base, *times = zip(*rounds, strict=True)
        sizes = [(*one.instructions(), _machine_code(one)) for one in both]
    loads = _loads(job)
    ours, theirs = (
        Figures(*size, min(column) - min(base), median(column) - median(base), load)
        for size, column, load in zip(sizes, times, loads, strict=True)
    )
    return ours, theirs


def _time(program: ebpf.Object, frame: bytes) -> float:
    """Return the processor time of a run, in nanoseconds; the kernel itself tells whole ones only."""
    began = time.thread_time_ns()
    program.run(frame, REPEAT)
    return (time.thread_time_ns() - began) / REPEAT


def _time_growing(program: ebpf.Object, frame: bytes) -> float:
    """Return the time of a run that makes its packet longer, in nanoseconds, by the kernel's statistics: it is run on
    each packet once, of which the call would be most.
    """
    statistics = library().bpf_enable_stats(0)  # BPF_STATS_RUN_TIME, linux/bpf.h
    if statistics < 0:
        sys.exit("the kernel keeps no statistics")
    try:
        before = _runs(program)
        for _ in range(GROWING):
            program.run(frame)
        time_, count = (after - was for after, was in zip(_runs(program), before, strict=True))
    finally:
        os.close(statistics)
    return time_ / count


def _runs(program: ebpf.Object) -> tuple[int, int]:
    """Return the nanoseconds that a program ran, and how often: `run_time_ns` and `run_cnt`."""
    time_, count = struct.unpack_from("QQ", _info(program), 192)
    return int(time_), int(count)


def _machine_code(program: ebpf.Object) -> int:
    """Return the bytes of a program's machine code: `jited_prog_len`."""
    (found,) = struct.unpack_from("I", _info(program), 16)
    return int(found)


def _info(program: ebpf.Object) -> bytes:
    """Return what the kernel tells of a program: struct bpf_prog_info, linux/bpf.h."""
    info, length = ctypes.create_string_buffer(208), ctypes.c_uint32(208)
    if library().bpf_obj_get_info_by_fd(program.fd, info, ctypes.byref(length)):
        sys.exit("the kernel does not tell of the program")
    return info.raw


@contextmanager
def _nothing() -> Iterator[ebpf.Object]:
    with TemporaryDirectory() as name:
        source = Path(name) / "nothing.bpf.c"
        source.write_text(NOTHING, encoding="utf-8")
        with ebpf.Object(ebpf.build(source, source.parent)) as program:
            yield program


NOTHING = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int nothing(struct xdp_md *ctx) { return XDP_PASS; }
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""


def _loads(job: str) -> tuple[float, float]:
    """Return how long the kernel takes to load each program, without its tables, at the least."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in EbpfBackend().emit(Unit(generated(job))).items():
            (folder / file).write_text(text, encoding="utf-8")
        built = ebpf.build(folder / "app.bpf.c", folder), ebpf.build(HERE / f"{job}.bpf.c", folder, f"-I{HERE}")
        times: list[list[float]] = [[], []]
        for _ in range(LOADS):
            for path, column in zip(built, times, strict=True):
                began = time.perf_counter()
                ebpf.Object(path).close()
                column.append(1e3 * (time.perf_counter() - began))
    return min(times[0]), min(times[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="all figures as JSON")
    parsed = parser.parse_args()
    if missing := kernel.missing():
        sys.exit(f"this process lacks {', '.join(missing)}")
    found = {job: measured(job) for job in JOBS}
    if parsed.json:
        print(json.dumps({job: [asdict(f) for f in both] for job, both in found.items()}, indent=2))
        return
    print(f"generated / by hand (ratio)\n\n{'':9}" + "".join(f"{title:>24}" for title in COLUMNS))
    for job, both in found.items():
        pairs = zip(*(list(asdict(figures).values()) for figures in both), strict=True)
        print(f"{job:9}" + "".join(f"{_cell(a, b):>24}" for a, b in pairs))


def _cell(a: float, b: float) -> str:
    digits = 0 if isinstance(a, int) else 1
    return f"{a:.{digits}f} / {b:.{digits}f} ({a / b:.2f})"


if __name__ == "__main__":
    main()
