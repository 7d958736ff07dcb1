"""eBPF programs that stay when their loader ends: pinned in the BPF file system, attached by links that are pinned too.

A program's place is `/sys/fs/bpf/bertha/PLAN/DEVICE/PROGRAM`, with `program`, its maps as `map_NAME`, and for every
interface that it is attached to `link_INDEX`; `held_NAME` is the map by which the parts of a program call one another,
which the kernel empties when nobody holds it. It appears there whole: it is made beside, as `PROGRAM~`, and renamed. A
loader that was killed leaves a `~` that the next one removes. Nothing outside of a plan's own folder is ever touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertha_ir.runtime import ebpf
from bertha_ir.runtime.libbpf import EbpfError
from bertha_ir.runtime.links import attach, attached_to, pin, switch, unpinned
from bertha_ir.runtime.maps import Map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.runtime.artifact import Artifact, Program
    from bertha_ir.runtime.links import Hook, XdpMode

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
        self, artifact: Artifact, device: str, interface: str, mode: XdpMode = "any", *, old: Artifact | None = None
    ) -> tuple[tuple[Loaded, bool], ...]:
        """Load the active programs of a device and attach them to an interface; return each, and whether anything had
        to be done. May be repeated: what is there and attached stays as it is, with all that it remembers.

        Where `old` has programs on the interface, they are replaced between two packets, and then unloaded; what they
        remember goes with them.

        `EbpfError` when the kernel refuses, or somebody else's program is attached there; what this call has loaded or
        attached until then is taken away again.
        """
        wanted = [p for p in artifact.programs if p.backend == "ebpf" and p.device == device and p.active]
        if not wanted:
            known = sorted({p.device for p in artifact.programs if p.backend == "ebpf" and p.active})
            msg = f"the plan runs no kernel program on `{device}`; it does on {', '.join(known) or 'no device'}"
            raise EbpfError(msg)
        index = _index(interface)
        with self._locked(), ExitStack() as undo:
            homes = [self._placed(artifact, program, undo) for program in wanted]
            rows = []
            for program, home in zip(wanted, homes, strict=True):
                other = self._link(old, device, program.hook, index)
                rows.append((home, _Place(home, _hook(program), index, mode, other).take(undo)))
            undo.pop_all()
            if old is not None and old.plan != artifact.plan:
                self._forget(old.plan)
            return tuple((self._loaded(home), done) for home, done in rows)

    def unload(self, plan: str | None = None) -> tuple[Loaded, ...]:
        """Detach and remove the programs of a plan, by its id, or of all plans; return what there was."""
        if not self.root.is_dir():
            return ()
        with self._locked():
            gone = tuple(p for p in self.loaded() if plan is None or p.plan == plan[:_SHORT])
            self._forget(plan)
        return gone

    def loaded(self) -> tuple[Loaded, ...]:
        """Return what is loaded, by plan, device and name."""
        folders = sorted(self.root.glob("*/*/*"))
        return tuple(self._loaded(folder) for folder in folders if not folder.name.endswith("~"))

    def _loaded(self, folder: Path) -> Loaded:
        plan, device, name = folder.relative_to(self.root).parts
        links = sorted(int(p.name.removeprefix("link_")) for p in folder.glob("link_*"))
        return Loaded(plan, device, name, tuple(links), folder)

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

    def _forget(self, plan: str | None) -> None:
        """Remove the folders of a plan, or of all."""
        for folder in [f for f in self.root.iterdir() if f.is_dir() and (plan is None or f.name == plan[:_SHORT])]:
            _remove(folder)

    def _link(self, artifact: Artifact | None, device: str, hook: str, index: int) -> Path | None:
        """Return the link by which an artifact has a program at a hook of an interface, if it has."""
        if artifact is None:
            return None
        names = [p.name for p in artifact.programs if (p.device, p.hook) == (device, hook)]
        links = [self.root / artifact.plan[:_SHORT] / device / name / f"link_{index}" for name in names]
        return next((link for link in links if link.exists()), None)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one loader at a time change what is pinned."""
        if not in_bpf(self.root):
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

    def _placed(self, artifact: Artifact, program: Program, undo: ExitStack) -> Path:
        """Return where a program is pinned, which it is now if it was not."""
        home: Path = self.root / artifact.plan[:_SHORT] / program.device / program.name
        if not home.is_dir():
            self._place(artifact, program, home)
            undo.callback(_remove, home)
        return home

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
                for name in _contents(artifact, program).get("held", ()):
                    pin(loaded.map(name), made / f"held_{name}")
        made.rename(home)


def in_bpf(path: Path) -> bool:
    """Whether a path, there or not, lies in a BPF file system."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    kinds = {where.encode().decode("unicode_escape"): kind for where, kind in mounts}  # a space is written \040
    return next((kinds[str(p)] for p in (path, *path.parents) if str(p) in kinds), "") == "bpf"


@dataclass(frozen=True)
class _Place:
    """A pinned program, by its folder, and the hook of an interface where it is to be; `other`: the link by which
    another one is there that it replaces.
    """

    home: Path
    hook: Hook
    interface: int
    mode: XdpMode
    other: Path | None

    def take(self, undo: ExitStack) -> bool:
        """Attach the program, unless it is attached; return whether it was not."""
        link = self.home / f"link_{self.interface}"
        if link.exists() and attached_to(link) != self.interface:  # the interface it was on is gone
            link.unlink()
        if link.exists():
            return False
        held = self._link(undo)
        try:
            pin(held, link)
            undo.callback(link.unlink)
        finally:
            os.close(held)
        return True

    def _link(self, undo: ExitStack) -> int:
        if self.other is not None:
            switch(self.other, self.home / "program")
            undo.callback(switch, self.other, self.other.with_name("program"))
            return unpinned(self.other)
        program = unpinned(self.home / "program")
        try:
            return attach(program, self.hook, self.interface, self.mode)
        finally:
            os.close(program)


def _hook(program: Program) -> Hook:
    return "xdp" if program.hook == "ingress" else "tc egress"


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
    rows: list[dict[str, Any]] = _contents(artifact, program)["maps"]
    return rows


def _contents(artifact: Artifact, program: Program) -> dict[str, Any]:
    path = next(f for f in program.files if f.endswith(".maps.json"))
    contents: dict[str, Any] = json.loads(artifact.read(path))
    return contents


def _remove(folder: Path) -> None:
    """Remove a folder of pins, links first: what is detached before its maps go never runs without them."""
    for path in sorted(folder.rglob("*"), key=lambda p: (p.is_dir(), not p.name.startswith("link_"), -len(p.parts))):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
