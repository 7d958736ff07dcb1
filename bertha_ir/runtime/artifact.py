"""Opens an artifact folder: what its manifest lists, checked, and its Python programs as modules.

Needs nothing of the compiler, so that a host can run what another one compiled.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import CodeType, ModuleType

SCHEMA = 1
MANIFEST = "manifest.json"
_PATH = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9_.+-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9_.+-]+)*")
_NAMES = ("name", "stack", "backend", "device", "root", "hook")


class ArtifactError(Exception):
    """A folder is no artifact, is damaged, or lacks what was asked of it; says so in one line."""


@dataclass(frozen=True)
class Program:
    """A device program: docs/json.md says what each member is."""

    name: str
    stack: str
    backend: str
    device: str
    root: str
    hook: str
    files: tuple[str, ...]
    active: bool
    offloads: tuple[str, ...] = ()
    stateful: bool = False
    movable: bool = False
    replaces: tuple[str, ...] = ()
    records: str | None = None


@dataclass(frozen=True)
class Offload:
    """What a device's maker supplies, and the commands that start it and end it, if there are some."""

    name: str
    stack: str
    device: str
    init: str | None
    teardown: str | None


@dataclass(frozen=True)
class Stack:
    """A stack: the names of its two ends, where the second listens, the header of the request's transport, the names of
    the ends' secrets, and where the path may send requests; address, port or both, and the transport, may be unknown.
    """

    name: str
    ends: tuple[str, str]
    service: tuple[str | None, int] | None
    transport: str | None = None
    secrets: tuple[str, ...] = ()
    endpoints: tuple[tuple[str, int], ...] = ()


class Artifact:
    """An artifact folder whose files are all those that the compiler wrote. `plan` is the plan's id."""

    def __init__(self, folder: str | Path) -> None:
        """Read the manifest and check the hash of every file; `ArtifactError` when something is wrong."""
        self.folder = Path(folder)
        self._manifest, content = _manifest(self.folder / MANIFEST)
        try:
            self.plan = _typed(content["plan"], str)
            self.programs = tuple(_program(p) for p in _typed(content["programs"], list))
            self._stacks = {name: _stack(name, s) for name, s in _typed(content["stacks"], dict).items()}
            self._offloads = tuple(_offload(o) for o in _typed(content.get("offloads", []), list))
            self._others = [(_typed(a["stack"], str), _path(a["folder"])) for a in content.get("alternatives", [])]
            self._hashes = {_path(p): _typed(h, str) for p, h in _typed(content["files"], dict).items()}
        except (KeyError, TypeError, ValueError) as error:
            msg = f"`{self.folder / MANIFEST}` is damaged: {error}"
            raise ArtifactError(msg) from error
        for path in self._hashes:
            self.read(path)

    def read(self, path: str) -> bytes:
        """Return the content of a file that the manifest lists; `ArtifactError` when it is not what was written."""
        try:
            content = (self.folder / path).read_bytes()
        except OSError as error:
            msg = f"`{self.folder / path}` cannot be read: {(error.strerror or str(error)).lower()}"
            raise ArtifactError(msg) from error
        if path not in self._hashes or hashlib.sha256(content).hexdigest() != self._hashes[path]:
            msg = f"`{self.folder / path}` is not what the manifest says: compile again"
            raise ArtifactError(msg)
        return content

    def content(self, path: str) -> bytes:
        """Return the content of the manifest, or of a file that it lists; `ArtifactError` when there is none."""
        if path == MANIFEST:
            return self._manifest
        if path not in self._hashes:
            msg = f"`{self.folder}` has no file `{path}`"
            raise ArtifactError(msg)
        return self.read(path)

    def stack(self, name: str) -> Stack:
        """Return the stack of that name; `ArtifactError` when there is none."""
        if name not in self._stacks:
            msg = f"`{self.folder}` has no stack `{name}`; it has {_listed(self._stacks)}"
            raise ArtifactError(msg)
        return self._stacks[name]

    def others(self, stack: str) -> tuple[str, ...]:
        """Return the folders of this one that have other ways through the stack's selects, best first."""
        return tuple(folder for name, folder in self._others if name == stack)

    def offloads_of(self, stack: str) -> tuple[Offload, ...]:
        """Return what the plan of a stack relies on that a device's maker supplies."""
        return tuple(o for o in self._offloads if o.stack == stack)

    def module(self, name: str, started: Collection[str] = ()) -> ModuleType:
        """Import the Python program of that name; each call makes a new module, with state of its own.

        `ArtifactError` when there is none, when it does not load, or when it leaves work (encryption, say) to an
        offload that is not among those that the caller has `started`.
        """
        ours = {p.name: p for p in self.programs if p.backend == "python"}
        if name not in ours or len(ours[name].files) != 1:
            msg = f"`{self.folder}` has no Python program `{name}`; it has {_listed(ours)}"
            raise ArtifactError(msg)
        if lacking := [o for o in ours[name].offloads if o not in started]:
            msg = f"`{name}` leaves work to the offload `{lacking[0]}`: start that first, or use `{name}_standby`"
            raise ArtifactError(msg)
        (path,) = ours[name].files
        loader = _Checked(name, str(self.folder / path), self.read(path))
        spec = spec_from_file_location(name, loader.path, loader=loader)
        assert spec is not None  # noqa: S101  INVARIANT: a loader was given
        module = module_from_spec(spec)
        try:
            loader.exec_module(module)
        except (ImportError, SyntaxError) as error:
            msg = f"`{loader.path}` does not load: {error}"
            raise ArtifactError(msg) from error
        return module


class _Checked(SourceFileLoader):
    """Runs the very bytes whose hash was checked: no later change of the file, and no bytecode kept beside it."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self._content = content

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002  (the method's signature)
        code: CodeType = self.source_to_code(self._content, self.path)
        return code


def _manifest(path: Path) -> tuple[bytes, dict[str, Any]]:
    try:
        data = path.read_bytes()
        content = json.loads(data)
    except FileNotFoundError as error:
        msg = f"`{path.parent}` is no artifact folder: there is no {MANIFEST}"
        raise ArtifactError(msg) from error
    except OSError as error:
        msg = f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}"
        raise ArtifactError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"`{path}` is not JSON"
        raise ArtifactError(msg) from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if type(schema) is not int:
        msg = f"`{path}` is no manifest: it has no schema number"
        raise ArtifactError(msg)
    if schema != SCHEMA:
        hint = "install a newer bertha-ir" if schema > SCHEMA else "compile again"
        msg = f"`{path}` has schema {schema}, this version reads {SCHEMA}: {hint}"
        raise ArtifactError(msg)
    return data, dict(content)


def _typed(value: Any, kind: type) -> Any:  # noqa: ANN401  (JSON)
    if type(value) is not kind:
        msg = f"{str(value)[:40]!r} should be a {kind.__name__}"
        raise TypeError(msg)
    return value


def _path(path: str) -> str:
    if not _PATH.fullmatch(path):
        msg = f"{path[:40]!r} is no path in the folder"
        raise ValueError(msg)
    return path


def _program(data: dict[str, Any]) -> Program:
    names = {key: _typed(_typed(data, dict)[key], str) for key in _NAMES}
    files = tuple(_path(_typed(f, str)) for f in _typed(data["files"], list))
    offloads = tuple(_typed(name, str) for name in _typed(data.get("offloads", []), list))
    stateful, movable = (_typed(data.get(key, False), bool) for key in ("stateful", "movable"))
    records = data.get("records")
    replaces = tuple(_typed(name, str) for name in _typed(data.get("replaces", []), list))
    return Program(
        **names, files=files, active=_typed(data["active"], bool), offloads=offloads, stateful=stateful,
        movable=movable, replaces=replaces, records=None if records is None else _typed(records, str),
    )  # fmt: skip


def _offload(data: dict[str, Any]) -> Offload:
    name, stack, device = (_typed(_typed(data, dict)[key], str) for key in ("name", "stack", "device"))
    init, teardown = (None if data[key] is None else _typed(data[key], str) for key in ("init", "teardown"))
    return Offload(name, stack, device, init, teardown)


def _stack(name: str, data: dict[str, Any]) -> Stack:
    first, second = (_typed(end, str) for end in _typed(_typed(data, dict)["ends"], list))
    service = data["service"]
    if service is not None:
        ip, port = _typed(service, list)
        service = (None if ip is None else _typed(ip, str), _typed(port, int))
    transport = data.get("transport")
    secrets = tuple(_typed(secret, str) for secret in _typed(data.get("secrets", []), list))
    rows = [_typed(row, list) for row in _typed(data.get("endpoints", []), list)]
    endpoints = tuple((_typed(ip, str), _typed(port, int)) for ip, port in rows)
    transport = None if transport is None else _typed(transport, str)
    return Stack(name, (first, second), service, transport, secrets, endpoints)


def _listed(names: dict[str, Any]) -> str:
    return ", ".join(f"`{n}`" for n in sorted(names)) or "none"
