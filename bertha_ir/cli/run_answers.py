"""How the server of `bertha run` answers records: by themselves, or by a command that is run for each connection."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.lines import LONGEST, LineError, like, line, parsed

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from bertha_ir.runtime.connections.accepted import Accepted

    Answer = Callable[[Accepted], Awaitable[None]]

COMMANDS = 256  # at once; connections beyond are ended
PATIENCE = 5.0  # seconds that a command has to end once its connection has
log = logging.getLogger(__name__)


class Answers:
    """Answers connections, each until it ends; an asynchronous context manager, at whose end all are ended."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, connection: Accepted) -> None:
        """Answer a connection from now on."""
        task = asyncio.create_task(self._answered(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answered(self, connection: Accepted) -> None:
        try:
            with suppress(ConnectionLost):  # the runtime says so
                await self._answer(connection)
        except Exception:
            log.exception("a connection cannot be answered", extra=connection.fields)
        finally:
            await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def echo(connection: Accepted) -> None:
    """Answer each record by one that has its fields, as far as replies have them."""
    async for record in connection:
        await connection.send(like(record, connection.record))


class Command:
    """Answers a connection by a command: its input has a line for each record, and its lines are the replies."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._running = 0

    async def __call__(self, connection: Accepted) -> None:
        """Run the command until the connection ends, or the command does."""
        if self._running >= COMMANDS:
            log.warning("%d commands run already: a connection is ended", COMMANDS, extra=connection.fields)
            return
        self._running += 1
        try:
            await self._answered(connection)
        finally:
            self._running -= 1

    async def _answered(self, connection: Accepted) -> None:
        fields = {f"BERTHA_{name.upper()}": value for name, value in connection.fields.items()}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._words, stdin=pipe, stdout=pipe, limit=LONGEST, env={**os.environ, **fields}, start_new_session=True
        )
        feeding, replying = (asyncio.create_task(f(process, connection)) for f in (_fed, _replied))
        try:
            await asyncio.wait({feeding, replying}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({replying}, timeout=PATIENCE)  # the command may say what it has left
            if replying.done():
                replying.result()
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), PATIENCE)
        finally:
            for task in (feeding, replying):
                task.cancel()
            await asyncio.gather(feeding, replying, return_exceptions=True)
            await _ended(process, connection)


async def _fed(process: Process, connection: Accepted) -> None:
    """Give a command what the connection receives, as long as it takes any."""
    into: Any = process.stdin
    async for record in connection:
        if not into.is_closing():
            with suppress(ConnectionError):
                into.write(f"{line(record)}\n".encode())
                await into.drain()
    into.close()


async def _replied(process: Process, connection: Accepted) -> None:
    """Send what a command says; what is no record is not sent."""
    said: Any = process.stdout
    while text := await said.readline():
        try:
            await connection.send(parsed(text, connection.record))
        except LineError as error:
            log.warning("a line of the command is no reply: %s", error, extra=connection.fields)


async def _ended(process: Process, connection: Accepted) -> None:
    """Have a command end, and all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE)
            break
    if process.returncode not in {0, -signal.SIGTERM}:
        log.warning("the command ended with status %s", process.returncode, extra=connection.fields)
