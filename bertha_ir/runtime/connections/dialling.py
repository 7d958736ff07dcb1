"""The client's half of a negotiation: offers plans, and takes the answer, if it is to be trusted."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.negotiation.keys import Session
from bertha_ir.runtime.negotiation.patience import asked
from bertha_ir.runtime.negotiation.wire import (
    CONNECTION,
    Answer,
    Envelope,
    Offer,
    Refusal,
    VersionError,
    WireError,
    inner,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.runtime.connections.link import Link
    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.keys import Keys
    from bertha_ir.runtime.negotiation.patience import Patience
    from bertha_ir.runtime.udp import Address


class Dialling:
    """One offer to a server, under a name of its own for the connection."""

    def __init__(self, plans: Sequence[Way], keys: Keys, link: Link, server: Address, ticket: bytes = b"") -> None:
        self.name = os.urandom(CONNECTION)
        self._keys, self._link, self._server = keys, link, server
        ids = tuple(w.id for w in plans)
        self._offer = Offer(plans[0].stack.name, plans[0].specification, ids, os.urandom(16), ticket)
        self._inner = inner(self.name, self._offer)
        self._data = Envelope(self.name, self._offer, self._inner, keys.offer(self._inner)).data
        self._answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()

    @property
    def nobody(self) -> Session:
        """The key of a connection that nobody knows yet."""
        return Session(os.urandom(32), "client")

    async def answered(self, patience: Patience) -> tuple[Answer, Session]:
        """Return the server's choice and the connection's key; `ConnectionLost` when it refuses, or says nothing."""
        where = f"{self._server[0]}:{self._server[1]}"
        try:
            found = await asked(lambda: self._link.send(self._data, self._server), self._answer, patience)
        except TimeoutError as error:
            hint = ", or its secrets are others" if self._keys.key else ""
            msg = f"nobody at {where} answers within {patience.whole:g} s{hint}"
            raise ConnectionLost(msg) from error
        if isinstance(found.message, Answer):
            return found.message, self._keys.session(self._inner, found.inner, "client")
        msg = f"{where} refuses: {found.message.why if isinstance(found.message, Refusal) else 'it says no'}"
        raise ConnectionLost(msg)

    def take(self, data: bytes, sender: Address) -> None:
        """Take what came: nothing that is not from the server and authentic, and no plan that was not offered."""
        if sender != self._server or self._answer.done():
            return
        try:
            envelope = opened(data)
        except VersionError as error:
            self._refused(str(error))
            return
        except WireError:
            return
        mine = envelope.connection == self.name and self._keys.answered(self._inner, envelope.inner, envelope.mac)
        answers = isinstance(envelope.message, Answer) and envelope.message.plan in self._offer.plans
        if mine and (answers or isinstance(envelope.message, Refusal)):
            self._answer.set_result(envelope)

    def _refused(self, why: str) -> None:
        """Take it that the server speaks another version, if nothing could be authenticated anyway."""
        if self._keys.key is None:
            self._answer.set_result(Envelope(self.name, Refusal("version", why), b""))
