"""How long one waits for an answer that may be lost, and how often one asks again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """Ask again after `first` seconds, then after twice as long each time, at most `most`; give up after `whole`."""

    first: float = 0.05
    most: float = 0.8
    whole: float = 5.0

    def waits(self) -> Iterator[float]:
        """Return how long to wait after each time that was asked."""
        left, wait = self.whole, self.first
        while left > 0:
            yield min(wait, left)
            left -= wait
            wait = min(2 * wait, self.most)


async def asked(ask: Callable[[], object], answer: asyncio.Future[T], patience: Patience) -> T:
    """Ask again and again until there is an answer; TimeoutError when there is none in time."""
    for wait in patience.waits():
        ask()
        done, _ = await asyncio.wait((answer,), timeout=wait)
        if done:
            return answer.result()
    answer.cancel()
    msg = f"no answer within {patience.whole:g} s"
    raise TimeoutError(msg)
