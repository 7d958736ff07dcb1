"""The sharded key-value store as clients see it: processes, sockets, and a service that outlives its troubles."""

import random
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[2] / "examples" / "kv_shard" / "server.py"
SHARDS = ("10.0.0.1:9001", "10.0.0.1:9002", "10.0.0.1:9003")
REQUEST, REPLY = struct.Struct(">QQBBQ"), struct.Struct(">QBB")
GET, PUT = 0, 1


def shard_of(key: int) -> int:
    """FNV-1a, written once more."""
    digest = 0xCBF29CE484222325
    for byte in struct.pack(">Q", key):
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return digest % 3


def keys_of(shard: int):
    return (key for key in range(10**6) if shard_of(key) == shard)


@pytest.fixture
def store(compiled_examples, start):
    """Three shards and the front; the address of the service, and the processes."""
    folder = compiled_examples["kv_shard"]
    shards = [start(SERVER, folder, "--shard", number) for number in range(3)]
    maps = [
        x for name, (_, place) in zip(SHARDS, shards, strict=True) for x in ("--map", f"{name}={place[0]}:{place[1]}")
    ]
    front, service = start("-m", "bertha_ir.runtime", "front", folder, "kv", "--listen", "127.0.0.1:0", *maps)
    return folder, service, front, shards


@pytest.fixture
def client(store):
    """A socket connected to the service: the kernel drops what comes from any other address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(2)
        made.connect(store[1])
        yield made


def ask(client, number, key, op=GET, value=b""):
    client.send(REQUEST.pack(number, 7, op, 0, key) + value)


def answer(client):
    data = client.recv(65535)
    return *REPLY.unpack_from(data), data[REPLY.size :]


def test_10000_requests_are_each_answered_by_the_right_shard(client):
    """None is lost, none answered twice or by a shard that does not own the key, and what was put is got."""
    rng = random.Random(5)
    keys = [rng.getrandbits(64) for _ in range(500)]
    asked, stored, shards = {}, {}, [0, 0, 0]
    sent = answered = 0
    while answered < 10_000:
        while sent < 10_000 and len(asked) < 32:
            key = rng.choice(keys)
            op = PUT if key not in stored else GET
            if any(k == key for k, _ in asked.values()):
                continue
            asked[sent] = key, op
            ask(client, sent, key, op, key.to_bytes(9, "little") if op == PUT else b"")
            sent += 1
        number, shard, status, value = answer(client)
        key, op = asked.pop(number)
        assert (shard, status, value) == (shard_of(key), 0, key.to_bytes(9, "little"))
        stored[key] = True
        shards[shard] += 1
        answered += 1
    assert sum(shards) == 10_000
    assert min(shards) > 2500
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.recv(1)


def test_whatever_arrives_the_service_stays(store, client):
    """Empty, short, random and largest datagrams, from many sockets; afterwards a request is answered as ever."""
    _, service, front, _ = store
    rng = random.Random(6)
    for size in [0, 1, 25, 26, 27, 1472, 1473, 9000, 65507, *(rng.randrange(60) for _ in range(300))]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(rng.randbytes(size), service)
    for number in range(3):
        ask(client, number, number)
        assert answer(client)[:2] == (number, shard_of(number))
    assert front.poll() is None


def test_values_of_every_size_come_back(client):
    """From nothing to the largest that a reply holds, across fragments on the way."""
    for number, size in enumerate([0, 1, 1446, 1447, 8000, 65507 - REQUEST.size]):
        value = bytes(number for _ in range(size))
        ask(client, number, 99, PUT, value)
        assert answer(client) == (number, shard_of(99), 0, value)


def test_a_shard_that_ends_takes_only_its_keys_along(store, client, start):
    """While one shard is gone the others answer; when it is back, at its old port, so does it."""
    folder, _, front, shards = store
    (gone, (_, port)), down, up = shards[1], next(keys_of(1)), next(keys_of(2))
    gone.kill()
    gone.wait()
    for number in range(20):
        ask(client, number, down)
        ask(client, 100 + number, up)
        assert answer(client)[:2] == (100 + number, 2)
    start(SERVER, folder, "--shard", 1, "--port", port)
    ask(client, 500, down)
    assert answer(client)[:2] == (500, 1)
    assert front.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_the_front(store, number):
    """Exit status 0, at once."""
    front = store[2]
    begin = time.monotonic()
    front.send_signal(number)
    assert front.wait(timeout=5) == 0
    assert time.monotonic() - begin < 1
