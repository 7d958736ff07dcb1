"""The client's end: offers its plans, starts the one that the server chose, and follows it to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.runtime.connections.codec import Codec, secrets_of
from bertha_ir.runtime.connections.connection import Connection, ConnectionLost
from bertha_ir.runtime.connections.dialling import Dialling
from bertha_ir.runtime.connections.lane import Lane
from bertha_ir.runtime.connections.life import Host, WayError, start
from bertha_ir.runtime.connections.link import Link
from bertha_ir.runtime.connections.pipe import dialled
from bertha_ir.runtime.connections.pushed import Pushed
from bertha_ir.runtime.connections.ways import ways
from bertha_ir.runtime.negotiation.keys import Keys
from bertha_ir.runtime.negotiation.patience import Patience
from bertha_ir.runtime.negotiation.wire import Done, Move, Moved, Push, Ready, WireError, opened
from bertha_ir.runtime.udp import address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.keys import Session
    from bertha_ir.runtime.udp import Address, Endpoint

ANY: Address = ("0.0.0.0", 0)  # noqa: S104  (a client's socket, on whatever interface leads to the server)


async def connect(  # noqa: PLR0913  (all but three have defaults and are given by name)
    folders: Iterable[str | Path],
    stack: str,
    server: Address,
    *,
    secrets: Mapping[str, bytes] | None = None,
    host: Host | None = None,
    push: bool = True,
    patience: Patience | None = None,
) -> ClientConnection:
    """Connect to a server over a stack that was compiled, and return the connection.

    `folders`: artifact folders, the client's favourite first; `server`: where the server negotiates, IP and UDP port;
    `secrets`: by name, those of the stack; `host`: what the process may use of its host; `push`: whether to do here
    what the server leaves to clients. `ArtifactError` for folders that do not do; `ConnectionLost` when there is no
    connection, after what `patience` says for each plan tried.
    """
    left = [*ways(folders, stack)]
    using = _Using(left, secrets_of(left[0], secrets or {}), host or Host(), patience or Patience(), server)
    using.push = push
    before = ""
    while left:
        try:
            return await using.connected()
        except _Unstarted as error:
            left.remove(error.way)
            before = f"{error.way.name} cannot be started here: {error}"
        except ConnectionLost as error:
            if not before:
                raise
            msg = f"{error}; {before}"
            raise ConnectionLost(msg) from error
    raise ConnectionLost(before)


class _Unstarted(Exception):  # noqa: N818  (it is caught here)
    """The plan that the server chose cannot be started at this end."""

    def __init__(self, way: Way, why: Exception) -> None:
        super().__init__(str(why))
        self.way = way


class _Using:
    """What `connect` was given: the plans that are left to try, and the rest."""

    def __init__(
        self, plans: list[Way], secrets: Mapping[str, bytes], host: Host, patience: Patience, server: Address
    ) -> None:
        self.plans, self.secrets, self.host, self.patience, self.server = plans, secrets, host, patience, server
        self.push = True

    async def connected(self) -> ClientConnection:
        """Offer the plans, and start the one that the server chooses; `_Unstarted` when it cannot be started here."""
        link = Link(ANY)
        try:
            dialling = Dialling(self.plans, Keys.of(self.secrets, self.plans[0].specification), link, self.server)
            link.receiver = dialling.take
            answer, session = await dialling.answered(self.patience)
        except BaseException:
            link.close()
            raise
        way = next(w for w in self.plans if w.id == answer.plan)
        connection = ClientConnection(dialling.name, session, link, self)
        try:
            await connection.begin(way, answer.at)
        except (WayError, OSError, TimeoutError) as error:
            raise _Unstarted(way, error) from error
        return connection


class ClientConnection(Connection):
    """The client's end of a connection."""

    def __init__(self, name: bytes, session: Session, link: Link, using: _Using) -> None:
        super().__init__(name, session, using.patience)
        self._link, self._using = link, using
        self._pushed: Pushed | None = None
        self._moving = 0

    @property
    def local(self) -> Address:
        """Where its datagrams come from."""
        return self._link.local

    @property
    def pushes(self) -> int:
        """The number of the server's last push that is in use; 0 when there is none."""
        return self._pushed.number if self._pushed else 0

    async def begin(self, way: Way, at: Endpoint) -> None:
        """Start the plan that the server chose, and say so. When it cannot be started, the connection is closed."""
        try:
            self.enter(await self._opened(0, way, at, self._link))
            await self.request(Ready())
        except BaseException:
            await self.close()
            self._link.close()
            raise
        self._may_send.set()
        self.start_task(self.watch())

    def out(self, data: bytes) -> None:
        """Send the server a datagram of the negotiation."""
        self._link.send(data, self._using.server)

    async def _opened(self, epoch: int, way: Way, at: Endpoint, link: Link) -> Lane:
        """Start a plan as that of an epoch, whose datagrams go through a socket of their own."""
        server = self._using.server
        where = address(at) if at[0] else (server[0], at[1])
        pushed = Pushed(way, where, link)
        running = await start(way, "client", self._using.host)
        lane = Lane(epoch, way, Codec(running, self._using.secrets), pushed.send)
        lane.owned.push_async_callback(running.end)
        lane.owned.callback(link.close)

        def received(data: bytes, sender: Address) -> None:
            if sender == server:
                self._control(data)
            elif sender in pushed.peers:
                self.arrived(epoch, data)
            else:
                self.counts["strangers"] += 1

        try:
            if way.stack.transport == "tcp":
                await dialled(self, lane, way.records("response"), where)
        except BaseException:
            await lane.close()
            raise
        link.receiver, self._pushed = received, pushed
        return lane

    def _control(self, data: bytes) -> None:
        try:
            envelope = opened(data)
        except WireError:
            self.counts["strangers"] += 1
            return
        if envelope.connection != self.name or not self.session.fits(envelope.inner, envelope.mac):
            self.counts["strangers"] += 1
            return
        match envelope.message:
            case Push(number) as push:
                if self._using.push and self._pushed is not None and self._pushed.take(push):
                    self.tell(Done(Push.KIND, number))
            case Move(epoch) as move if epoch > max(self.epoch, self._moving):
                self._moving = epoch
                self.start_task(self._move(move))
            case message:
                self.take(message)

    async def _move(self, move: Move) -> None:
        """Go on with another plan. Nothing is sent until both ends have started it; what was sent before still arrives
        by the old one.
        """
        way = next((w for w in self._using.plans if w.id == move.plan), None)
        if way is None:
            self.tell(Moved(move.epoch, "this end does not have that plan"))
            self._moving = self.epoch
            return
        old = self._link
        self._may_send.clear()
        try:
            link = Link(ANY)
            lane = await self._opened(move.epoch, way, move.at, link)
            self._link = link
            self.expect(lane)
            await self.request(Moved(move.epoch), move.epoch)
            self.enter(lane)
        except (WayError, OSError, TimeoutError) as error:
            self._link, self._moving = old, self.epoch
            await self.forsake(move.epoch)
            self.tell(Moved(move.epoch, str(error)[:200]))
        finally:
            self._may_send.set()
