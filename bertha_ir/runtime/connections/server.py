"""The server's end: what it serves, whom it has accepted, and moving all of them from one plan to another."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

from bertha_ir.runtime.connections.answering import Answering
from bertha_ir.runtime.connections.codec import secrets_of
from bertha_ir.runtime.connections.doors import Doors
from bertha_ir.runtime.connections.giving import Giving
from bertha_ir.runtime.connections.life import Host, WayError, start
from bertha_ir.runtime.connections.link import Link
from bertha_ir.runtime.connections.pipe import PREAMBLE, proof
from bertha_ir.runtime.connections.tally import Tally
from bertha_ir.runtime.connections.tickets import Early
from bertha_ir.runtime.connections.ways import ways
from bertha_ir.runtime.negotiation.patience import Patience
from bertha_ir.runtime.negotiation.wire import Fetch, Offer, Push, VersionError, WireError, opened
from bertha_ir.runtime.state import rows_of
from bertha_ir.runtime.udp import endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from bertha_ir.runtime.connections.accepted import Accepted
    from bertha_ir.runtime.connections.life import Running
    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.wire import Rows
    from bertha_ir.runtime.udp import Address, Endpoint

    Policy = Callable[[Sequence[Way]], Sequence[Way]]

STREAM = 5.0  # seconds in which a stream must have said whose it is
log = logging.getLogger(__name__)


async def serve(  # noqa: PLR0913  (all but two have defaults and are given by name)
    folders: Iterable[str | Path],
    stack: str,
    negotiate: Address | None = None,
    *,
    mapped: Mapping[Endpoint, Address] | None = None,
    secrets: Mapping[str, bytes] | None = None,
    host: Host | None = None,
    policy: Policy | None = None,
    push: bool = False,
    patience: Patience | None = None,
) -> Server:
    """Serve a stack that was compiled, and return the server, which connections can be taken from.

    `folders`: artifact folders, the server's favourite first; `negotiate`: where offers come to, IP and UDP port, by
    default the port behind the service's; `mapped`: where endpoints of the stack really are, if not where they say;
    `secrets`: by name, those of the stack; `host`: what the process may use of its host; `policy`: the operator's,
    which puts the plans that a client offers in order, and leaves out what must not be; `push`: whether clients do
    themselves what can be left to them. `ArtifactError` for folders that do not do, OSError when an address cannot
    be had.
    """
    server = Server(ways(folders, stack), mapped or {}, secrets or {}, host or Host(), patience or Patience())
    server.policy = policy or server.policy
    server.push = push
    await server.open(negotiate)
    return server


class Server:
    """A service. `async for connection in server` takes connections; `counts` says what became of offers, `tally` what
    became of messages; `since` is when it began, by the host's clock.
    """

    def __init__(
        self,
        known: tuple[Way, ...],
        mapped: Mapping[Endpoint, Address],
        secrets: Mapping[str, bytes],
        host: Host,
        patience: Patience,
    ) -> None:
        self.known, self.host, self.patience = known, host, patience
        self.secrets = secrets_of(known[0], secrets)
        self.doors = Doors(known, mapped)
        self.policy: Policy = lambda plans: plans
        self.push = False
        self.counts: Counter[str] = Counter()
        self.tally, self.since = Tally(), time.monotonic()
        self.connections: dict[bytes, Accepted] = {}
        self._giving = Giving(known[0].artifact, known[0].stack.name, self.secrets)
        self._answering, self.early = Answering(self), Early()
        self._started: dict[bytes, asyncio.Task[Running]] = {}
        self.favourite: bytes | None = None
        self._latest = b""
        self._pushes = 0
        self._by_client: dict[Address, tuple[Accepted, int]] = {}
        self._accepted: asyncio.Queue[Accepted | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, negotiate: Address | None) -> None:
        """Open the sockets. OSError when an address cannot be had; none is open then."""
        await self.doors.open(self.arrived, self._stream)
        try:
            ip, port = self.known[0].stack.service or (None, 0)
            self.control = Link(negotiate or (ip or "0.0.0.0", port + 1), self._control)  # noqa: S104  (unknown: all)
        except BaseException:
            await self.doors.close()
            raise

    @property
    def started(self) -> tuple[Running, ...]:
        """The plans that are started, in the order in which they were."""
        done = (t for t in self._started.values() if t.done() and not t.cancelled() and t.exception() is None)
        return tuple(task.result() for task in done)

    @property
    def address(self) -> Address:
        """Where it negotiates."""
        return self.control.local

    def __aiter__(self) -> AsyncIterator[Accepted]:
        return self

    async def __anext__(self) -> Accepted:
        found = await self._accepted.get()
        if found is None:
            raise StopAsyncIteration
        return found

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, and end what was started; may be called again."""
        await asyncio.gather(*(c.close() for c in [*self.connections.values()]))
        await self._answering.close()
        for joining in [*self._tasks]:
            joining.cancel()
        self.control.close()
        await self.doors.close()
        while self._started:
            _, task = self._started.popitem()
            await _end(task)
        self._accepted.put_nowait(None)

    async def move(self, plan: bytes) -> dict[bytes, str]:
        """Have every connection go on with another plan, and new ones begin with it; return why some do not, by their
        name. `WayError` when the plan cannot be started, or is none that the server has.
        """
        way = next((w for w in self.known if w.id == plan), None)
        if way is None:
            msg = f"no artifact folder of the server has the plan {plan.hex()[:12]}"
            raise WayError(msg)
        running = await self.running(way)
        self.favourite = plan
        moving = [c for c in self.connections.values() if c.way.id != plan]
        done = await asyncio.gather(*(self._moved(c, running) for c in moving))
        return {c.name: why for c, why in zip(moving, done, strict=True) if why}

    # What follows is for the modules of this package.

    async def running(self, way: Way) -> Running:
        """Return a plan that was started, once for all connections. `WayError` when it cannot be."""
        self._latest = way.id
        task = self._started.get(way.id)
        if task is None or (task.done() and task.exception() is not None):
            task = self._started[way.id] = asyncio.create_task(start(way, "server", self.host))
            keeping = asyncio.get_running_loop().create_task(self._kept(way, task))
            self._tasks.add(keeping)
            keeping.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _kept(self, way: Way, task: asyncio.Task[Running]) -> None:
        """When a claim of a plan is lost, start the plan again, with what stands by in its place, or go to another."""
        await asyncio.wait((task,))
        if task.cancelled() or task.exception() is not None:
            return
        running = task.result()
        await running.lost.wait()
        log.warning("a claim of the plan %s is lost", way.name, extra={"plan": way.id.hex()})
        self.counts["lost"] += 1
        del self._started[way.id]
        for other in sorted(self.known, key=lambda known: known.id != way.id):
            try:
                again = await self.running(other)
            except WayError as error:
                log.warning("%s", error)
                continue
            for connection in self.connections.values():
                connection.restarted(running, again)
            if other.id != way.id:
                await self.move(other.id)
            break
        await running.end()

    def expect(self, client: Address, connection: Accepted, epoch: int) -> None:
        """Take what comes from an address for the data of a connection's epoch."""
        self._by_client[client] = connection, epoch

    def forget(self, client: Address) -> None:
        """Take nothing more from an address."""
        self._by_client.pop(client, None)

    def accept(self, connection: Accepted) -> None:
        """Give the application a connection whose client is ready."""
        self.counts["connections"] += 1
        log.info("a connection began", extra=connection.fields)
        self._accepted.put_nowait(connection)
        if self.push:
            connection.start_task(self._pushed(connection))

    async def unused(self) -> None:
        """End the plans that no connection uses any more, but for the one that was asked for last."""
        self.connections = {name: c for name, c in self.connections.items() if not c.closed}
        used = {plan for c in self.connections.values() for plan in c.used} | {self._latest}
        for plan in [p for p, task in self._started.items() if p not in used and task.done()]:
            await _end(self._started.pop(plan))

    async def _moved(self, connection: Accepted, running: Running) -> str:
        try:
            return await connection.move(running, self.at)
        except TimeoutError as error:
            return str(error)

    @property
    def at(self) -> Endpoint:
        """Where data goes, for clients: at the address by which they have reached this one."""
        return 0, self.doors.real(self.doors.service)[1]

    async def _pushed(self, connection: Accepted) -> None:
        """Leave to a client what can be left to it."""
        running = connection.running(connection.epoch)
        if running is None or running.movable is None or self.doors.stream:
            return
        self._pushes += 1
        tables = {name: self._real(rows_of(*table)) for name, table in running.tables.items()}
        push = Push(self._pushes, running.movable, tables)
        try:
            await connection.request(push, push.number)
            self.counts["pushes"] += 1
        except TimeoutError:
            log.info("a client does not do itself what could be left to it", extra=connection.fields)

    def _real(self, rows: Rows) -> Rows:
        """Return rows of a table with the endpoints in them where they really are."""
        return tuple((match, self.doors.real_values(values)) for match, values in rows)

    def _control(self, data: bytes, sender: Address) -> None:
        """Take a message of the negotiation, from anybody."""
        try:
            envelope = opened(data)
        except VersionError as error:
            self.counts["other versions"] += 1
            self._answering.other_version(sender, error)
            return
        except WireError:
            self.counts["garbage"] += 1
            return
        if isinstance(envelope.message, Fetch):
            answer = self._giving.given(envelope)
            if answer is not None:
                self.control.send(answer, sender)
            return
        if isinstance(envelope.message, Offer):
            self._answering.take(envelope, sender)
            return
        connection = self.connections.get(envelope.connection)
        if connection is None:
            self._answering.unknown(envelope, sender)
        elif connection.session.fits(envelope.inner, envelope.mac):
            connection.take_from(envelope, sender)
        else:
            self.counts["forged"] += 1

    def arrived(self, end: Endpoint, data: bytes, sender: Address) -> None:
        """Take a datagram: where the path is this process, it says first where the message belongs."""
        known = self._by_client.get(sender)
        if known is None:
            if not self.early.hold(sender, end, data):
                self.counts["strangers"] += 1
            return
        connection, epoch = known
        running = connection.running(epoch)
        if running is not None and running.run is not None and end == self.doors.service:
            verdict, data, _, end = running.run(data, endpoint(sender), end)
            if verdict == "bounce":
                self.doors.link(self.doors.service).send(data, sender)
            if verdict != "pass":
                self.counts[verdict] += 1
                return
        connection.arrived(epoch, data, end)

    def _stream(self, end: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._joined(end, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _joined(self, end: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give a stream to the connection that its first bytes name, if they prove it."""
        try:
            name, epoch, mac = PREAMBLE.unpack(await asyncio.wait_for(reader.readexactly(PREAMBLE.size), STREAM))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.close()
            return
        connection = self.connections.get(name)
        if connection is None or not connection.session.fits(proof(name, epoch), mac):
            self.counts["strangers"] += 1
            writer.close()
            return
        connection.at = end
        connection.streamed(epoch, (reader, writer))


async def _end(task: asyncio.Task[Running]) -> None:
    """End a plan that was started, or is being started."""
    try:
        running = await task
    except WayError:
        return
    await running.end()
