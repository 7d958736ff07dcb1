"""What a server says of itself: as data, to who may ask, and in its log."""

import asyncio
import json
import logging
import os
import stat

import pytest
from connecting import LOOPBACK, asked, built, connect, mapped, serving, stores, until
from project import ROOT

from bertha_ir.runtime import presence
from bertha_ir.runtime.connections.life import Host
from bertha_ir.runtime.described import SHAPE, described, fits
from bertha_ir.runtime.presence import Presence, PresenceError, servers
from bertha_ir.runtime.registry.base import Offer
from bertha_ir.runtime.registry.sqlite import SqliteRegistry

PLAIN = """message Note { id: u32; text: bytes; }
stack app(client, server) { request: serialize(Note) |> udp(4242); response: serialize(Note) |> udp; }"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Sharding in the process; or in the switch."""
    return stores(tmp_path_factory.mktemp("stores"), process="h1", switch="tor")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder of servers' sockets, with a name too long for the path of a socket."""
    found = tmp_path / ("long" * 30)
    monkeypatch.setenv("BERTHA_RUNTIME_DIR", str(found))
    return found


def as_read(server):
    """What a server says of itself, as whoever reads it has it."""
    found = json.loads(json.dumps(described(server)))
    assert fits(found)
    return found


def test_plans_connections_and_counts(folders):
    """Of what is, and of what was: a connection that ended is counted, and listed no more."""

    async def main():
        folder = folders["process"]
        async with serving([folder]) as server:
            before = as_read(server)
            assert (before["plans"], before["connections"], before["counts"]) == ([], [], {})
            async with await connect([folder], "kv", server.address) as client:
                for number in range(20):
                    await asked(client, number, number)
                now = as_read(server)
                (plan,), (connection,) = now["plans"], now["connections"]
                assert plan["counts"] == {"received": 20, "sent": 20}
                assert (plan["plan"], plan["connections"]) == (client.way.id.hex(), 1)
                assert plan["process"] == ["kv_request"] or plan["process"] == ["kv_request_standby"]
                assert (plan["kernel"], plan["elsewhere"]) == ([], [])
                assert connection["client"] == f"{LOOPBACK}:{client.local[1]}"
                assert connection["connection"] == client.name.hex()
                assert (connection["epoch"], connection["ready"]) == (0, True)
                assert now["counts"] == {"answered": 1, "connections": 1}
                assert (now["stack"], now["pid"]) == ("kv", os.getpid())
                assert now["negotiate"] == f"{LOOPBACK}:{server.address[1]}"
            await until(lambda: not server.connections)
            async with await connect([folder], "kv", server.address) as client:
                await asked(client, 1, 1)
                (plan,) = as_read(server)["plans"]
                assert plan["counts"] == {"received": 21, "sent": 21}

    asyncio.run(main())


def test_claims_of_other_devices(folders, tmp_path):
    """Listed while they are held; what is not on offer is done in the process."""

    async def main(registry):
        used = [folders["switch"]]
        async with serving(used, host=Host(registry=registry)) as server, await connect(used, "kv", server.address):
            (plan,) = as_read(server)["plans"]
            return plan["elsewhere"], bool(plan["process"])

    with SqliteRegistry(tmp_path / "registry.db") as registry:
        assert asyncio.run(main(registry)) == ([], True)
        held = registry.offer(Offer("kv_pipeline", "tor", 1), 60)
        assert asyncio.run(main(registry)) == ([{"program": "kv_pipeline", "device": "tor"}], False)
        registry.release(held)


def test_moves_and_pushes_are_counted(folders):
    """And each connection is listed with the plan that it has by then."""
    both = [folders["process"], folders["switch"]]

    async def main():
        async with serving(both, push=True) as server, await connect(both, "kv", server.address) as client:
            await until(lambda: client.pushes > 0)
            await server.move(server.known[1].id)
            found = as_read(server)
            assert found["counts"]["moves"] == found["counts"]["pushes"] == 1
            assert [p["connections"] for p in found["plans"]] == [0, 1]
            assert found["connections"][0]["epoch"] == 1

    asyncio.run(main())


def test_what_does_not_fit_is_not_what_a_server_says():
    """Another schema, a part that is missing, or of another type, however deep."""
    good = {
        "schema": 1, "stack": "kv", "pid": 1, "started": "", "seconds": 1.5, "listen": "", "negotiate": "", "known": [],
        "plans": [], "connections": [], "counts": {"answered": 1},
    }  # fmt: skip
    assert fits(good)
    assert fits({**good, "more": None})
    for key, wrong in (("schema", 2), ("pid", True), ("plans", [{}]), ("known", [1]), ("counts", {"a": "b"})):
        assert not fits({**good, key: wrong})
        assert not fits({k: v for k, v in good.items() if k != key})
    assert not any(fits(data) for data in ([], None, "x"))


def told():
    """What servers say, asked from another thread, as from another process."""
    return asyncio.to_thread(lambda: [*servers()])


@pytest.fixture
def note(tmp_path):
    return built(tmp_path / "app", PLAIN)


def test_servers_are_found_until_they_end(note, place):
    """Two of one process; nobody else may come near their sockets, and nothing of them is left."""

    async def main():
        async with (
            serving([note], "app", mapped=mapped(4242)) as first,
            serving([note], "app", mapped=mapped(4242)) as second,
        ):
            assert await told() == []
            async with Presence(lambda: described(first)), Presence(lambda: described(second)):
                found = await told()
                at = {f"{LOOPBACK}:{server.address[1]}" for server in (first, second)}
                assert {server["negotiate"] for server in found} == at
                assert stat.S_IMODE(place.stat().st_mode) == 0o700
                assert [stat.S_IMODE(p.stat().st_mode) for p in place.iterdir()] == [0o600, 0o600]
            assert await told() == []
            assert [*place.iterdir()] == []

    asyncio.run(main())


def test_what_a_killed_server_leaves_is_removed(place):
    """By whoever looks next, and by the next server; sockets of others that live stay, and what is no socket."""
    place.mkdir(mode=0o700)
    folder = os.open(place, os.O_RDONLY)
    live = presence._listening(folder, "live.sock")
    presence._listening(folder, "dead.sock").close()
    assert sorted(p.name for p in place.iterdir()) == ["dead.sock", "live.sock"]
    with live:
        presence._swept(folder)
        assert [p.name for p in place.iterdir()] == ["live.sock"]
    assert [*servers()] == []
    assert [*place.iterdir()] == []
    (place / "file.sock").touch()
    (place / "link.sock").symlink_to(place / "file.sock")
    assert [*servers()] == []
    assert sorted(p.name for p in place.iterdir()) == ["file.sock", "link.sock"]
    os.close(folder)


@pytest.mark.parametrize("said", [b"", b"{", b"[1]", b'{"schema": 1}', b"[" * 100_000, b"1" * 10_000, b" " * 300_000])
def test_a_server_that_says_nonsense_is_not_listed(said, place, monkeypatch):
    """Nor one that says nothing, nor one that says too much: whatever it does, the rest are listed in time."""
    monkeypatch.setattr(presence, "PATIENCE", 0.2)
    monkeypatch.setattr(presence, "MOST", 200_000)

    async def tell(_reader, writer):
        writer.write(said)
        await asyncio.sleep(0 if said else 1)
        writer.close()

    async def main():
        made = Presence(dict)
        made._tell = tell
        async with made:
            assert await told() == []
            assert [p.suffix for p in place.iterdir()] == [".sock"]

    asyncio.run(main())


def test_a_folder_that_others_may_enter_is_not_used(place):
    """Nor a file, nor a link, nor one whose parent is not there."""
    place.mkdir(mode=0o755)
    place.chmod(0o755)

    async def opened():
        with pytest.raises(PresenceError, match="no folder for the server's socket"):
            await Presence(dict).open()

    asyncio.run(opened())
    assert [*servers()] == []
    place.rmdir()
    place.write_text("")
    asyncio.run(opened())
    place.unlink()
    target = place.with_name("target")
    target.mkdir(mode=0o700)
    place.symlink_to(target)
    asyncio.run(opened())
    assert [*target.iterdir()] == []


def test_log_records_have_fields(note, caplog):
    """Whose connection, and which plan: at both ends, when it begins and when it ends."""

    async def main():
        async with serving([note], "app", mapped=mapped(4242)) as server:
            async with await connect([note], "app", server.address) as client:
                await client.send(client.record(1, b"x"))
                await until(lambda: server.counts["connections"] == 1)
                at = f"{LOOPBACK}:{client.local[1]}"
            await until(lambda: not server.connections)
            return client, at

    with caplog.at_level(logging.INFO, "bertha_ir.runtime"):
        client, at = asyncio.run(main())
    found = [r for r in caplog.records if getattr(r, "client", None) == at]
    assert [r.getMessage() for r in found] == ["a connection began", "a connection ended: the other end closed it"]
    assert {(r.connection, r.plan) for r in found} == {(client.name.hex(), client.way.id.hex())}


def test_the_documents_name_what_is_said():
    """Every key that a server says of itself is in docs/json.md."""
    text = (ROOT / "docs" / "json.md").read_text()

    def keys(shape):
        if isinstance(shape, dict):
            return {k for k in shape if k is not str}.union(*map(keys, shape.values()))
        return keys(shape[0]) if isinstance(shape, list) else set()

    assert keys(SHAPE) >= {"stack", "elsewhere", "epoch"}
    assert not [key for key in keys(SHAPE) if f"`{key}`" not in text]
