"""Where a server's data arrives: a socket for each endpoint that requests may be sent to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bertha_ir.runtime.connections.link import Link
from bertha_ir.runtime.udp import address, endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.udp import Address, Endpoint

    Arrived = Callable[[Endpoint, bytes, Address], None]
    Opened = Callable[[Endpoint, asyncio.StreamReader, asyncio.StreamWriter], None]


class Doors:
    """The sockets of a service, by endpoint as the stack names it. `mapped` says where an endpoint really is."""

    def __init__(self, known: Iterable[Way], mapped: Mapping[Endpoint, Address]) -> None:
        ways = tuple(known)
        self.service = ways[0].service
        self.stream = ways[0].stack.transport == "tcp"
        here = {e for way in ways for e in map(endpoint, way.stack.endpoints) if e[0] == self.service[0]}
        self._endpoints = sorted({self.service} | here)
        self._mapped = mapped
        self._links: dict[Endpoint, Link] = {}
        self._listening: list[asyncio.Server] = []

    async def open(self, arrived: Arrived, opened: Opened) -> None:
        """Open every socket. OSError when an address cannot be had; none is open then."""
        try:
            for end in self._endpoints:
                local = self._mapped.get(end) or address(end)
                if self.stream:
                    await self._listen(end, local, opened)
                else:
                    self._bind(end, local, arrived)
        except BaseException:
            await self.close()
            raise

    def _bind(self, end: Endpoint, local: Address, arrived: Arrived) -> None:
        self._links[end] = Link(local, lambda data, sender: arrived(end, data, sender))
        self._mapped = {**self._mapped, end: self._links[end].local}

    async def _listen(self, end: Endpoint, local: Address, opened: Opened) -> None:
        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            opened(end, reader, writer)

        server = await asyncio.start_server(accepted, *local)
        self._listening.append(server)
        self._mapped = {**self._mapped, end: server.sockets[0].getsockname()[:2]}

    def link(self, end: Endpoint) -> Link:
        """Return the socket of an endpoint; that of the service, if it has none of its own."""
        return self._links.get(end) or self._links[self.service]

    def real(self, end: Endpoint) -> Endpoint:
        """Return where an endpoint really is."""
        return endpoint(self._mapped[end]) if end in self._mapped else end

    def real_values(self, values: tuple[int, ...]) -> tuple[int, ...]:
        """Return the values of a row of a table: if they are an endpoint of the service, then where it really is."""
        return next((self.real(end) for end in self._endpoints if end == values), values)

    async def close(self) -> None:
        """Close every socket; may be called again."""
        for link in self._links.values():
            link.close()
        self._links.clear()
        while self._listening:
            self._listening.pop().close()
