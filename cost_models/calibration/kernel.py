"""Times device programs in this host's kernel, by its test runs."""

from __future__ import annotations

from ctypes.util import find_library
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.backends.base import Unit
from bertha_ir.backends.ebpf.target import EbpfBackend
from bertha_ir.backends.names import mangle
from bertha_ir.runtime import ebpf

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram

TRUNCATED = 0.5  # ns: the kernel tells whole nanoseconds, rounded down


@frozen
class Effort:
    """How long to measure: `repeat` runs in a row, `rounds` times, of which the fastest counts."""

    repeat: int
    rounds: int


FULL, QUICK = Effort(100_000, 25), Effort(20_000, 8)


def missing() -> tuple[str, ...]:
    """Return what this process lacks for running programs in the kernel: tools, a library, capabilities."""
    tools = () if which("clang") else ("clang",)
    library = () if find_library("bpf") else ("libbpf",)
    return (*tools, *library, *ebpf.missing_capabilities())


def time_of(program: DeviceProgram, frame: bytes, effort: Effort) -> float:
    """Return the nanoseconds a program takes for a frame. `EbpfError` when the kernel does not run it."""
    with TemporaryDirectory(prefix="bertha-") as name:
        folder = Path(name)
        with _loaded(program, folder) as loaded:
            return min(loaded.run(frame, effort.repeat)[2] for _ in range(effort.rounds)) + TRUNCATED


def steady(program: DeviceProgram, frame: bytes) -> bool:
    """Whether a program drops a frame, or passes it on as it came: only then are all of many runs alike."""
    with TemporaryDirectory(prefix="bertha-") as name:
        folder = Path(name)
        with _loaded(program, folder) as loaded:
            runs = [loaded.verdict(frame) for _ in range(2)]
    return all(verdict == "drop" or (verdict, data) == ("pass", frame) for verdict, data in runs)


def _loaded(program: DeviceProgram, folder: Path) -> ebpf.Object:
    for name, text in EbpfBackend().emit(Unit(program)).items():
        (folder / name).write_text(text, encoding="utf-8")
    source = folder / f"{mangle(program.name)}.bpf.c"
    return ebpf.Object(ebpf.build(source, folder), folder / source.name.replace(".bpf.c", ".maps.json"))
