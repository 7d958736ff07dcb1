"""The server's half of a negotiation: takes offers, starts the plan that it chooses, and answers each offer once."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from bertha_ir.runtime.connections.accepted import Accepted
from bertha_ir.runtime.connections.life import WayError
from bertha_ir.runtime.connections.tickets import SECONDS, Tickets
from bertha_ir.runtime.negotiation.keys import Keys
from bertha_ir.runtime.negotiation.wire import (
    CONNECTION,
    VERSION,
    Answer,
    Close,
    Done,
    Envelope,
    Offer,
    Refusal,
    inner,
)

if TYPE_CHECKING:
    from bertha_ir.runtime.connections.life import Running
    from bertha_ir.runtime.connections.server import Server
    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.wire import Message, VersionError
    from bertha_ir.runtime.udp import Address

CONNECTIONS = 10_000  # at once
UNREADY = 10.0  # seconds in which a client must say that it is ready
REMEMBERED = 10.0  # seconds for which an answer is repeated to who repeats its offer
_NOBODY = bytes(CONNECTION)
log = logging.getLogger(__name__)


class Answering:
    """What a server says to offers. The same offer gets the same answer; nobody but who has the secrets gets one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._keys = Keys.of(server.secrets, server.known[0].specification)
        self._tickets = Tickets()
        self._said: dict[bytes, tuple[bytes, bytes]] = {}
        self._under_way: dict[bytes, asyncio.Task[None]] = {}

    def take(self, envelope: Envelope, sender: Address) -> None:
        """Take an offer."""
        name = envelope.connection
        if not self._keys.offered(envelope.inner, envelope.mac):
            self._server.counts["forged"] += 1
            return
        if name in self._said:
            offer, answer = self._said[name]
            if offer == envelope.inner:
                self._server.control.send(answer, sender)
            return
        if name not in self._under_way and name not in self._server.connections:
            task = asyncio.get_running_loop().create_task(self._answered(envelope, sender))
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))

    def unknown(self, envelope: Envelope, sender: Address) -> None:
        """Say of a connection that is none, or no more, that it is closed, so that its client need not find out. Nobody
        who has secrets believes it.
        """
        if self._keys.key is None and not isinstance(envelope.message, Done):
            ended = isinstance(envelope.message, Close)
            closed = Done(Close.KIND) if ended else Close("the server has no such connection")
            body = inner(envelope.connection, closed)
            self._server.control.send(Envelope(envelope.connection, closed, body).data, sender)

    def other_version(self, sender: Address, error: VersionError) -> None:
        """Say which version this is, in the form of this one."""
        refusal = Refusal("version", f"this is version {VERSION}, and not {error.version}")
        self._server.control.send(Envelope(_NOBODY, refusal, inner(_NOBODY, refusal)).data, sender)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in [*self._under_way.values()]:
            task.cancel()

    async def _answered(self, envelope: Envelope, sender: Address) -> None:
        offer = envelope.message
        assert isinstance(offer, Offer)  # noqa: S101  INVARIANT: the caller looked
        name = envelope.connection
        chosen = await self._chosen(offer)
        if not isinstance(chosen, Refusal) and offer.ticket and self._tickets.taken(offer.ticket) != chosen.way.id:
            self._server.early.released(sender)
            chosen = Refusal("ticket", "what was chosen before does not hold any more")
        if isinstance(chosen, Refusal):
            self._server.counts["refused"] += 1
            self._say(envelope, chosen, sender)
            return
        self._server.counts["answered"] += 1
        given, at = self._tickets.given(chosen.way.id), self._server.at
        answer = Answer(chosen.way.id, os.urandom(16), at, chosen.text[:300], given, SECONDS)
        body = inner(name, answer)
        connection = Accepted(name, self._keys.session(envelope.inner, body, "server"), sender, self._server)
        connection.begin(chosen)
        self._server.connections[name] = connection
        asyncio.get_running_loop().call_later(UNREADY, self._given_up, connection)
        self._say(envelope, answer, sender, body)
        for end, data in self._server.early.released(sender) if offer.ticket else ():
            self._server.arrived(end, data, sender)

    async def _chosen(self, offer: Offer) -> Running | Refusal:
        """Return the first plan, by the operator's policy, that both ends have and that starts; or why none is."""
        mine = self._server.known[0]
        if (offer.stack, offer.specification) != (mine.stack.name, mine.specification):
            what = "means something else there" if offer.stack == mine.stack.name else "is not served"
            return Refusal("stack", f"the stack `{offer.stack[:100]}` {what}")
        if len(self._server.connections) >= CONNECTIONS:
            return Refusal("busy", f"there are {CONNECTIONS} connections")
        both = [way for way in self._preferred() if way.id in offer.plans]
        if not both:
            return Refusal("plan", "no plan that is offered is one of the server's")
        allowed = self._allowed(both)
        why = "the policy allows none of the plans that both ends have"
        for way in allowed:
            try:
                return await self._server.running(way)
            except WayError as error:
                why = f"{way.name} cannot be started: {error}"
                log.warning("%s", why, extra={"plan": way.id.hex()})
        return Refusal("start" if allowed else "policy", why[:300])

    def _allowed(self, both: list[Way]) -> list[Way]:
        """Return the plans that the operator's policy lets pass, in its order; none when it fails."""
        try:
            return [way for way in self._server.policy(both) if way in both]
        except Exception:
            log.exception("the policy failed, and so allows nothing")
            return []

    def _preferred(self) -> list[Way]:
        """Return the server's plans, the one that it moved to last before the others."""
        return sorted(self._server.known, key=lambda way: way.id != self._server.favourite)

    def _say(self, envelope: Envelope, message: Message, sender: Address, body: bytes = b"") -> None:
        name = envelope.connection
        body = body or inner(name, message)
        data = Envelope(name, message, body, self._keys.answer(envelope.inner, body)).data
        self._said[name] = envelope.inner, data
        asyncio.get_running_loop().call_later(REMEMBERED, self._said.pop, name, None)
        self._server.control.send(data, sender)

    def _given_up(self, connection: Accepted) -> None:
        if not connection.is_ready:
            connection.end(f"the client was not ready within {UNREADY:g} s")
