"""`bertha run`: one end of a stack, as server or as client, until it is interrupted."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bertha_ir.cli.run_client import ask
from bertha_ir.cli.run_server import serve
from bertha_ir.cli.status import DONE, NO, UsageError
from bertha_ir.cli.stream import complain
from bertha_ir.runtime.artifact import ArtifactError
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.connections.life import Host
from bertha_ir.runtime.logs import handler
from bertha_ir.runtime.registry.base import RegistryError
from bertha_ir.runtime.registry.sqlite import SqliteRegistry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Iterator

KEY = "name a file of as many bytes as the key has; `openssl rand -out FILE 32` makes one"
SPECIFICATION = ".chunnel"
ONLY = {
    "server": ("listen", "map", "policy", "echo", "metrics", "words"),
    "client": ("count", "wait"),
}
log = logging.getLogger(__name__)


def run(parsed: argparse.Namespace) -> int:
    """Start the end, and say when it cannot be."""
    _check(parsed)
    with ExitStack() as ending:
        ending.enter_context(_logging(parsed))
        ending.enter_context(_terminable())
        try:
            secrets = dict(_secret(text) for text in parsed.secret)
            folders = _folders(parsed.paths, ending)
            registry = ending.enter_context(SqliteRegistry(Path(parsed.registry))) if parsed.registry else None
            host = Host(interface=parsed.interface, registry=registry, commands=parsed.commands)
            if parsed.end == "client":
                return asyncio.run(_until_stopped(ask(parsed, folders, secrets, host)))
            return asyncio.run(_until_stopped(serve(parsed, folders, secrets, host), status=DONE))
        except (ArtifactError, ConnectionLost, RegistryError) as error:
            complain(f"bertha run: error: {error}\n")
        except OSError as error:
            complain(f"bertha run: error: {(error.strerror or str(error)).lower()}\n")
        return NO


async def _until_stopped(work: Coroutine[None, None, int], status: int | None = None) -> int:
    """Return the status of an end's work; when it is stopped by a signal, once all is torn down, `status`, or what a
    shell says of the signal. The next signal ends the process at once.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    stopped: list[int] = []

    def stop(number: int) -> None:
        stopped.append(number)
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(one)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopped:
            raise
    return 128 + stopped[0] if status is None else status


def _check(parsed: argparse.Namespace) -> None:
    """Raise `UsageError` when options do not go together."""
    for end, names in ONLY.items():
        for name in names:
            if parsed.end != end and getattr(parsed, name):
                what = "a command behind `--`" if name == "words" else f"--{name}"
                msg = f"{what} is for the {end}, and this is the {parsed.end}"
                raise UsageError(msg, f"leave it out, or run it `--as {end}`")
    if parsed.interface is not None and parsed.interface not in (name for _, name in socket.if_nameindex()):
        msg = f"there is no interface `{parsed.interface}`"
        raise UsageError(msg, "`ip link` lists them")
    if parsed.end == "client" and parsed.negotiate is None:
        msg = "a client must know where the server negotiates"
        raise UsageError(msg, "say where: --negotiate IP:PORT; `bertha run … --as server` prints it")
    if parsed.end == "server" and parsed.echo == bool(parsed.words):
        msg = "a server answers either by --echo or by a command"
        raise UsageError(msg, "write -- COMMAND last; for each connection, it is given records and prints replies")


def _secret(text: str) -> tuple[str, bytes]:
    """Return the name of a secret, and what it is. Raises `UsageError`, which never repeats what may be one."""
    name, _, where = text.partition("=")
    if where.startswith("@"):
        return name, _secret_file(name, Path(where[1:]))
    if not where.startswith("env:"):
        msg = "a secret is not given on the command line, where others may read it"
        raise UsageError(msg, "write --secret NAME=@FILE, or NAME=env:VARIABLE")
    variable = where.removeprefix("env:")
    try:
        found = bytes.fromhex(os.environ.get(variable, ""))
    except ValueError:
        found = b""
    if not found:
        msg = f"the environment variable `{variable}` does not hold the secret `{name}`"
        raise UsageError(msg, "set it to hexadecimal digits, such as those of `openssl rand -hex 32`")
    return name, found


def _secret_file(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found, open_to_all = file.read(), os.fstat(file.fileno()).st_mode & 0o007
    except OSError as error:
        msg = f"the secret `{name}` cannot be read: {path}: {(error.strerror or str(error)).lower()}"
        raise UsageError(msg, KEY) from error
    if not found:
        msg = f"the secret `{name}` cannot be read: {path} is empty"
        raise UsageError(msg, KEY)
    if open_to_all:
        log.warning("others may read the secret in %s", path)
    return found


def _folders(paths: list[Path], ending: ExitStack) -> list[Path]:
    """Return artifact folders, that of the specification compiled, if there is one. Raises `BerthaError`."""
    files = [path for path in paths if path.suffix == SPECIFICATION]
    if not files:
        return paths
    from bertha_ir import api, artifact  # noqa: PLC0415  (with an artifact, nothing of the compiler is needed)

    out = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="bertha-run-")), "artifact")
    artifact.write(api.artifact(api.build(files)), out)
    at = paths.index(files[0])
    return [*(p for p in paths[:at]), out, *(p for p in paths[at:] if p not in files)]


@contextmanager
def _logging(parsed: argparse.Namespace) -> Iterator[None]:
    """Have what is logged written to standard error; of other libraries, warnings only."""
    level = logging.getLevelNamesMapping()[parsed.log_level.upper()]
    made, root, ours = (
        handler(sys.stderr, parsed.log_format, level),
        logging.getLogger(),
        logging.getLogger("bertha_ir"),
    )
    before = ours.level
    root.addHandler(made)
    ours.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(made)
        ours.setLevel(before)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end what is done before there is an event loop as well, with all that is to be cleaned up."""

    def terminated(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
