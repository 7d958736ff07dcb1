"""eBPF programs that stay when their loader ends: pinned in the BPF file system, attached by links that are pinned too.

A program's place is `/sys/fs/bpf/bertha/PLAN/DEVICE/PROGRAM`, with `program`, its maps as `map_NAME`, and for every
interface that it is attached to `link_INDEX`. It appears there whole: it is made beside, as `PROGRAM~`, and renamed. A
loader that was killed leaves a `~` that the next one removes. Nothing outside of a plan's own folder is ever touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertha_ir.runtime import ebpf
from bertha_ir.runtime.libbpf import EbpfError
from bertha_ir.runtime.links import attach, attached_to, pin, unpinned
from bertha_ir.runtime.maps import Map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.runtime.artifact import Artifact, Program
    from bertha_ir.runtime.links import XdpMode

ROOT = Path("/sys/fs/bpf/bertha")
_SHORT = 16  # characters of a plan's id in a path


@dataclass(frozen=True)
class Loaded:
    """A program in the kernel, by its plan (the beginning of its id), device and name. `interfaces`: those that it is
    attached to, by their index in the network namespace where it was loaded.
    """

    plan: str
    device: str
    program: str
    interfaces: tuple[int, ...]
    folder: Path


class Pins:
    """What artifacts have in the BPF file system of this host (`mount -t bpf bpf /sys/fs/bpf`)."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or ROOT

    def load(
        self, artifact: Artifact, device: str, interface: str, mode: XdpMode = "any"
    ) -> tuple[tuple[Loaded, bool], ...]:
        """Load the active programs of a device and attach them to an interface; return each, and whether anything had
        to be done. May be repeated: what is there and attached stays as it is, with all that it remembers.

        `EbpfError` when the kernel refuses, or somebody else's program is attached there; a program that was not
        loaded before is then taken away again.
        """
        wanted = [p for p in artifact.programs if p.backend == "ebpf" and p.device == device and p.active]
        if not wanted:
            known = sorted({p.device for p in artifact.programs if p.backend == "ebpf" and p.active})
            msg = f"the plan runs no kernel program on `{device}`; it does on {', '.join(known) or 'no device'}"
            raise EbpfError(msg)
        index = _index(interface)
        with self._locked():
            return tuple(self._one(artifact, program, index, mode) for program in wanted)

    def unload(self, plan: str | None = None) -> tuple[Loaded, ...]:
        """Detach and remove the programs of a plan, by its id, or of all plans; return what there was."""
        if not self.root.is_dir():
            return ()
        with self._locked():
            gone = tuple(p for p in self.loaded() if plan is None or p.plan == plan[:_SHORT])
            for folder in self._plans(plan):
                _remove(folder)
        return gone

    def loaded(self) -> tuple[Loaded, ...]:
        """Return what is loaded, by plan, device and name."""
        found = []
        for folder in sorted(self.root.glob("*/*/*")):
            if not folder.name.endswith("~"):
                plan, device, name = folder.relative_to(self.root).parts
                links = sorted(int(p.name.removeprefix("link_")) for p in folder.glob("link_*"))
                found.append(Loaded(plan, device, name, tuple(links), folder))
        return tuple(found)

    @contextmanager
    def maps(self, artifact: Artifact, loaded: Loaded) -> Iterator[dict[str, Map]]:
        """Open the maps of a program that is loaded, by the names of its tables and states."""
        (program,) = (p for p in artifact.programs if (p.device, p.name) == (loaded.device, loaded.program))
        opened: dict[str, Map] = {}
        try:
            for row in _described(artifact, program):
                opened[row["name"]] = Map.pinned(loaded.folder / f"map_{row['map']}", row)
            yield opened
        finally:
            for found in opened.values():
                os.close(found.fd)

    def _plans(self, plan: str | None) -> list[Path]:
        return [f for f in self.root.iterdir() if f.is_dir() and (plan is None or f.name == plan[:_SHORT])]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one loader at a time change what is pinned."""
        if not _is_bpf(self.root):
            msg = f"`{self.root.parent}` is no BPF file system: mount -t bpf bpf {self.root.parent}"
            raise EbpfError(msg)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            msg = f"`{self.root}` cannot be used: {error.strerror}"
            raise EbpfError(msg) from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _one(self, artifact: Artifact, program: Program, index: int, mode: XdpMode) -> tuple[Loaded, bool]:
        home = self.root / artifact.plan[:_SHORT] / program.device / program.name
        fresh = not home.is_dir()
        if fresh:
            self._place(artifact, program, home)
        link = home / f"link_{index}"
        if link.exists() and attached_to(link) != index:  # the interface it was on is gone
            link.unlink()
        done = not link.exists()
        if done:
            try:
                _attach(home, index, program, mode)
            except EbpfError:
                if fresh:
                    _remove(home)
                raise
        links = sorted(int(p.name.removeprefix("link_")) for p in home.glob("link_*"))
        return Loaded(artifact.plan[:_SHORT], program.device, program.name, tuple(links), home), done

    @staticmethod
    def _place(artifact: Artifact, program: Program, home: Path) -> None:
        """Compile a program, load it, fill its maps, and put it into its place."""
        made = home.with_name(f"{home.name}~")
        if made.is_dir():
            _remove(made)
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            source, maps = (_copied(artifact, program, end, Path(scratch)) for end in (".bpf.c", ".maps.json"))
            with ebpf.Object(ebpf.build(source, Path(scratch)), maps) as loaded:
                made.mkdir()
                pin(loaded.fd, made / "program")
                for row in _described(artifact, program):
                    pin(loaded.maps[row["name"]].fd, made / f"map_{row['map']}")
        made.rename(home)


def _is_bpf(path: Path) -> bool:
    """Whether a path, there or not, lies in a BPF file system."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    kinds = {where.encode().decode("unicode_escape"): kind for where, kind in mounts}  # a space is written \040
    return next((kinds[str(p)] for p in (path, *path.parents) if str(p) in kinds), "") == "bpf"


def _attach(home: Path, interface: int, program: Program, mode: XdpMode) -> None:
    descriptor = unpinned(home / "program")
    try:
        link = attach(descriptor, "xdp" if program.hook == "ingress" else "tc egress", interface, mode)
    finally:
        os.close(descriptor)
    try:
        pin(link, home / f"link_{interface}")
    finally:
        os.close(link)


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError as error:
        known = ", ".join(name for _, name in socket.if_nameindex())
        msg = f"there is no interface `{interface}`; there is {known}"
        raise EbpfError(msg) from error


def _copied(artifact: Artifact, program: Program, ending: str, folder: Path) -> Path:
    path = next(f for f in program.files if f.endswith(ending))
    copy = folder / Path(path).name
    copy.write_bytes(artifact.read(path))
    return copy


def _described(artifact: Artifact, program: Program) -> list[dict[str, Any]]:
    path = next(f for f in program.files if f.endswith(".maps.json"))
    rows: list[dict[str, Any]] = json.loads(artifact.read(path))["maps"]
    return rows


def _remove(folder: Path) -> None:
    """Remove a folder of pins, links first: what is detached before its maps go never runs without them."""
    for path in sorted(folder.rglob("*"), key=lambda p: (p.is_dir(), not p.name.startswith("link_"), -len(p.parts))):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
