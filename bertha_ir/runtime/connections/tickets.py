"""What a server gives its clients to be served at once the next time, and what comes before their offers do.

A ticket says which plan was chosen, and until when that may be relied on; it is authentic by a secret of the server's
alone, and good once, so that nobody can have the server take the same early data twice.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertha_ir.runtime.udp import Address, Endpoint

SECONDS = 600  # that a ticket is good for
USED = 100_000  # tickets that were used and would still be good; when there are more, none is taken
HELD, SENDERS, PATIENCE = 64, 256, 1.0  # early datagrams of one sender; senders; seconds until they are given up
_CONTENT = struct.Struct(">32sQ16s")  # the plan, milliseconds, and what makes it another one each time
_MAC = 32


class Tickets:
    """Gives tickets, and takes each once."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._used: dict[bytes, float] = {}

    def given(self, plan: bytes) -> bytes:
        """Return a new ticket for a plan."""
        content = _CONTENT.pack(plan, _now() + SECONDS * 1000, os.urandom(16))
        return content + self._mac(content)

    def taken(self, ticket: bytes) -> bytes | None:
        """Return the plan of a ticket, which is then used; None when it is not good (any more)."""
        content, mac = ticket[: _CONTENT.size], ticket[_CONTENT.size :]
        if len(content) != _CONTENT.size or not hmac.compare_digest(mac, self._mac(content)):
            return None
        plan, until, number = _CONTENT.unpack(content)
        now = _now()
        self._used = {n: end for n, end in self._used.items() if end > now} if len(self._used) >= USED else self._used
        if until < now or number in self._used or len(self._used) >= USED:
            return None
        self._used[number] = until
        return bytes(plan)

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, hashlib.sha256)


def _now() -> int:
    return int(time.monotonic() * 1000)


class Early:
    """Datagrams of senders of whom no offer has come yet, for a while."""

    def __init__(self) -> None:
        self._held: dict[Address, tuple[float, list[tuple[Endpoint, bytes]]]] = {}

    def hold(self, sender: Address, end: Endpoint, data: bytes) -> bool:
        """Keep a datagram; return whether there was room for it."""
        now = time.monotonic()
        if sender not in self._held and len(self._held) >= SENDERS:
            self._held = {s: (until, rows) for s, (until, rows) in self._held.items() if until > now}
            if len(self._held) >= SENDERS:
                return False
        until, rows = self._held.setdefault(sender, (now + PATIENCE, []))
        if until <= now:
            until, rows = self._held[sender] = (now + PATIENCE, [])
        if len(rows) >= HELD:
            return False
        rows.append((end, data))
        return True

    def released(self, sender: Address) -> list[tuple[Endpoint, bytes]]:
        """Return what is kept of a sender, and keep it no more."""
        until, rows = self._held.pop(sender, (0.0, []))
        return rows if until > time.monotonic() else []
