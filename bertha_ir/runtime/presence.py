"""Where servers of this host say what they do: each at a UNIX socket in a folder that nobody else may enter.

The folder is `bertha` in `$XDG_RUNTIME_DIR`, or `/run/bertha`, or `bertha-UID` in the folder of temporary files;
`$BERTHA_RUNTIME_DIR` names another. Whoever connects is told, as JSON, and the connection ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bertha_ir.runtime.described import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from bertha_ir.runtime.described import Described

SUFFIX = ".sock"
MOST = 1 << 26  # bytes of what a server says
PATIENCE = 2.0  # seconds for it to say so
AT_ONCE = 16  # who are told; more are turned away


class PresenceError(Exception):
    """No folder for sockets can be used; says why in one line."""


class Presence:
    """A server's socket: while it is open, `bertha status` finds the server. An asynchronous context manager."""

    def __init__(self, described: Callable[[], Described]) -> None:
        self._described = described
        self._told: asyncio.Server | None = None
        self._folder = -1
        self._name = secrets.token_hex(8) + SUFFIX
        self._busy = 0

    async def open(self) -> None:
        """Say from now on what the server does. Raises `PresenceError`."""
        why = "there is no place for it"
        for place in places():
            try:
                self._folder = _opened(place, make=True)
                made = _listening(self._folder, self._name)
            except OSError as error:
                why = f"{place}: {(error.strerror or str(error)).lower()}"
                self._forget()
                continue
            self._told = await asyncio.start_unix_server(self._tell, sock=made)
            _swept(self._folder)
            return
        msg = f"no folder for the server's socket: {why}"
        raise PresenceError(msg)

    async def close(self) -> None:
        """Say nothing more; may be called again."""
        if self._told is not None:
            self._told.close()
            self._told = None
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._folder)
        self._forget()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._busy >= AT_ONCE:
            writer.close()
            return
        self._busy += 1
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(json.dumps(self._described()).encode())
                await writer.drain()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            self._busy -= 1
            writer.close()

    def _forget(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


def places() -> tuple[Path, ...]:
    """Return the folders in which this user's servers may be, the best first."""
    if given := os.environ.get("BERTHA_RUNTIME_DIR"):
        return (Path(given),)
    user = os.geteuid()
    session = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
    found = [Path(session, "bertha")] if _own(Path(session), user) else []
    return (*found, *([Path("/run/bertha")] if user == 0 else []), Path(tempfile.gettempdir(), f"bertha-{user}"))


def _own(folder: Path, user: int) -> bool:
    """Tell whether a folder is that user's: an environment may be another's."""
    return folder.is_dir() and folder.stat().st_uid == user


def servers() -> Iterator[Described]:
    """Say what each server of this user does; for the superuser, of everybody. Sockets of servers that are no more are
    removed.
    """
    for place in dict.fromkeys((*places(), *(_others() if os.geteuid() == 0 else ()))):
        try:
            folder = _opened(place, make=False)
        except OSError:
            continue
        try:
            for name in sorted(_sockets(folder)):
                if (found := _asked(folder, name)) is not None:
                    yield found
        finally:
            os.close(folder)


def _others() -> Iterator[Path]:
    if "BERTHA_RUNTIME_DIR" not in os.environ:
        yield from sorted(Path("/run/user").glob("*/bertha"))
        yield from sorted(Path(tempfile.gettempdir()).glob("bertha-[0-9]*"))


def _opened(place: Path, *, make: bool) -> int:
    """Open a folder that is its owner's alone: the user's, or, for the superuser who only looks, anybody's. OSError
    when it is something else.
    """
    if make:
        place.mkdir(mode=0o700, exist_ok=True)
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(folder)
    mine = found.st_uid == os.geteuid() or (not make and os.geteuid() == 0)
    if not mine or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(folder)
        msg = "it is another user's, or others may enter it"
        raise PermissionError(0, msg)
    return folder


def _listening(folder: int, name: str) -> socket.socket:
    """Return a socket of that name that listens: the name is there only once it does."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    begun = f".{name}"
    try:
        made.bind(_path(folder, begun))  # by way of the folder that was looked at; a socket's path must be short
        Path(_path(folder, begun)).chmod(0o600)
        made.listen()
        made.setblocking(False)  # noqa: FBT003  (socket's own form)
        os.rename(begun, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        made.close()
        raise
    return made


def _path(folder: int, name: str) -> str:
    return f"/proc/self/fd/{folder}/{name}"


def _sockets(folder: int) -> list[str]:
    """Return the names of sockets in a folder; no links, which could lead elsewhere, and nothing else that is there."""
    with os.scandir(folder) as entries:
        return [e.name for e in entries if e.name.endswith(SUFFIX) and not e.name.startswith(".") and _is_socket(e)]


def _is_socket(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
    except OSError:  # it is gone
        return False


def _swept(folder: int) -> None:
    """Remove the sockets at which nobody listens any more."""
    for name in _sockets(folder):
        with _connected(folder, name):
            pass


@contextmanager
def _connected(folder: int, name: str) -> Iterator[socket.socket | None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(PATIENCE)
        try:
            asking.connect(_path(folder, name))
        except ConnectionRefusedError:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
            yield None
        except OSError:
            yield None
        else:
            yield asking


def _asked(folder: int, name: str) -> Described | None:
    """Return what a server says, or None when it says nothing that can be understood in time."""
    until = time.monotonic() + PATIENCE
    held = bytearray()
    with _connected(folder, name) as asking:
        if asking is None:
            return None
        try:
            while chunk := asking.recv(1 << 16):
                held += chunk
                asking.settimeout(until - time.monotonic())
                if len(held) > MOST:
                    return None
        except (OSError, ValueError):  # no time is left
            return None
    return _understood(bytes(held))


def _understood(data: bytes) -> Described | None:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if fits(found) else None
