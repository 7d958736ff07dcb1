"""The server's end of a connection."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bertha_ir.runtime.connections.codec import Codec
from bertha_ir.runtime.connections.connection import Connection
from bertha_ir.runtime.connections.lane import Lane
from bertha_ir.runtime.connections.pipe import joined
from bertha_ir.runtime.negotiation.wire import Done, Envelope, Move, Moved, Ready

if TYPE_CHECKING:
    import asyncio

    from bertha_ir.runtime.connections.life import Running
    from bertha_ir.runtime.connections.link import Link
    from bertha_ir.runtime.connections.server import Server
    from bertha_ir.runtime.negotiation.keys import Session
    from bertha_ir.runtime.udp import Address, Endpoint

log = logging.getLogger(__name__)


class Accepted(Connection):
    """The server's end of a connection, which a client's offer began."""

    def __init__(self, name: bytes, session: Session, client: Address, server: Server) -> None:
        super().__init__(name, session, server.patience)
        self.client = client
        self._server = server
        self._running: dict[int, Running] = {}
        self._moved: dict[int, asyncio.Future[str]] = {}

    def begin(self, running: Running) -> None:
        """Have the plan ready that was chosen; data is sent when the client is ready as well."""
        self.enter(self.opened(0, running, self.client))
        self.start_task(self.watch())

    def out(self, data: bytes) -> None:
        """Send the client a datagram of the negotiation."""
        self._server.control.send(data, self.client)

    def arrived(self, epoch: int, data: bytes, at: Endpoint = (0, 0)) -> None:
        """Take data of an epoch: who sends it is ready."""
        self.ready()
        super().arrived(epoch, data, at)

    def restarted(self, old: Running, new: Running) -> None:
        """Have what the old one did for this connection be done by the new one, if it is of the same plan."""
        for epoch in [e for e, running in self._running.items() if running is old and old.way.id == new.way.id]:
            self._running[epoch] = new

    def running(self, epoch: int) -> Running | None:
        """Return the plan of an epoch."""
        return self._running.get(epoch)

    @property
    def fields(self) -> dict[str, str]:
        """What log records say of the connection."""
        return {**super().fields, "client": f"{self.client[0]}:{self.client[1]}"}

    @property
    def is_ready(self) -> bool:
        """Whether the client has said that it is ready, or the connection has ended."""
        return self._may_send.is_set()

    @property
    def used(self) -> set[bytes]:
        """The ids of the plans that it still uses."""
        return {running.way.id for running in self._running.values()}

    def opened(self, epoch: int, running: Running, client: Address) -> Lane:
        """Make the lane of an epoch, whose datagrams come from and go to that address."""
        doors = self._server.doors
        lane = Lane(epoch, running.way, Codec(running, self._server.secrets), _nowhere)
        if not doors.stream:

            def transmit(data: bytes) -> None:
                kernel = self._running[epoch].in_kernel
                through: Link = doors.link(self.at if kernel else doors.service)
                through.send(data, client)

            lane.transmit = transmit
            self._server.expect(client, self, epoch)
            lane.owned.callback(self._server.forget, client)
        self._running[epoch] = running
        lane.owned.callback(self._running.pop, epoch, None)
        self._server.tally.begin(lane)
        lane.owned.callback(self._server.tally.end, lane)
        lane.owned.push_async_callback(self._server.unused)
        return lane

    def streamed(self, epoch: int, stream: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Take the stream of an epoch."""
        lane = self._lanes.get(epoch)
        if lane is None or lane.drained is not None:
            stream[1].close()
            return
        self.ready()
        joined(self, lane, lane.way.records("request"), stream)

    def take_from(self, envelope: Envelope, sender: Address) -> None:
        """Take an authentic message of the client's."""
        match envelope.message:
            case Ready():
                self.tell(Done(Ready.KIND))
                self.ready()
            case Moved(epoch, why):
                self._take_moved(epoch, why, sender)
            case message:
                self.take(message)

    def ready(self) -> None:
        """Send from now on: the client has started the plan."""
        if not self._may_send.is_set():
            self._may_send.set()
            self._server.accept(self)

    async def move(self, running: Running, at: tuple[int, int]) -> str:
        """Go on with another plan, once the client has started it; return why not, or nothing. TimeoutError when the
        client does not say.
        """
        epoch = self.epoch + 1
        self._moved[epoch] = self._loop.create_future()
        self._next = running
        try:
            await self.request(Move(epoch, running.way.id, at), epoch)
            return self._moved[epoch].result() if self._moved[epoch].done() else ""
        finally:
            self._moved.pop(epoch, None)

    def _take_moved(self, epoch: int, why: str, sender: Address) -> None:
        """Take it that the client has moved, or not: as often as it says so."""
        asked = self._moved.get(epoch)
        if asked is not None and not asked.done():
            asked.set_result(why)
            if not why:
                self.client = sender
                self.enter(self.opened(epoch, self._next, sender))
                self._server.counts["moves"] += 1
                log.info("a connection goes on with another plan", extra=self.fields)
            self.take(Done(Move.KIND, epoch))
        if epoch <= self.epoch:
            self.tell(Done(Moved.KIND, epoch))


def _nowhere(_data: bytes) -> None:
    """Send nothing: the client's stream has not come yet."""
