"""The client's half: offers its plans, and starts the one that the server chose, or one that it remembers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bertha_ir.runtime.connections.client_end import ClientConnection
from bertha_ir.runtime.connections.codec import secrets_of
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.connections.dialling import Dialling
from bertha_ir.runtime.connections.life import Host, WayError
from bertha_ir.runtime.connections.link import ANY, Link
from bertha_ir.runtime.connections.memory import Memory
from bertha_ir.runtime.connections.ways import ways
from bertha_ir.runtime.negotiation.keys import Keys
from bertha_ir.runtime.negotiation.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bertha_ir.runtime.connections.memory import Remembered
    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.udp import Address


async def connect(  # noqa: PLR0913  (all but three have defaults and are given by name)
    folders: Iterable[str | Path],
    stack: str,
    server: Address,
    *,
    secrets: Mapping[str, bytes] | None = None,
    host: Host | None = None,
    push: bool = True,
    memory: Memory | None = None,
    patience: Patience | None = None,
) -> ClientConnection:
    """Connect to a server over a stack that was compiled, and return the connection.

    `folders`: artifact folders, the client's favourite first; `server`: where the server negotiates, IP and UDP port;
    `secrets`: by name, those of the stack; `host`: what the process may use of its host; `push`: whether to do here
    what the server leaves to clients; `memory`: what servers chose before: where that is known, over UDP, records may
    be sent at once. `ArtifactError` for folders that do not do; `ConnectionLost` when there is no connection, after
    what `patience` says for each plan tried.
    """
    plans = [*ways(folders, stack)]
    given = secrets_of(plans[0], secrets or {})
    using = Using(plans, given, server, host=host, patience=patience, memory=memory, push=push)
    remembered = using.memory.of(server, plans) if plans[0].stack.transport != "tcp" else None
    if remembered is not None:
        try:
            return await using.at_once(remembered)
        except Unstarted as error:
            using.gave_up(error)
    return await using.connected()


class Unstarted(Exception):  # noqa: N818  (it is caught here)
    """The plan that the server chose cannot be started at this end."""

    def __init__(self, way: Way, why: Exception) -> None:
        super().__init__(str(why))
        self.way = way


class Using:
    """What `connect` was given: the plans that are left to try, and the rest."""

    def __init__(  # noqa: PLR0913  (what `connect` was given)
        self,
        plans: list[Way],
        secrets: Mapping[str, bytes],
        server: Address,
        *,
        host: Host | None,
        patience: Patience | None,
        memory: Memory | None,
        push: bool,
    ) -> None:
        self.plans, self.secrets, self.server, self.push = plans, secrets, server, push
        self.host, self.patience = host or Host(), patience or Patience()
        self.memory = memory if memory is not None else Memory()
        self._keys = Keys.of(secrets, plans[0].specification)
        self._before = ""

    def way(self, plan: bytes) -> Way:
        """Return the plan of an id, which is one of those that are left."""
        return next(w for w in self.plans if w.id == plan)

    def gave_up(self, error: Unstarted) -> None:
        """Offer a plan no more that cannot be started here."""
        self.plans.remove(error.way)
        self._before = f"{error.way.name} cannot be started here: {error}"

    async def connected(self, connection: ClientConnection | None = None) -> ClientConnection:
        """Offer the plans until one is started at both ends; have `connection`, if there is one already, go on with it.
        `ConnectionLost` when there is none.
        """
        while self.plans:
            try:
                return await self._connected(connection)
            except Unstarted as error:
                self.gave_up(error)
            except ConnectionLost as error:
                if not self._before:
                    raise
                msg = f"{error}; {self._before}"
                raise ConnectionLost(msg) from error
        raise ConnectionLost(self._before)

    async def _connected(self, connection: ClientConnection | None) -> ClientConnection:
        link = Link(ANY)
        try:
            dialling = Dialling(self.plans, self._keys, link, self.server)
            link.receiver = dialling.take
            answer, session = await dialling.answered(self.patience)
        except BaseException:
            link.close()
            raise
        way = self.way(answer.plan)
        end = connection or ClientConnection(dialling.name, session, self)
        try:
            await end.begin(way, answer.at, link)
        except (WayError, OSError) as error:
            link.close()
            raise Unstarted(way, error) from error
        end.settled(dialling.name, session, answer)
        return end

    async def at_once(self, remembered: Remembered) -> ClientConnection:
        """Return a connection by the plan that the server chose before, and has not confirmed yet. `Unstarted` when it
        cannot be started here.
        """
        link = Link(ANY)
        way = self.way(remembered.plan)
        dialling = Dialling(self.plans, self._keys, link, self.server, remembered.ticket)
        end = ClientConnection(dialling.name, dialling.nobody, self)
        try:
            await end.begin(way, remembered.at, link, dialling)
        except (WayError, OSError) as error:
            link.close()
            raise Unstarted(way, error) from error
        self._confirming = asyncio.get_running_loop().create_task(self._confirmed(end, dialling))
        return end

    async def _confirmed(self, end: ClientConnection, dialling: Dialling) -> None:
        """Wait for the server's word on what was remembered; negotiate anew when it does not hold any more."""
        try:
            answer, session = await dialling.answered(self.patience)
        except ConnectionLost:
            if end.closed:
                return
            try:
                await self.connected(end)
            except ConnectionLost as error:
                end.end(str(error))
        else:
            end.settled(dialling.name, session, answer)
