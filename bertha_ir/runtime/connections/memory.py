"""What a client remembers of servers, so that it need not wait for them next time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.wire import Answer
    from bertha_ir.runtime.udp import Address, Endpoint

MOST = 1024  # servers


@dataclass(frozen=True)
class Remembered:
    """A server's choice: the plan's id, where data goes, and a ticket that is good once and until then."""

    plan: bytes
    at: Endpoint
    ticket: bytes
    until: float


class Memory:
    """What servers chose, by their address and stack. It may be shared by all connections of a process."""

    def __init__(self) -> None:
        self._known: dict[tuple[Address, bytes], Remembered] = {}

    def of(self, server: Address, plans: Iterable[Way]) -> Remembered | None:
        """Return a server's last choice among plans, once; None when there is none that may still hold."""
        known = [*plans]
        found = self._known.pop((server, known[0].specification), None)
        if found is None or found.until < time.monotonic() or found.plan not in {w.id for w in known}:
            return None
        return found

    def learn(self, server: Address, way: Way, answer: Answer) -> None:
        """Remember a server's answer, if it gives a ticket."""
        if not answer.ticket:
            return
        while len(self._known) >= MOST:
            self._known.pop(next(iter(self._known)))
        until = time.monotonic() + answer.seconds
        self._known[server, way.specification] = Remembered(answer.plan, answer.at, answer.ticket, until)
