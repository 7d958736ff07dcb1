"""What an end can run: for each plan of a stack that it has an artifact of, the programs of its side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bertha_ir.runtime.artifact import MANIFEST, Artifact, ArtifactError
from bertha_ir.runtime.udp import endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from bertha_ir.runtime.artifact import Offload, Program, Stack
    from bertha_ir.runtime.udp import Endpoint

Role = Literal["client", "server"]
STANDBY = "_standby"


@dataclass(frozen=True)
class Way:
    """One plan of a stack: its id, the hash of what the stack means, the device of each end, and the artifact."""

    artifact: Artifact
    stack: Stack
    id: bytes
    specification: bytes
    hosts: tuple[str, str]

    @property
    def name(self) -> str:
        """The beginning of the plan's id, for people."""
        return self.id.hex()[:12]

    def host(self, role: Role) -> str:
        """Return the device that an end runs on; the first end is the client."""
        return self.hosts[0 if role == "client" else 1]

    def program(self, direction: str, root: str, started: Collection[str] = ()) -> Program | None:
        """Return an end's program for a direction, or None when the end has nothing to do there: the plan's own, if the
        offloads were started that it leaves work to, else the one that does all of it.
        """
        name = f"{self.stack.name}_{direction}_{root}"
        found = {p.name: p for p in self._of("python") if p.root == root and p.name in {name, name + STANDBY}}
        planned = found.get(name)
        if planned is not None and set(planned.offloads) <= set(started):
            return planned
        return found.get(name + STANDBY)

    def offloads(self, role: Role) -> tuple[Offload, ...]:
        """Return the offloads that programs of an end leave work to."""
        named = {o for p in self._of("python") if p.device == self.host(role) and p.active for o in p.offloads}
        return tuple(o for o in self.artifact.offloads_of(self.stack.name) if o.name in named)

    def on_path(self, direction: str) -> Program | None:
        """Return the program that does in a process what devices of the path would, or None."""
        names = (f"{self.stack.name}_{direction}", f"{self.stack.name}_{direction}{STANDBY}")
        return next((p for p in self._of("python") if p.root == "datagram" and p.name in names), None)

    def in_kernel(self, role: Role) -> tuple[Program, ...]:
        """Return the programs that the plan has in an end's own kernel."""
        return tuple(p for p in self._of("ebpf") if p.active and p.device == self.host(role))

    def elsewhere(self) -> tuple[Program, ...]:
        """Return the programs that the plan has on other devices than the ends'."""
        devices = {p.device for p in self.artifact.programs if p.stack == self.stack.name}.difference(self.hosts)
        return tuple(
            p for p in self.artifact.programs if p.stack == self.stack.name and p.active and p.device in devices
        )

    @cached_property
    def service(self) -> Endpoint:
        """Where the server listens, as the stack names it; address 0 when the site does not say."""
        ip, port = self.stack.service or (None, 0)
        return endpoint((ip or "0.0.0.0", port))  # noqa: S104  (no address)

    def records(self, direction: str) -> str | None:
        """Return the primitive that undoes the records in a direction's stream, or None when there are none."""
        program = self.program(direction, "recv")
        return program.records if program else None

    def _of(self, backend: str) -> Iterator[Program]:
        return (p for p in self.artifact.programs if p.stack == self.stack.name and p.backend == backend)


def ways(folders: Iterable[str | Path], stack: str) -> tuple[Way, ...]:
    """Return the plans of a stack in artifact folders, each once: of each folder its own, then those of its other
    branches. `ArtifactError` when a folder is no artifact, or none has the stack.
    """
    found: dict[bytes, Way] = {}
    for folder in folders:
        for way in _ways(Path(folder).resolve(), _stamp(Path(folder)), stack):
            found.setdefault(way.id, way)
    if not found:
        msg = "no artifact folder was given"
        raise ArtifactError(msg)
    return tuple(found.values())


def _stamp(folder: Path) -> tuple[int, int, int]:
    """Return what is another one when a folder was compiled again; zeros when it is no artifact."""
    try:
        found = (folder / MANIFEST).stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=64)
def _ways(folder: Path, _stamp: tuple[int, int, int], stack: str) -> tuple[Way, ...]:
    """Return the plans of a stack in a folder, whose files are read and checked once. What is run of them is checked
    when it is read.
    """
    artifact = Artifact(folder)
    others = (Artifact(artifact.folder / other) for other in artifact.others(stack))
    return tuple(_way(one, stack) for one in (artifact, *others))


def _way(artifact: Artifact, stack: str) -> Way:
    known = artifact.stack(stack)
    plans: list[dict[str, Any]] = json.loads(artifact.read("plan.json"))["plans"]
    try:
        (plan,) = (p for p in plans if p["stack"] == stack)
        first, second = plan["hosts"]
        return Way(artifact, known, bytes.fromhex(plan["id"]), bytes.fromhex(plan["specification"]), (first, second))
    except (KeyError, TypeError, ValueError) as error:
        msg = f"`{artifact.folder / 'plan.json'}` has no plan of `{stack}`: compile again"
        raise ArtifactError(msg) from error
