"""Connections by what a server chose before: without waiting for it, and with nothing taken twice."""

import asyncio
import copy

import pytest
from connecting import BRIEF, built, mapped, serving, stores, until

from bertha_ir.runtime.connections.client import connect
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.connections.memory import Memory
from bertha_ir.runtime.connections.ways import ways

NOTE = "message Note { id: u32; text: bytes; }"
PLAIN = (
    f"{NOTE} stack app(client, server) {{ request: serialize(Note) |> udp(4242); response: serialize(Note) |> udp; }}"
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return built(tmp_path_factory.mktemp("plain") / "app", PLAIN)


class Store:
    """An application that keeps what it is sent, in order, and sends it back."""

    def __init__(self):
        self.taken = []

    async def each(self, connection):
        async for record in connection:
            self.taken.append(record.id)
            await connection.send(record)

    def serving(self, folders, **options):
        return serving(folders, "app", self.each, mapped=options.pop("mapped", mapped(4242)), **options)


async def exchanged(client, numbers):
    """Send records, and return the ids of as many that come back."""
    for number in numbers:
        await client.send(client.record(number, b"text"))
    async with asyncio.timeout(5):
        return [(await client.receive()).id for _ in numbers]


def test_the_second_connection_does_not_wait(plain):
    """It sends before the server has answered, as the first one may not; each connection is one at the server."""
    store, memory = Store(), Memory()

    async def main():
        async with store.serving([plain]) as server:
            for turn in range(5):
                async with await connect([plain], "app", server.address, memory=memory) as client:
                    assert client.confirmed == (turn == 0)
                    assert await exchanged(client, range(3)) == [0, 1, 2]
                    await until(lambda: client.confirmed)
            assert server.counts["connections"] == 5
            assert store.taken == [0, 1, 2] * 5

    asyncio.run(main())


def test_a_ticket_is_good_once(plain):
    """Of two clients with the same memory, as one has whose datagrams are replayed, the second negotiates; what it had
    sent before is taken once.
    """
    store, memory = Store(), Memory()

    async def main():
        async with store.serving([plain]) as server:
            await (await connect([plain], "app", server.address, memory=memory)).close()
            stolen = copy.deepcopy(memory)
            for remembered, numbers in ((memory, range(3)), (stolen, range(10, 20))):
                async with await connect([plain], "app", server.address, memory=remembered) as client:
                    assert not client.confirmed
                    assert await exchanged(client, numbers) == [*numbers]
            assert server.counts["refused"] == 1
            assert store.taken == [*range(3), *range(10, 20)]

    asyncio.run(main())


def test_another_server_at_the_address_negotiates(plain):
    """One that was started again knows no ticket of the one before; nothing is lost and nothing is taken twice."""
    store, memory = Store(), Memory()

    async def main():
        async with store.serving([plain]) as server:
            address, data = server.address, server.doors.link(server.doors.service).local
            await (await connect([plain], "app", address, memory=memory)).close()
        again = {"mapped": {server.doors.service: data}, "negotiate": address}
        async with store.serving([plain], **again), await connect([plain], "app", address, memory=memory) as client:
            assert not client.confirmed
            assert await exchanged(client, range(70)) == [*range(70)]
        assert store.taken == [*range(70)]
        with pytest.raises(ConnectionLost, match="nobody at"):
            await connect([plain], "app", address, memory=Memory(), patience=BRIEF)
        client = await connect([plain], "app", address, memory=memory, patience=BRIEF)
        with pytest.raises(ConnectionLost, match="nobody at"):
            await client.receive()

    asyncio.run(main())


def test_a_choice_that_does_not_hold_is_made_again(tmp_path):
    """After the server moved to another plan, a client that remembers the old one gets the new one."""
    folders = [*stores(tmp_path, kernel="kernel(h1), h1", process="h1").values()]
    known = [w.id for w in ways(folders, "kv")]
    memory = Memory()

    async def main():
        async with serving(folders) as server:
            async with await connect(folders, "kv", server.address, memory=memory) as client:
                assert client.way.id == known[0]
            await server.move(known[1])
            async with await connect(folders, "kv", server.address, memory=memory) as client:
                await client.send(client.record(1, 7, 1, 0, 5, b"x"))
                assert (await client.receive()).request == 1
                assert client.way.id == known[1]

    asyncio.run(main())


def test_early_data_without_a_ticket_is_not_taken(plain):
    """Datagrams before an offer without a ticket, or with a forged one, reach no application."""
    store, memory = Store(), Memory()

    async def main():
        async with store.serving([plain]) as server:
            client = await connect([plain], "app", server.address, memory=memory)
            ((key, known),) = memory._known.items()
            forged = bytes(known.ticket[:-1]) + bytes([known.ticket[-1] ^ 1])
            memory._known[key] = type(known)(known.plan, known.at, forged, known.until)
            async with await connect([plain], "app", server.address, memory=memory) as other:
                assert not other.confirmed
                assert await exchanged(other, [1, 2]) == [1, 2]
            assert store.taken == [1, 2]
            await client.close()

    asyncio.run(main())
