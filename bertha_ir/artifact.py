"""Artifact folders: what is in their manifest, and how one is written whole or not at all.

A folder is built beside its destination, under the name `.NAME.bertha-PID-RANDOM`, and takes the destination's place in
one step of the file system: a plain rename when nothing is there, `renameat2(RENAME_EXCHANGE)` on Linux when an older
artifact is. Whoever looks, at whatever moment, or after the compiler was killed, finds the old folder or the new one.

Where that call is missing (other systems, some network file systems), the old folder is renamed away first; a compiler
killed between those two renames leaves the old folder under its temporary name and nothing at the destination.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from attrs import Factory, asdict, frozen

from bertha_ir import __version__
from bertha_ir.codes import CH401OutputNotArtifact, CH402OutputUnwritable, CH403PathEscapes
from bertha_ir.diagnostics import BerthaError, Code, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

SCHEMA = 1
MANIFEST = "manifest.json"
_PATH = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9_.+-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9_.+-]+)*")
_MADE = ((".bpf.o", ".bpf.c"), (".json", ".p4"))  # endings of what is built, and of what it is built from
_SHOWN = 5  # names in a message
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


@frozen
class ManifestStack:
    """A stack of the artifact. `service` is where the second end listens, as far as the site tells: [ip or null, port];
    the ip is dotted. `transport` is the header of the request's transport, such as `udp`. `secrets`: the names of those
    that both ends must be given. `endpoints`: where the path may send requests, as far as that is known.
    """

    ends: tuple[str, str]
    service: tuple[str | None, int] | None = None
    transport: str | None = None
    secrets: tuple[str, ...] = ()
    endpoints: tuple[tuple[str, int], ...] = ()


@frozen
class ManifestUse:
    """How much a program needs of something, and how much its device has; None when that is not known, or no limit."""

    needs: int
    has: int | None = None


@frozen
class ManifestProgram:
    """A device program of the artifact and its files. `active`: the plan's choice; otherwise a standby. `offloads`: the
    names of those that must have been started before it runs. `resources`: by estimate, what it takes of its device.

    `stateful`: it remembers something between messages. `movable`: all that the path does to the direction's messages,
    and by nothing but the message, so that the sender may as well do it. `replaces`: the other devices' programs whose
    work it does as well. `records`: the primitive that undoes the records that messages lie in, of a program that is
    given a stream.
    """

    name: str
    stack: str
    backend: str
    device: str
    root: str
    hook: str
    files: tuple[str, ...]
    active: bool
    offloads: tuple[str, ...] = ()
    resources: Mapping[str, ManifestUse] = Factory(dict)
    stateful: bool = False
    movable: bool = False
    replaces: tuple[str, ...] = ()
    records: str | None = None


@frozen
class ManifestOffload:
    """What a device's maker supplies and the plan relies on: the ops it does there (as DIRECTION.OP), and the commands
    that start it and end it, None where there are none.
    """

    name: str
    stack: str
    device: str
    ops: tuple[str, ...]
    init: str | None
    teardown: str | None


@frozen
class ManifestAlternative:
    """An artifact within the artifact: all of it, with another way through a stack's selects, by the branches taken.
    `plan`: its id; `folder`: where it is.
    """

    stack: str
    branches: tuple[str, ...]
    plan: str
    folder: str


def to_json(value: object) -> bytes:
    """Return deterministic JSON: sorted keys, two spaces, UTF-8, a newline at the end."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


@frozen
class Manifest:
    """What a manifest says besides its files (docs/json.md). `plan` is the plan's id; `stacks` are by name."""

    plan: str
    stacks: Mapping[str, ManifestStack] = Factory(dict)
    programs: Sequence[ManifestProgram] = ()
    offloads: Sequence[ManifestOffload] = ()
    alternatives: Sequence[ManifestAlternative] = ()


def manifest(content: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Return the text of `manifest.json`. `files`: all files but this one."""
    hashes = {path: hashlib.sha256(body).hexdigest() for path, body in files.items()}
    return to_json({"schema": SCHEMA, "bertha": __version__, **asdict(content), "files": hashes})


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Make `out` a folder of exactly these files (path below it → content), replacing an older artifact there.

    Parents are created. BerthaError when `out` is not an artifact's folder, when it holds files that are no part of
    the artifact, when a path leaves it, or when the system refuses; `out` is then as it was.
    """
    _check_paths(files)
    out = Path(os.path.realpath(out))
    _check_replaceable(out)
    _check_nothing_else(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out)
        _build_and_swap(files, out)
    except OSError as error:
        _refuse(CH402OutputUnwritable, f"`{out}` cannot be written: {_reason(error, out)}", cause=error)


def stale(out: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return how the folder `out` is not exactly `files`, one `PATH: WHAT` each, by path; empty when it is.

    What building and running an artifact leaves in it does not count. BerthaError when `out` is
    not an artifact's folder.
    """
    if out.exists():
        _check_replaceable(out)
    there = set(_files(out, files))
    found = dict.fromkeys(there - files.keys(), "not part of the artifact")
    for path, content in files.items():
        if path not in there:
            found[path] = "missing"
        elif (out / path).read_bytes() != content:
            found[path] = "differs"
    return tuple(f"{path}: {found[path]}" for path in sorted(found))


def _files(out: Path, known: Collection[str]) -> Iterator[str]:
    """Yield the paths below `out` that are no folders, without what is made of a `known` file: by the Makefile, by p4c
    as the head of a P4 program says, or by Python.
    """
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        made = any(name.endswith(new) and name.removesuffix(new) + old in known for new, old in _MADE)
        if not made and path.parent.name != "__pycache__" and (path.is_symlink() or not path.is_dir()):
            yield name


def _refuse(code: type[Code], message: str, help: str | None = None, cause: Exception | None = None) -> NoReturn:  # noqa: A002  (the field's name everywhere)
    raise BerthaError((Diagnostic(code, message, None, help),)) from cause


def _reason(error: OSError, out: Path) -> str:
    """Return the system's reason, and the file it is about, whose name is that in `out` while `out` is being built."""
    reason = (error.strerror or str(error)).lower()
    about = re.sub(rf"/{_built(out)}(?=/|$)", f"/{out.name}", str(error.filename or out))
    return reason if about == str(out) else f"{reason}: `{about}`"


def _built(out: Path) -> str:
    """Return the pattern of the names under which compilers build a folder; its group is the process id."""
    return re.escape(f".{out.name}.bertha-") + r"(\d+)-[0-9a-f]{8}(?:-old)?"


def _check_paths(files: Mapping[str, bytes]) -> None:
    folders = {parent.as_posix() for path in files for parent in Path(path).parents}
    for path in files:
        if not _PATH.fullmatch(path) or path in folders:
            _refuse(CH403PathEscapes, f"`{path}` is no name for a file of an artifact")


def _check_replaceable(out: Path) -> None:
    hint = "name a new or empty folder, or one that `bertha compile` wrote"
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            _refuse(CH402OutputUnwritable, f"`{out}` cannot be written: `{parent}` is not a folder", hint)
    try:
        if not out.exists() or (out.is_dir() and (not any(out.iterdir()) or _is_manifest(out / MANIFEST))):
            return
    except OSError as error:
        _refuse(CH402OutputUnwritable, f"`{out}` cannot be read: {_reason(error, out)}", cause=error)
    what = "a folder that Bertha did not write" if out.is_dir() else "not a folder"
    _refuse(CH401OutputNotArtifact, f"`{out}` is {what}", hint)


def _check_nothing_else(out: Path) -> None:
    """Refuse a folder that holds what the manifest in it does not list: replacing the folder would delete it."""
    try:
        listed = _manifest(out / MANIFEST).get("files")
        known = {MANIFEST, *(listed if isinstance(listed, dict) else ())}
        others = [name for name in _files(out, known) if name not in known]
    except OSError as error:
        _refuse(CH402OutputUnwritable, f"`{out}` cannot be read: {_reason(error, out)}", cause=error)
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        shown = ", ".join(f"`{name}`" for name in others[:_SHOWN])
        message = f"`{out}` holds files that are no part of its artifact, and would be deleted: {shown}{more}"
        _refuse(CH401OutputNotArtifact, message, "move them out of the folder, or name another one")


def _is_manifest(path: Path) -> bool:
    content = _manifest(path)
    return "bertha" in content and isinstance(content.get("schema"), int)


def _manifest(path: Path) -> dict[str, object]:
    """Return the content of a manifest; nothing when there is none, or it is none."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _build_and_swap(files: Mapping[str, bytes], out: Path) -> None:
    built = out.with_name(f".{out.name}.bertha-{os.getpid()}-{secrets.token_hex(4)}")
    built.mkdir()
    try:
        for path, content in files.items():
            _write_file(built / path, content)
        for folder in (built, *(p for p in built.rglob("*") if p.is_dir())):
            _sync(folder)
        _swap(built, out)
        _sync(out.parent)
    finally:  # what is there now is the old folder, or what an error left half made
        shutil.rmtree(built, ignore_errors=True)


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(built: Path, out: Path) -> None:
    """Put `built` in the place of `out`; if `out` was there, it is under the name `built` afterwards."""
    try:
        built.rename(out)  # atomic where `out` is missing or, on POSIX, an empty folder
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        if not _exchange(built, out):
            aside = built.with_name(f"{built.name}-old")
            out.rename(aside)
            try:
                built.rename(out)
            except OSError:
                aside.rename(out)
                raise
            aside.rename(built)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two folders in one atomic step; False where the system has no such call."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    if libc.renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.EINVAL, errno.ENOSYS}:  # the file system cannot
        return False
    raise OSError(code, os.strerror(code), str(b))


def _remove_abandoned(out: Path) -> None:
    """Remove what compilers that were killed left beside `out`.

    A process of our own id is either we, who have nothing there yet, or one that died and whose id we inherited.
    """
    pattern = re.compile(_built(out))
    for sibling in out.parent.iterdir():
        found = pattern.fullmatch(sibling.name)
        if found and (int(found[1]) == os.getpid() or not _is_running(int(found[1]))):
            shutil.rmtree(sibling, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's process; or no process id at all
        return True
    return True
