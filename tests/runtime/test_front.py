"""The front, one step at a time, with programs written in the test."""

import logging
import socket
from contextlib import ExitStack

import pytest

from bertha_ir.runtime import udp
from bertha_ir.runtime.udp import Front, address, endpoint

SHARD = (0x0A000001, 9001)


def steering(data, src, dst):
    """To the one shard; but `drop…` and `back…` are dropped and bounced, `stay…` names nobody, `fail…` fails."""
    match data[:4]:
        case b"drop":
            return "drop", data, src, dst
        case b"back":
            return "bounce", data.upper(), src, dst
        case b"stay":
            return "pass", data, src, dst
        case b"zero":
            return "pass", data, src, (0x7F000001, 0)
        case b"long":
            return "pass", data * 20000, src, SHARD
        case b"fail":
            raise ValueError(data)
    return "pass", data + b"!", src, SHARD


@pytest.fixture
def sockets():
    """Make bound sockets of loopback that end with the test."""
    with ExitStack() as stack:

        def made():
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("127.0.0.1", 0))
            one.settimeout(1)
            return one

        yield made


@pytest.fixture
def shard(sockets):
    return sockets()


@pytest.fixture
def make(shard):
    """Make a front that steers to `shard`."""
    with ExitStack() as stack:

        def made(run=steering, **options):
            mapped = {SHARD: endpoint(shard.getsockname())}
            return stack.enter_context(Front(("127.0.0.1", 0), run, mapped=mapped, **options))

        yield made


def test_addresses_and_endpoints_are_each_others_inverse():
    """10.0.0.1:9001 as sockets and as programs see it."""
    assert endpoint(("10.0.0.1", 9001)) == SHARD
    assert address(SHARD) == ("10.0.0.1", 9001)


def test_requests_go_to_their_endpoint_and_replies_come_from_the_service(make, shard, sockets):
    """The client's socket is connected to the service; the shard sees a port that is not the service's."""
    front, client = make(), sockets()
    client.connect(front.listen)
    client.send(b"hello")
    front.step(1)
    data, where = shard.recvfrom(100)
    assert data == b"hello!"
    assert where not in (front.listen, client.getsockname())
    shard.sendto(b"answer", where)
    front.step(1)
    assert client.recv(100) == b"answer"
    assert dict(front.counts) == {"requests": 1, "forwarded": 1, "replies": 1}


def test_clients_are_told_apart(make, shard, sockets):
    """Each client has a socket of its own towards the shards, so that each gets its own answer."""
    front, clients = make(), [sockets() for _ in range(5)]
    for number, client in enumerate(clients):
        client.sendto(str(number).encode(), front.listen)
    front.step(1)
    requests = [shard.recvfrom(10) for _ in clients]
    assert len({where for _, where in requests}) == 5
    for data, where in reversed(requests):
        shard.sendto(data, where)
    for _ in clients:
        front.step(0.1)
    assert [c.recv(10) for c in clients] == [f"{n}!".encode() for n in range(5)]


def test_verdicts_are_carried_out(make, shard, sockets, caplog):
    """Dropped, bounced, for nobody, to no port, too long to send, failing: counted, and no socket is made for them."""
    front, client = make(), sockets()
    with caplog.at_level(logging.ERROR):
        for text in (b"drop", b"back", b"stay", b"fail", b"fail", b"zero", b"long"):
            client.sendto(text, front.listen)
            front.step(1)
    assert client.recv(100) == b"BACK"
    assert dict(front.counts) == {"requests": 7, "dropped": 1, "bounced": 1, "nowhere": 1, "failed": 4}
    assert len(caplog.records) == 1, "a failure that a client can repeat is logged once"
    shard.settimeout(0.05)
    with pytest.raises(TimeoutError):
        shard.recv(1)


def test_strangers_cannot_answer(make, shard, sockets):
    """Only an endpoint that the client's requests went to can send to the client."""
    front, client, stranger = make(), sockets(), sockets()
    client.sendto(b"x", front.listen)
    front.step(1)
    where = shard.recvfrom(10)[1]
    stranger.sendto(b"forged", where)
    front.step(1)
    shard.sendto(b"true", where)
    front.step(1)
    assert client.recv(100) == b"true"
    assert front.counts["strangers"] == 1


def test_sockets_are_bounded_and_the_least_recently_used_goes(make, shard, sockets):
    """With room for three, the fourth client takes the place of the one that was silent for the longest."""
    front, clients = make(clients=3), [sockets() for _ in range(4)]
    for number in (0, 1, 2, 0, 3):
        clients[number].sendto(b"x", front.listen)
        front.step(1)
    assert list(front._flows) == [clients[n].getsockname() for n in (2, 0, 3)]
    clients[1].sendto(b"again", front.listen)
    front.step(1)
    requests = [shard.recvfrom(10) for _ in range(6)]
    shard.sendto(b"ok", requests[-1][1])
    front.step(1)
    assert clients[1].recv(10) == b"ok"


def test_replies_to_a_client_that_lost_its_socket_in_the_same_step_are_gone(make, shard, sockets):
    """The selector found the socket ready before a newer client took its place."""
    front, first, second = make(clients=1), sockets(), sockets()
    first.sendto(b"x", front.listen)
    front.step(1)
    shard.sendto(b"late", shard.recvfrom(10)[1])
    second.sendto(b"y", front.listen)
    front.step(1)
    front.step(0.05)
    assert list(front._flows) == [second.getsockname()]


def test_silent_clients_lose_their_socket(make, sockets, monkeypatch):
    """After `idle` seconds without a datagram, and not before."""
    front, client = make(idle=10), sockets()
    now = [100.0]
    monkeypatch.setattr(udp.time, "monotonic", lambda: now[0])
    client.sendto(b"x", front.listen)
    front.step(1)
    now[0] = 109.9
    front.step(0)
    assert len(front._flows) == 1
    now[0] = 110.0
    front.step(0)
    assert not front._flows


def no_socket():
    raise OSError(24, "Too many open files")


def test_a_process_without_files_takes_the_oldest_clients(make, sockets, monkeypatch):
    """When no socket can be had, those that were silent for the longest give theirs until one can."""
    front, clients = make(), [sockets() for _ in range(3)]
    for client in clients[:2]:
        client.sendto(b"x", front.listen)
        front.step(1)
    make_socket = udp._socket
    monkeypatch.setattr(udp, "_socket", lambda: no_socket() if len(front._flows) > 1 else make_socket())
    clients[2].sendto(b"x", front.listen)
    front.step(1)
    assert list(front._flows) == [c.getsockname() for c in clients[1:]]


def test_a_process_that_never_has_a_file_drops_requests(make, sockets, monkeypatch):
    """And goes on."""
    front, client = make(), sockets()
    monkeypatch.setattr(udp, "_socket", no_socket)
    client.sendto(b"x", front.listen)
    front.step(1)
    assert dict(front.counts) == {"requests": 1, "failed": 1}


def test_replies_go_through_the_response_program(make, shard, sockets):
    """It sees the endpoint's own name, not where that is mapped to, and may change or drop a reply."""
    seen = []

    def response(data, src, dst):
        seen.append((src, dst))
        return "drop" if data == b"no" else "pass", data + b"?", src, dst

    front, client = make(response=response), sockets()
    client.sendto(b"x", front.listen)
    front.step(1)
    where = shard.recvfrom(10)[1]
    for data in (b"no", b"yes"):
        shard.sendto(data, where)
        front.step(1)
    assert client.recv(10) == b"yes?"
    assert seen == [(SHARD, endpoint(client.getsockname()))] * 2
    assert front.counts["dropped"] == 1


def test_programs_see_the_services_own_address(make, sockets):
    """What the site says, though the front listens elsewhere."""
    seen = []
    front = make(lambda data, src, dst: seen.append((src, dst)) or ("drop", data, src, dst), service=(0x0A000001, 4242))
    client = sockets()
    client.sendto(b"x", front.listen)
    front.step(1)
    assert seen == [(endpoint(client.getsockname()), (0x0A000001, 4242))]


def test_stop_ends_serving(make):
    """Also when it is called before."""
    front = make()
    front.stop()
    front.serve()
