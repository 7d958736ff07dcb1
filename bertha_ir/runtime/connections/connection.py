"""A connection: records go in at one end and come out at the other, by the plan that both ends run."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Self

from bertha_ir.runtime.negotiation.patience import Patience, asked
from bertha_ir.runtime.negotiation.wire import Close, Done, Envelope, Message, Ping, Returned, inner

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from bertha_ir.runtime.connections.lane import Lane
    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.keys import Session
    from bertha_ir.runtime.udp import Endpoint

INBOX = 4096  # records that wait for the application; what comes when there are so many is not taken
QUIET, LONGEST = 0.5, 10.0  # seconds without a message after which a lane that was left ends; at most
ALIVE, SILENT = 5.0, 3  # seconds between questions whether the other end is there; unanswered ones in a row
RETRY = 0.002  # seconds until what a chunnel did not take is tried again
BRIEF = 1.0  # seconds that closing waits for the other end
log = logging.getLogger(__name__)


class ConnectionLost(ConnectionError):  # noqa: N818  (named as those of the standard library)
    """The connection ended, or never began; says why."""


class Connection:
    """One end of a connection; an asynchronous context manager, and an iterator over what is received.

    `lane`: what messages are sent by now. `at`: the endpoint, as the stack names it, at which the last record that was
    received had arrived. `counts`: `moves` from one plan to another; messages that were not taken: `overflow`, as the
    application had too many to take already, and `strangers`, as they were not the other end's.
    """

    def __init__(self, name: bytes, session: Session, patience: Patience) -> None:
        self.name, self.session = name, session
        self.counts: Counter[str] = Counter()
        self.at: Endpoint = (0, 0)
        self.epoch = 0
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[tuple[Any, Endpoint]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._answers: dict[tuple[int, int], asyncio.Future[None]] = {}
        self._lanes: dict[int, Lane] = {}
        self.lane: Lane
        self._may_send, self._has_room = asyncio.Event(), asyncio.Event()
        self._has_room.set()
        self._ended: str | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def way(self) -> Way:
        """The plan that messages are sent by now."""
        return self.lane.way

    @property
    def fields(self) -> dict[str, str]:
        """What log records say of the connection, besides their message."""
        plan = {"plan": self.way.id.hex()} if hasattr(self, "lane") else {}
        return {"connection": self.name.hex(), **plan}

    @property
    def record(self) -> type:
        """The type of what `send` takes: a message of the stack, or bytes."""
        return self.lane.codec.record

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._ended is not None

    async def send(self, record: Any) -> None:  # noqa: ANN401  (a record of the stack's)
        """Send a record. It waits while the plan changes, and while a chunnel that repairs losses has too many on their
        way. `ConnectionLost` when the connection has ended.
        """
        if not self._may_send.is_set():
            await self._may_send.wait()
        self._check()
        lane = self.lane
        if not lane.send(record) and lane.codec.waits:
            await self._send_later(record)
        if lane.drained is not None:
            await lane.drained()

    async def receive(self) -> Any:  # noqa: ANN401  (a record of the stack's)
        """Return the next record. `ConnectionLost` when the connection has ended and nothing is left to take."""
        while not self._inbox:
            self._check()
            turn: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(turn)
            await turn
        record, self.at = self._inbox.popleft()
        if len(self._inbox) < INBOX // 2:
            self._has_room.set()
        return record

    async def close(self) -> None:
        """End the connection, and tell the other end; may be called again."""
        if self._ended is None:
            self._finish("it was closed")
            try:
                await self.request(Close(), patience=Patience(whole=min(BRIEF, self._patience.whole)))
            except TimeoutError:
                log.debug("nobody confirmed that a connection ends", extra=self.fields)
        await self._clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401  (a record of the stack's)
        try:
            return await self.receive()
        except ConnectionLost:
            raise StopAsyncIteration from None

    # What follows is for the modules of this package.

    def out(self, data: bytes) -> None:
        """Send the other end a datagram of the negotiation."""
        raise NotImplementedError

    def tell(self, message: Message) -> None:
        """Send the other end a message of the negotiation, once."""
        body = inner(self.name, message)
        self.out(Envelope(self.name, message, body, self.session.seal(body)).data)

    async def request(self, message: Message, number: int = 0, patience: Patience | None = None) -> None:
        """Send a message until the other end says that it was done. TimeoutError when it does not."""
        key = (message.KIND, number)
        answer = self._answers.setdefault(key, self._loop.create_future())
        try:
            await asked(lambda: self.tell(message), answer, patience or self._patience)
        finally:
            self._answers.pop(key, None)

    def take(self, message: Message) -> bool:
        """Take an authentic message about the connection; return whether it was one that both ends do alike."""
        match message:
            case Done(of, number):
                answer = self._answers.get((of, number))
                if answer is not None and not answer.done():
                    answer.set_result(None)
            case Returned(epoch, data):
                if epoch in self._lanes:
                    self._lanes[epoch].came_back(data)
            case Ping(number):
                self.tell(Done(Ping.KIND, number))
            case Close(why):
                self.tell(Done(Close.KIND))
                self.end(why or "the other end closed it")
            case _:
                return False
        return True

    def arrived(self, epoch: int, data: bytes, at: Endpoint = (0, 0)) -> None:
        """Take data of an epoch, unless the application has too much to do: then it is as if it had been lost."""
        lane = self._lanes.get(epoch)
        if lane is None:
            self.counts["strangers"] += 1
            return
        if len(self._inbox) >= INBOX:
            self.counts["overflow"] += 1
            lane.counts["overflow"] += 1
            return
        records, back = lane.arrived(data)
        for record in records:
            self._inbox.append((record, at))
        if records:
            self._woken(len(records))
        for one in back:
            self.tell(Returned(epoch, one))

    async def room(self) -> None:
        """Wait until the application has taken enough for more to come."""
        if len(self._inbox) >= INBOX:
            self._has_room.clear()
            await self._has_room.wait()

    def stream_ended(self, epoch: int, why: str) -> None:
        """Take it that the stream of an epoch ended: if it is the present one, so does the connection."""
        if epoch == self.epoch:
            self.end(why)

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the connection, that ends with it."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def expect(self, lane: Lane) -> None:
        """Take what comes on a new lane."""
        self._lanes[lane.epoch] = lane
        lane.fields = {**self.fields, "plan": lane.way.id.hex()}

    async def forsake(self, epoch: int) -> None:
        """Take nothing more on a lane that was expected."""
        lane = self._lanes.pop(epoch, None)
        if lane is not None:
            await lane.close()

    def enter(self, lane: Lane) -> None:
        """Send by a new lane from now on; the old one ends when nothing has come or gone on it for a while."""
        self.expect(lane)
        old = self._lanes.get(self.epoch) if self.epoch != lane.epoch else None
        self.epoch, self.lane = lane.epoch, lane
        lane.start()
        if old is not None:
            self.counts["moves"] += 1
            self.start_task(self._left(old))

    async def watch(self) -> None:
        """Ask again and again whether the other end is there; end the connection when it does not answer."""
        number = silent = 0
        while silent < SILENT:
            await asyncio.sleep(ALIVE)
            number = (number + 1) % (1 << 32)
            try:
                await self.request(Ping(number), number, Patience(whole=ALIVE))
                silent = 0
            except TimeoutError:
                silent += 1
        self.end(f"the other end has been silent for {2 * ALIVE * SILENT:g} s")

    def end(self, why: str) -> None:
        """End the connection without telling the other end."""
        if self._ended is None:
            self._finish(why)
            self._ending = self._loop.create_task(self._clear())

    async def _send_later(self, record: Any) -> None:  # noqa: ANN401  (a record of the stack's)
        """Try again and again to send what a chunnel did not take, until it hears of earlier ones."""
        deadline = self._loop.time() + LONGEST
        while True:
            await asyncio.sleep(RETRY)
            await self._may_send.wait()
            self._check()
            if self.lane.send(record):
                return
            if self._loop.time() > deadline:
                self.end(f"the other end has confirmed nothing for {LONGEST:g} s")

    async def _left(self, lane: Lane) -> None:
        for _ in range(int(LONGEST / QUIET)):
            await asyncio.sleep(QUIET)
            if self._loop.time() - lane.used >= QUIET:
                break
        await self.forsake(lane.epoch)

    def _woken(self, count: int) -> None:
        """Let so many of those that wait for a record look again."""
        while self._waiting and count:
            turn = self._waiting.popleft()
            if not turn.done():  # it was not cancelled
                turn.set_result(None)
                count -= 1

    def _finish(self, why: str) -> None:
        self._ended = why
        log.info("a connection ended: %s", why, extra=self.fields)
        self._may_send.set()
        self._has_room.set()
        self._woken(len(self._waiting))

    def _check(self) -> None:
        if self._ended is not None:
            raise ConnectionLost(self._ended)

    async def _clear(self) -> None:
        for task in [t for t in self._tasks if t is not asyncio.current_task()]:
            task.cancel()
        while self._lanes:
            _, lane = self._lanes.popitem()
            await lane.close()
