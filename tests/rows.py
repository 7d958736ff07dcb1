"""Chains as they are written: a kernel program for each op, one behind another."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from bertha_ir.backends.ebpf.row import emit_row
from bertha_ir.backends.names import mangle
from bertha_ir.passes.lowering.program import apart, frame_part, merge
from bertha_ir.runtime import ebpf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bertha_ir.plan import Hook
    from bertha_ir.program import DeviceProgram
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph, Op


def both(
    specification: Specification, graph: Graph, ops: tuple[Op, ...], hook: Hook
) -> tuple[DeviceProgram, tuple[DeviceProgram, ...]]:
    """All ops in one program, and each in its own."""
    whole = merge(f"{graph.stack}_{hook}", "h1", hook, [frame_part(specification, graph, ops)])
    return whole, apart(specification, graph, ops, "h1", hook)


@contextmanager
def loaded_row(programs: Sequence[DeviceProgram], folder: Path, *options: str) -> Iterator[list[ebpf.Object]]:
    """Compile, load and link them; the first is the one to run."""
    for name, text in emit_row(programs).items():
        (folder / name).write_text(text, encoding="utf-8")
    with ExitStack() as opened:
        found = []
        for name in (mangle(p.name) for p in programs):
            built = ebpf.build(folder / f"{name}.bpf.c", folder, "-Werror", *options)
            found.append(opened.enter_context(ebpf.Object(built, folder / f"{name}.maps.json")))
        for one, other in pairwise(found):
            one.go_on_to(other)
        yield found
