"""The client's end of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertha_ir.runtime.connections.codec import Codec
from bertha_ir.runtime.connections.connection import Connection
from bertha_ir.runtime.connections.lane import Lane
from bertha_ir.runtime.connections.life import WayError, start
from bertha_ir.runtime.connections.link import ANY, Link
from bertha_ir.runtime.connections.pipe import dialled
from bertha_ir.runtime.connections.pushed import Pushed
from bertha_ir.runtime.negotiation.wire import Done, Move, Moved, Push, Ready, WireError, opened
from bertha_ir.runtime.udp import address

if TYPE_CHECKING:
    from bertha_ir.runtime.connections.client import Using
    from bertha_ir.runtime.connections.dialling import Dialling
    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.keys import Session
    from bertha_ir.runtime.negotiation.wire import Answer
    from bertha_ir.runtime.udp import Address, Endpoint

EARLY = 64  # records that are sent before the server has answered; the next one waits for that


class ClientConnection(Connection):
    """The client's end of a connection."""

    def __init__(self, name: bytes, session: Session, using: Using) -> None:
        super().__init__(name, session, using.patience)
        self._using = using
        self._pushed: Pushed | None = None
        self._moving = 0
        self._dialling: Dialling | None = None
        self._early: list[Any] | None = None

    @property
    def local(self) -> Address:
        """Where its datagrams come from."""
        return self._link.local

    @property
    def pushes(self) -> int:
        """The number of the server's last push that is in use; 0 when there is none."""
        return self._pushed.number if self._pushed else 0

    @property
    def confirmed(self) -> bool:
        """Whether the server has said that it has started the plan."""
        return self._early is None

    async def begin(self, way: Way, at: Endpoint, link: Link, dialling: Dialling | None = None) -> None:
        """Start a plan: that which the server chose, or, while `dialling`, the one that it chose the last time.
        `WayError` or OSError when it cannot be started.
        """
        lane = await self._opened(0, way, at, link)
        await self.forsake(0)
        self._link, self._dialling = link, dialling
        self._early = [] if dialling else self._early
        self.enter(lane)
        self._may_send.set()

    def settled(self, name: bytes, session: Session, answer: Answer) -> None:
        """Take it that the server has started the plan. What was sent before it has begun anew is sent again."""
        anew, self._dialling = name != self.name, None
        self.name, self.session = name, session
        early, self._early = self._early or [], None
        self._using.memory.learn(self._using.server, self.way, answer)
        self._may_send.set()
        for record in early if anew else ():
            self.lane.send(record)
        self.start_task(self._readied())
        self.start_task(self.watch())

    async def send(self, record: Any) -> None:  # noqa: ANN401  (a record of the stack's)
        """Send a record, as any end does. Before the server has answered, a few are kept, in case it takes none."""
        await super().send(record)
        if self._early is not None:
            self._early.append(record)
            if len(self._early) >= EARLY:
                self._may_send.clear()

    async def _readied(self) -> None:
        try:
            await self.request(Ready())
        except TimeoutError:
            self.end("the server does not take it that this end is ready")

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
                self._control(data, sender)
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

    def _control(self, data: bytes, sender: Address) -> None:
        if self._dialling is not None:
            self._dialling.take(data, sender)
            return
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
