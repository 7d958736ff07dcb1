"""The client of `bertha run`: sends a record for each line of its input, and prints replies."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from bertha_ir.cli.status import DONE, NO
from bertha_ir.cli.stream import complain, flush, say
from bertha_ir.runtime.connections.client import connect
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.lines import LONGEST, LineError, line, parsed
from bertha_ir.runtime.negotiation.patience import Patience

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from bertha_ir.runtime.connections.connection import Connection
    from bertha_ir.runtime.connections.life import Host

WAIT, WAIT_COUNTED = 1.0, 5.0  # seconds without a reply after which none is expected any more
CHUNK = 1 << 16


async def ask(given: argparse.Namespace, folders: Sequence[Path], secrets: Mapping[str, bytes], host: Host) -> int:
    """Send what the input has and print what comes, as long as `given` says; return the status. Raises `ArtifactError`,
    and `ConnectionLost` when there is no connection.
    """
    connection = await connect(
        folders, given.stack, given.negotiate, secrets=secrets, host=host, push=given.push is not False,
        patience=Patience(whole=given.timeout),
    )  # fmt: skip
    async with connection:
        asking = _Asking(connection, given.count)
        sending, receiving = asyncio.create_task(asking.send()), asyncio.create_task(asking.receive())
        try:
            return await asking.status(sending, receiving, given.wait or (WAIT_COUNTED if given.count else WAIT))
        finally:
            for task in (sending, receiving):
                task.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)


class _Asking:
    """What was sent and what came, on a connection."""

    def __init__(self, connection: Connection, count: int | None) -> None:
        self._connection, self._count = connection, count
        self._loop = asyncio.get_running_loop()
        self._came, self._last = 0, self._loop.time()

    async def send(self) -> None:
        """Send the records of the input. Raises `LineError` for what is none."""
        number = 0
        async for text in _lines():
            number += 1
            if not text.strip():
                continue
            try:
                await self._connection.send(parsed(text, self._connection.record))
            except ConnectionLost:
                raise
            except LineError as error:
                msg = f"line {number}: {error}"
                raise LineError(msg) from error
            except Exception as error:
                msg = f"line {number}: it cannot be sent: {' '.join(str(error).split())}"
                raise LineError(msg) from error

    async def receive(self) -> None:
        """Print replies, until there are enough. Raises `ConnectionLost`."""
        while self._count is None or self._came < self._count:
            record = await self._connection.receive()
            say(f"{line(record)}\n")
            flush()
            self._came, self._last = self._came + 1, self._loop.time()

    async def status(self, sending: asyncio.Task[None], receiving: asyncio.Task[None], wait: float) -> int:
        """Wait until all is sent and nothing more comes; return whether that is what was wanted."""
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                sending.result()
                self._last = self._loop.time()
                while not receiving.done() and (left := self._last + wait - self._loop.time()) > 0:
                    await asyncio.wait({receiving}, timeout=left)
            if receiving.done():
                receiving.result()
        except (LineError, ConnectionLost) as error:
            complain(f"bertha run: error: {error}\n")
            return NO
        if self._count is not None and self._came < self._count:
            complain(f"bertha run: error: {self._came} of {self._count} replies came\n")
            return NO
        return DONE


async def _lines() -> AsyncIterator[bytes]:
    """Give the lines of the input, as they come. Raises `LineError` for one that is too long, OSError."""
    held = bytearray()
    while chunk := await _read(0) if sys.stdin is not None else b"":
        held += chunk
        *whole, rest = bytes(held).split(b"\n")
        held[:] = rest
        for text in whole:
            yield text
        if len(held) > LONGEST:
            msg = f"a line has more than {LONGEST} bytes"
            raise LineError(msg)
    if held:
        yield bytes(held)


async def _read(file: int) -> bytes:
    """Read what has come, and wait until something has; of a file, which the event loop cannot wait for, at once."""
    loop = asyncio.get_running_loop()
    there = asyncio.Event()
    try:
        loop.add_reader(file, there.set)
    except PermissionError:
        await asyncio.sleep(0)
        return os.read(file, CHUNK)
    try:
        await there.wait()
    finally:
        loop.remove_reader(file)
    return os.read(file, CHUNK)
