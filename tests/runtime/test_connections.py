"""Connections between two ends of one process, over loopback."""

import asyncio
from contextlib import suppress

import pytest
from connecting import BRIEF, HOSTS, LOOPBACK, SECRETS, SERVICE, asked, built, mapped, serving, shard_of, stores, until

from bertha_ir.runtime.artifact import ArtifactError
from bertha_ir.runtime.connections.client import connect
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.connections.life import Host, WayError
from bertha_ir.runtime.connections.ways import ways
from bertha_ir.runtime.registry.base import Offer
from bertha_ir.runtime.registry.sqlite import SqliteRegistry

NOTE = "message Note { id: u32; text: bytes; }"
SECRET = f"""{NOTE}
stack app(client, server) {{
  request: serialize(Note) |> http2 |> encrypt(secret("session")) |> tcp(4243);
  response: serialize(Note) |> http2 |> encrypt(secret("session")) |> tcp;
  require confidential;
}}"""
PLAIN = (
    f"{NOTE} stack app(client, server) {{ request: serialize(Note) |> udp(4242); response: serialize(Note) |> udp; }}"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Artifacts of the key-value store: sharded in the kernel, with the process standing by, and in the process."""
    return stores(tmp_path_factory.mktemp("stores"), kernel="kernel(h1), h1", process="h1")


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    return built(tmp_path_factory.mktemp("secret") / "app", SECRET)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return built(tmp_path_factory.mktemp("plain") / "app", PLAIN)


def plan(folder, stack="kv"):
    return ways([folder], stack)[0].id


def test_each_request_arrives_at_its_shard(folders):
    """Whether the plan has sharding in the kernel, which may not be used here, or in the process."""

    async def main(folder):
        async with serving([folder]) as server, await connect([folder], "kv", server.address) as client:
            for number in range(100):
                port, value = await asked(client, number, number * 7919)
                assert (port, value) == (shard_of(number * 7919), b"v%d" % number)
            assert client.way.id == plan(folder)

    for folder in folders.values():
        asyncio.run(main(folder))


def test_the_server_chooses_among_what_both_have(folders):
    """By its own order, not the client's; the operator's policy may turn it round; with no common plan, it says so."""
    kernel, process = folders["kernel"], folders["process"]

    async def chosen(server_has, client_has, **options):
        async with serving(server_has, **options) as server, await connect(client_has, "kv", server.address) as client:
            return client.way.id

    async def main():
        assert await chosen([kernel, process], [process, kernel]) == plan(kernel)
        assert await chosen([kernel, process], [process]) == plan(process)
        last_first = lambda plans: plans[::-1]  # noqa: E731
        assert await chosen([kernel, process], [process, kernel], policy=last_first) == plan(process)
        with pytest.raises(ConnectionLost, match="no plan that is offered is one of the server's"):
            await chosen([kernel], [process])
        with pytest.raises(ConnectionLost, match="the policy allows none"):
            await chosen([kernel], [kernel], policy=lambda _: [])
        with pytest.raises(ConnectionLost, match="the policy allows none"):
            await chosen([kernel], [kernel], policy=lambda plans: plans[7])

    asyncio.run(main())


def test_clients_do_themselves_what_the_server_leaves_to_them(folders):
    """After a push, requests arrive at the shards' own sockets: the server's program sees none. A client that takes no
    push is served correctly all the same.
    """

    async def main():
        async with serving([folders["process"]], push=True) as server:
            seen = []
            running = await server.running(server.known[0])
            program = running.run
            running.run = lambda *message: (seen.append(message), program(*message))[1]
            async with await connect([folders["process"]], "kv", server.address) as client:
                await until(lambda: client.pushes > 0)
                for number in range(50):
                    assert await asked(client, number, number) == (shard_of(number), b"v%d" % number)
                assert seen == []
            async with await connect([folders["process"]], "kv", server.address, push=False) as client:
                for number in range(50):
                    assert await asked(client, number, number) == (shard_of(number), b"v%d" % number)
                assert len(seen) == 50

    asyncio.run(main())


def test_moves_lose_and_repeat_nothing(folders):
    """Two plans, ten times back and forth, under requests all the time: each is answered once, by its shard."""
    both = [folders["kernel"], folders["process"]]

    async def main():
        async with serving(both) as server, await connect(both, "kv", server.address) as client:
            done = asyncio.Event()
            answers = []

            async def receiving():
                async for reply in client:
                    answers.append((reply.request, int(reply.value.partition(b" ")[0])))  # noqa: PERF401

            async def sending():
                number = 0
                while not done.is_set():
                    await client.send(client.record(number, 7, 1, 0, number, b""))
                    number += 1
                    if number % 8 == 0:
                        await asyncio.sleep(0)
                        await until(lambda: number - len(answers) <= 64)  # noqa: B023
                return number

            reading, writing = asyncio.create_task(receiving()), asyncio.create_task(sending())
            for turn in range(10):
                assert await server.move(plan(both[(turn + 1) % 2])) == {}
                assert client.way.id == plan(both[(turn + 1) % 2])
                await asyncio.sleep(0.03)
            done.set()
            sent = await writing
            with suppress(TimeoutError):
                await until(lambda: len(answers) >= sent)
            reading.cancel()
            assert sorted(number for number, _ in answers) == list(range(sent))
            assert all(port == shard_of(number) for number, port in answers)
            assert client.counts["moves"] == 10
            with pytest.raises(WayError, match="no artifact folder of the server has the plan"):
                await server.move(bytes(32))

    asyncio.run(main())


def test_a_client_without_the_plan_stays_where_it_is(folders):
    """Its connection goes on by the old plan, and the server says why."""

    async def main():
        both = [folders["kernel"], folders["process"]]
        async with serving(both) as server, await connect(both[:1], "kv", server.address) as client:
            why = await server.move(plan(both[1]))
            assert [*why.values()] == ["this end does not have that plan"]
            assert (await asked(client, 1, 1))[0] == shard_of(1)

    asyncio.run(main())


async def echo(connection):
    async for record in connection:
        await connection.send(record)


def test_records_over_a_stream_with_secrets(secret):
    """Of any size, many at once, in order; a client with another secret gets no answer, and the server none of it."""
    options = {"stack": "app", "each": echo, "secrets": SECRETS, "mapped": {(SERVICE[0], 4243): (LOOPBACK, 0)}}

    async def main():
        async with serving([secret], **options) as server:
            async with await connect([secret], "app", server.address, secrets=SECRETS) as client:
                sent = [client.record(n, bytes(n % 251 for _ in range(n * 37 % 5000))) for n in range(300)]
                for record in sent:
                    await client.send(record)
                assert [await client.receive() for _ in sent] == sent
            with pytest.raises(ConnectionLost, match="or its secrets are others"):
                await connect([secret], "app", server.address, secrets={"session": b"x" * 32}, patience=BRIEF)
            assert server.counts["forged"] > 0
            with pytest.raises(ArtifactError, match="needs the secret `session`"):
                await connect([secret], "app", server.address)

    asyncio.run(main())


def test_an_end_that_closes_or_falls_silent_ends_the_connection(plain, monkeypatch):
    """The other end's `receive` says so; nothing of it is left at the server."""
    options = {"stack": "app", "each": echo, "mapped": mapped(4242)}

    async def main():
        async with serving([plain], **options) as server:
            client = await connect([plain], "app", server.address)
            await client.close()
            with pytest.raises(ConnectionLost, match="it was closed"):
                await client.send(client.record)
            await until(lambda: not server.connections)
            client = await connect([plain], "app", server.address)
        with pytest.raises(ConnectionLost, match="the other end closed it"):
            await client.receive()
        await client.close()
        with pytest.raises(ConnectionLost, match=r"nobody at .* answers within 0.4 s"):
            await connect([plain], "app", server.address, patience=BRIEF)

        monkeypatch.setattr("bertha_ir.runtime.connections.connection.ALIVE", 0.05)
        async with serving([plain], **options) as server:
            client = await connect([plain], "app", server.address)
            server.control.close()
            with pytest.raises(ConnectionLost, match="has been silent"):
                async with asyncio.timeout(5):
                    await client.receive()

    asyncio.run(main())


def test_what_is_sent_by_anybody_else_is_not_taken(plain):
    """Datagrams of strangers, at either end, to data and to negotiation: counted, and nothing more."""

    async def main():
        options = {"stack": "app", "each": echo, "mapped": mapped(4242)}
        async with serving([plain], **options) as server, await connect([plain], "app", server.address) as client:
            loop = asyncio.get_running_loop()
            stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(LOOPBACK, 0))
            service = server.doors.link(SERVICE).local
            for there in (service, server.address, ("127.0.0.1", client.local[1])):
                stranger.sendto(b"\0\0\0\1hello", there)
            await client.send(client.record(5, b"mine"))
            assert await client.receive() == (5, b"mine")
            assert server.counts["garbage"] == 1
            assert client.lane.counts["received"] == 1
            assert client.counts["strangers"] == 1
            stranger.close()

    asyncio.run(main())


def test_two_plans_of_the_same_folder(tmp_path):
    """Another way through a `select` is negotiated when the server's policy forbids the first."""
    text = f"""{NOTE}
    stack app(client, server) {{
      request: serialize(Note) |> select {{ compress | none prefer compress }} |> udp(4242);
      response: serialize(Note) |> udp;
    }}"""
    folder = built(tmp_path / "app", text, HOSTS)
    known = ways([folder], "app")
    assert len(known) == 2

    async def main():
        for policy, expected in ((None, known[0]), (lambda plans: plans[1:], known[1])):
            options = {"stack": "app", "each": echo, "mapped": mapped(4242), "policy": policy}
            async with serving([folder], **options) as server, await connect([folder], "app", server.address) as client:
                await client.send(client.record(1, b"text"))
                assert await client.receive() == (1, b"text")
                assert client.way.id == expected.id

    asyncio.run(main())


def test_a_claim_that_is_lost_is_made_up_for(tmp_path, monkeypatch):
    """While the switch's program is offered, its slot is claimed, and the process shards nothing. When the offer is
    withdrawn, the process does, for connections that there are already; nobody holds a slot of what is offered anew.
    """
    monkeypatch.setattr("bertha_ir.runtime.connections.life.LEASE", 0.4)
    folder = stores(tmp_path, switch="tor")["switch"]
    registry = SqliteRegistry(tmp_path / "registry")
    offer = Offer("kv_pipeline", "tor", 1)
    held = registry.offer(offer, 60)

    async def main():
        host = Host(registry=registry)
        async with serving([folder], host=host) as server, await connect([folder], "kv", server.address) as client:
            assert (await asked(client, 1, 5))[0] == SERVICE[1]  # no switch is here that would send it elsewhere
            assert [o.free for o in registry.offers()] == [0]
            registry.release(held)
            await until(lambda: server.counts["lost"] == 1 and any(not r.claims for r in server.started))
            for number in range(2, 20):
                assert (await asked(client, number, number))[0] == shard_of(number)
            assert client.counts["moves"] == 0

    asyncio.run(main())
    registry.offer(offer, 60)
    assert [o.free for o in registry.offers()] == [1]
    registry.close()
