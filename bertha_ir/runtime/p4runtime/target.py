"""What is needed to reach a switch's P4Runtime server, and what an artifact has for a switch. Needs no library."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertha_ir.runtime.artifact import Artifact, Program

_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")
_OURS, _REST = 0xBE47 << 48, (1 << 48) - 1
_COMPILING = 120  # seconds that p4c may take
_PLACES = ("program", "source_info")  # what p4c says of where its input was
_SHOWN = 300  # characters of what others say


class P4RuntimeError(Exception):
    """A switch cannot be reached, refuses, or is another controller's; says so in one line."""


@dataclass(frozen=True)
class Tls:
    """PEM files: whom to trust (the system's authorities if None), and, where the switch asks for it, who we are."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Target:
    """A P4Runtime server, which device of it, and as which controller we come. `timeout`: seconds for each answer."""

    address: str
    device_id: int = 0
    election_id: int = 1
    timeout: float = 10.0
    tls: Tls | None = None

    def __post_init__(self) -> None:
        """Raise `P4RuntimeError` when the address is none."""
        found = _ADDRESS.fullmatch(self.address)
        if found is None or not 0 < int(found["port"]) < 1 << 16:
            msg = f"`{self.address}` is no address of a switch: write HOST:PORT, such as 10.0.0.2:9559"
            raise P4RuntimeError(msg)

    @property
    def is_here(self) -> bool:
        """Whether nobody else can listen in, the server being on this host."""
        return bool(_LOOPBACK.fullmatch(self.address.rpartition(":")[0]))


@dataclass(frozen=True)
class Pipeline:
    """What an artifact has for a switch: P4Info in protobuf's text, and the entries as a write request in its JSON."""

    plan: str
    program: Program
    p4info: str
    entries: dict[str, Any]
    source: bytes

    @classmethod
    def of(cls, artifact: Artifact, device: str, *, standby: bool = False) -> Pipeline:
        """Return what there is for a device; `P4RuntimeError` when the plan runs nothing there."""
        known = [p for p in artifact.programs if p.backend == "p4"]
        found = [p for p in known if p.device == device and p.active is not standby]
        if len(found) != 1:
            raise P4RuntimeError(_no_program(known, device, standby=standby))
        return cls.of_program(artifact, found[0])

    @classmethod
    def of_program(cls, artifact: Artifact, program: Program) -> Pipeline:
        """Return what there is of a program for a switch."""
        ends = {path.rpartition("/")[2].partition(".")[2]: path for path in program.files}
        info, entries, source = (artifact.read(ends[end]) for end in ("p4info.txtpb", "entries.json", "p4"))
        return cls(artifact.plan, program, info.decode(), json.loads(entries), source)

    def compiled(self) -> bytes:
        """Compile for BMv2; `P4RuntimeError` when p4c is not on the PATH, or refuses."""
        p4c, name = which("p4c-bm2-ss"), self.program.name
        if p4c is None:
            msg = "p4c-bm2-ss is not on the PATH: compile the program elsewhere, and give --config FILE"
            raise P4RuntimeError(msg)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / f"{name}.p4").write_bytes(self.source)
            command = [p4c, "-o", f"{name}.json", f"{name}.p4"]
            try:
                done = subprocess.run(  # noqa: S603  (p4c, found on PATH)
                    command, cwd=folder, capture_output=True, text=True, check=False, timeout=_COMPILING
                )
            except subprocess.TimeoutExpired as error:
                msg = f"p4c-bm2-ss took longer than {_COMPILING} s"
                raise P4RuntimeError(msg) from error
            if done.returncode:
                msg = f"p4c-bm2-ss refuses {name}.p4: {said(done.stderr) or f'it ended with {done.returncode}'}"
                raise P4RuntimeError(msg)
            return (Path(folder) / f"{name}.json").read_bytes()

    def given(self, path: Path) -> bytes:
        """Return what was compiled elsewhere; `P4RuntimeError` when it cannot be read, or is another program."""
        try:
            config = path.read_bytes()
        except OSError as error:
            msg = f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}"
            raise P4RuntimeError(msg) from error
        if not config:
            msg = f"`{path}` is empty"
            raise P4RuntimeError(msg)
        wanted = re.findall(r'^tables \{\n  preamble \{\n    id: \d+\n    name: "([^"]*)"', self.p4info, re.MULTILINE)
        if (content := _json(config)) is not None:  # else it is for another switch than BMv2, which must judge it
            there = _table_names(content)
            if lacking := [name for name in wanted if name not in there]:
                msg = f"`{path}` is not {self.program.name}.p4, compiled: it has no table `{lacking[0]}`"
                raise P4RuntimeError(msg)
        return config

    def cookie(self, config: bytes) -> int:
        """Return the number by which the switch remembers what it runs: the same for the same program, wherever it was
        compiled.
        """
        content = _json(config)
        same = config if content is None else json.dumps(_placeless(content), sort_keys=True).encode()
        digest = hashlib.sha256(self.p4info.encode() + b"\0" + same).digest()
        return _OURS | int.from_bytes(digest[:6], "big")


def is_ours(cookie: int) -> bool:
    """Whether Bertha has given a pipeline this cookie."""
    return cookie & ~_REST == _OURS


def said(text: str) -> str:
    """Return what somebody else says as a part of one line."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} …"


def _no_program(known: list[Program], device: str, *, standby: bool) -> str:
    here = [p for p in known if p.device == device]
    if here and not standby:
        return f"the plan runs nothing on `{device}`; `{here[0].name}` stands by there: to run that, give --standby"
    devices = sorted({p.device for p in known if p.active is not standby})
    what = "no program stands by on" if standby else "the plan runs nothing on"
    return f"{what} `{device}`; it does on {', '.join(devices) or 'no switch'}"


def _json(content: bytes) -> Any:  # noqa: ANN401  (JSON)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _table_names(content: Any) -> set[str]:  # noqa: ANN401  (JSON)
    """Return the names of the tables of what p4c compiled for BMv2."""
    try:
        return {table["name"] for line in content["pipelines"] for table in line["tables"]}
    except (KeyError, TypeError):
        return set()


def _placeless(content: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(content, dict):
        return {key: _placeless(value) for key, value in content.items() if key not in _PLACES}
    return [_placeless(item) for item in content] if isinstance(content, list) else content
