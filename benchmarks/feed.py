"""Times programs of the kernel on traffic: a program of its own lays frames in front of them, one after another.

The kernel's test run gives a program what its last run has left of the packet, so that one which rewrites a frame would
be timed on what comes out of it, and all frames would be alike. The program that lays a frame then hands over by a tail
call; what it takes itself is known from one behind which nothing is done.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.backends.ebpf.row import emit_row
from bertha_ir.backends.names import mangle
from bertha_ir.runtime import ebpf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertha_ir.program import DeviceProgram

Programs = tuple["DeviceProgram", ...]
ROUNDS, REPEAT = 25, 51_200  # as often as there are frames, several times
LAID = 128  # bytes at the front of a frame: no chain here looks at more
WORD = 8
SECTIONS = {"ingress": ("xdp", "xdp_md", "XDP_PASS"), "egress": ("tc", "__sk_buff", "TC_ACT_UNSPEC")}
# The clock is read as loads of what was just stored in other parts wait: a frame that comes in is not that fresh.
FEEDER = """#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {{
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
}} next_program SEC(".maps");

static const __u64 frames[{count}][{words}] = {{ {frames} }};
static __u32 turn;

SEC("{section}")
int feed(struct {context} *ctx)
{{
	__u64 *at = (void *)(long)ctx->data;

	if ((void *)(at + {words}) > (void *)(long)ctx->data_end)
		return {on};
	__builtin_memcpy(at, frames[turn++ % {count}], {words} * sizeof(*at));
	bpf_ktime_get_ns();
	bpf_tail_call(ctx, &next_program, 0);
	return {on};
}}
"""
NOTHING = """#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("{section}")
int nothing(struct {context} *ctx)
{{
	return {on};
}}
"""


@frozen
class Time:
    """Nanoseconds a frame, without what lays it, of the fastest quarter of the rounds; and how many more the median
    round took.
    """

    ns: float
    slower: float


def timed(rows: Sequence[Programs], hook: str, frames: Sequence[bytes]) -> list[Time]:
    """Time rows of programs, linked by tail calls, on frames of one length, which come in turn; so do the rows."""
    with ExitStack() as opened:
        feeders = [opened.enter_context(fed(row, hook, frames)) for row in ((), *rows)]
        for feeder in feeders:  # what is kept of each sender is made first
            feeder.run(frames[0], REPEAT)
        rounds = [[one.run(frames[0], REPEAT)[2] for one in feeders] for _ in range(ROUNDS)]
    first, *others = zip(*rounds, strict=True)
    return [Time(_best(column) - _best(first), median(column) - _best(column)) for column in others]


def _best(times: Sequence[int]) -> float:
    """Return the mean of the fastest quarter: each is told in whole nanoseconds, and what else the host does adds."""
    return mean(sorted(times)[: len(times) // 4])


@contextmanager
def fed(programs: Programs, hook: str, frames: Sequence[bytes]) -> Iterator[ebpf.Object]:
    """Load programs, one behind another, behind one that lays frames in turn, whose number is a power of two: that is
    the one to run.
    """
    with ExitStack() as opened:
        feeder = opened.enter_context(_written(FEEDER, hook, frames))
        feeder.go_on_to(opened.enter_context(linked(programs) if programs else _written(NOTHING, hook, ())))
        yield feeder


@contextmanager
def linked(programs: Programs) -> Iterator[ebpf.Object]:
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


@contextmanager
def _written(text: str, hook: str, frames: Sequence[bytes]) -> Iterator[ebpf.Object]:
    """Load a program that is written here."""
    section, context, on = SECTIONS[hook]
    words = min([LAID, *map(len, frames)]) // WORD
    rows = ", ".join(f"{{ {', '.join(_words(f[: words * WORD]))} }}" for f in frames)
    made = text.format(section=section, context=context, on=on, count=len(frames), words=words, frames=rows)
    with TemporaryDirectory() as name:
        source = Path(name, "program.bpf.c")
        source.write_text(made, encoding="utf-8")
        with ebpf.Object(ebpf.build(source, Path(name))) as found:
            yield found


def _words(data: bytes) -> Iterator[str]:
    """Yield whole words as numbers in C, in the byte order of this host."""
    for (word,) in struct.iter_unpack("=Q", data):
        yield f"{word:#x}ULL"
