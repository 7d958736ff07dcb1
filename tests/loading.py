"""Runs device programs in the kernel, on packets, beside the interpreter."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager
from ctypes.util import find_library
from shutil import which
from typing import TYPE_CHECKING

import pytest

from bertha_ir import api
from bertha_ir.backends.base import Unit
from bertha_ir.backends.ebpf.target import EbpfBackend
from bertha_ir.backends.names import mangle
from bertha_ir.interpreter.program import Machine
from bertha_ir.runtime import ebpf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bertha_ir.program import DeviceProgram

MISSING = [
    *(tool for tool in ("clang", "ip", "ethtool") if which(tool) is None),
    *(["libbpf"] if find_library("bpf") is None else []),
    *ebpf.missing_capabilities(),
]
needs_kernel = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(MISSING), reason=f"EBPF IS NOT RUN: {', '.join(MISSING)} missing"),
]


def emit(program: DeviceProgram, folder: Path) -> Path:
    """Write the files of a program; return the C file."""
    assert EbpfBackend().validate(Unit(program)) == ()
    for name, text in EbpfBackend().emit(Unit(program)).items():
        (folder / name).write_text(text)
    return folder / f"{mangle(program.name)}.bpf.c"


@contextmanager
def loaded(program: DeviceProgram, folder: Path, *options: str) -> Iterator[ebpf.Object]:
    """Emit, compile without a warning (`options` are clang's), and load a program."""
    source = emit(program, folder)
    maps = source.with_name(source.name.replace(".bpf.c", ".maps.json"))
    with ebpf.Object(ebpf.build(source, folder, "-Werror", *options), maps) as found:
        yield found


@contextmanager
def deployed(example: Path, device: str, folder: Path) -> Iterator[dict[str, ebpf.Object]]:
    """Compile an example, write its artifact, and load the programs of a device, by hook."""
    built = api.build(sorted(example.glob("*.chunnel")))
    for name, content in api.artifact(built).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    home = folder / "ebpf" / device
    with ExitStack() as opened:
        found = {}
        for program in (p.program for p in built.programs if p.backend == "ebpf" and p.program.device == device):
            compiled = ebpf.build(home / f"{program.name}.bpf.c", home, "-Werror")
            found[program.hook] = opened.enter_context(ebpf.Object(compiled, home / f"{program.name}.maps.json"))
        yield found


def runs_at_tc(frame: bytes) -> bool:
    """Whether TC's test run takes a frame: it refuses one that ends in the header its type announces."""
    shortest = {b"\x08\x00": 34, b"\x86\xdd": 54}.get(frame[12:14], 15)
    return len(frame) >= shortest


def compared(
    program: DeviceProgram, frames: Iterable[bytes], folder: Path, *options: str
) -> Counter[tuple[str | None, str]]:
    """Run frames through kernel and interpreter: same verdicts, bytes and state. Return how often each block gave each
    verdict; `changed` counts frames that came out different.
    """
    machine, seen = Machine(program), Counter[tuple[str | None, str]]()
    with loaded(program, folder, *options) as kernel:
        for frame in frames:
            if kernel.hook == "tc" and not runs_at_tc(frame):
                continue
            outcome, (verdict, data) = machine.run(frame), kernel.verdict(frame)
            where = f"{program.name}: {frame.hex()}"
            assert verdict == outcome.verdict, where
            assert verdict == "drop" or data.hex() == outcome.data.hex(), where
            seen[outcome.block, outcome.verdict] += 1
            seen[outcome.block, "changed"] += outcome.data != frame
        for state in program.states:
            assert dict(kernel.maps[state.name].items()) == remembered(machine, state.name), state.name
    return seen


def remembered(machine: Machine, name: str) -> dict[tuple[int, ...], tuple[int, ...]]:
    """What the interpreter remembers, with byte strings as numbers, as the kernel holds them."""
    rows = machine.states.rows[name]
    if not machine.states.declared[name].keys:
        rows = {(): machine.states.get(name, ())}
    return {tuple(map(_number, key)): tuple(map(_number, row)) for key, row in rows.items()}


def _number(value: int | bytes) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)
