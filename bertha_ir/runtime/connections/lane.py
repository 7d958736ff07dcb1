"""A plan at work on a connection, from one reconfiguration to the next: the *lane* of an epoch."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bertha_ir.runtime.connections.codec import Codec
    from bertha_ir.runtime.connections.ways import Way

log = logging.getLogger(__name__)


class Lane:
    """One end of a plan's messages. What goes out is given to `transmit`, and `drained` waits until there is room for
    more, where that can be known; `owned` is what ends with the lane.

    `counts`: records `sent` and `received`, `dropped` by a chunnel when they were sent; messages that `failed` in a
    program, and `overflow`, that were not taken. `used`: when anything last came or went, by the loop's clock.
    `fields`: what log records say of it, besides their message.
    """

    def __init__(self, epoch: int, way: Way, codec: Codec, transmit: Callable[[bytes], None]) -> None:
        self.epoch, self.way, self.codec, self.transmit = epoch, way, codec, transmit
        self.drained: Callable[[], Awaitable[None]] | None = None
        self.owned = AsyncExitStack()
        self.counts: Counter[str] = Counter()
        self.fields: Mapping[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self.used = self._loop.time()
        self._timers: list[asyncio.TimerHandle] = []

    def start(self) -> None:
        """Let the timers of the chunnels run."""
        for place, (period, tick) in enumerate(self.codec.timers):
            self._timers.append(self._loop.call_later(period / 1e9, self._tick, place, period / 1e9, tick))

    def send(self, record: Any) -> bool:  # noqa: ANN401  (a record of the stack's)
        """Send a record through the chunnels of this end, and return whether any of it went out. An exception of a
        program is the caller's mistake.
        """
        messages = self.codec.tried(record)
        self.counts["sent" if messages else "dropped"] += 1
        self._transmitted(messages)
        return bool(messages)

    def arrived(self, data: bytes) -> tuple[list[Any], list[bytes]]:
        """Return the records that came of a message from the other end, and what to give back to it."""
        self.used = self._loop.time()
        try:
            records, back = self.codec.incoming(data)
        except Exception as error:  # noqa: BLE001  (whatever a message makes a program do, the next one is another)
            self._failed(data, error)
            return [], []
        self.counts["received"] += len(records)
        return records, back

    def came_back(self, data: bytes) -> None:
        """Take what the other end's half of a chunnel replied."""
        try:
            messages = self.codec.returned(data)
        except Exception as error:  # noqa: BLE001  (as above)
            self._failed(data, error)
            return
        self._transmitted(messages)

    async def close(self) -> None:
        """Stop the timers, and end what is owned; may be called again."""
        while self._timers:
            self._timers.pop().cancel()
        await self.owned.aclose()

    def _transmitted(self, messages: list[bytes]) -> None:
        if messages:
            self.used = self._loop.time()
        for data in messages:
            self.transmit(data)

    def _failed(self, data: bytes, error: Exception) -> None:
        self.counts["failed"] += 1
        if self.counts["failed"] == 1:  # once: whoever can cause it must not fill the log
            what = "a program failed on a message of %d bytes, which is dropped"
            log.error(what, len(data), exc_info=error, extra=self.fields)

    def _tick(self, place: int, seconds: float, tick: Callable[[], list[bytes]]) -> None:
        self._transmitted(tick())
        self._timers[place] = self._loop.call_later(seconds, self._tick, place, seconds, tick)
