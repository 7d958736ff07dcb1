"""Real sockets over a real interface: the compiled store's programs, attached where an operator attaches them."""

import random
import select
import socket
import struct
from collections import Counter

import pytest
from compiling import examples
from loading import deployed, needs_kernel
from netns import Pair
from packets import ones_sum

from bertha_ir.runtime.ebpf import EbpfError
from bertha_ir.runtime.primitives import fnv1a

pytestmark = needs_kernel
SERVICE, CLIENT = ("10.0.0.1", 4242), ("10.0.0.9", 5555)
PORTS = (9001, 9002, 9003)
REQUESTS = 300
EVERYTHING = 3  # ETH_P_ALL, linux/if_ether.h
(EXAMPLE,) = (folder for folder in examples() if folder.name == "kv_shard")


@pytest.fixture
def store(tmp_path):
    """The store's programs for the server."""
    with deployed(EXAMPLE, "h1", tmp_path) as programs:
        yield programs


def attach(pair, programs, mode="any"):
    """Attach both programs to the server's interface."""
    with pair.server:
        programs["ingress"].attach(pair.interface, mode=mode)
        programs["egress"].attach(pair.interface)


def sniffer(pair):
    """A socket that sees every frame at the client."""
    with pair.client:
        seen = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
    seen.bind(("wire", EVERYTHING))
    seen.setblocking(False)  # noqa: FBT003  (its one argument)
    return seen


def answers(seen):
    """The frames of UDP answers that came to the client."""
    frames = []
    while select.select([seen], [], [], 0)[0]:
        data, (*_, kind, _, _) = seen.recvfrom(2048)
        if kind != socket.PACKET_OUTGOING and data[12:14] == b"\x08\x00" and data[23] == socket.IPPROTO_UDP:
            frames.append(data)
    return frames


def serve(client, shards, source, seen=None):
    """Send requests one after another, each answered by the shard it comes to; return how many requests each shard had,
    and the frames that came to the client.
    """
    served, frames = Counter(), []
    for number in range(REQUESTS):
        key = source.randbytes(8)
        message = struct.pack(">QQBB", number, 7, 0, 0) + key + source.randbytes(source.randrange(50))
        client.send(message)
        ready, _, _ = select.select(shards, [], [], 5)
        (shard,) = ready
        data, sender = shard.recvfrom(2048)
        assert (data, sender) == (message, CLIENT)
        index = shards.index(shard)
        assert index == fnv1a(key) % 3
        reply = struct.pack(">QBB", number, index, 0) + source.randbytes(source.randrange(50))
        shard.sendto(reply, sender)
        assert client.recv(2048) == reply
        served[index] += 1
        frames += answers(seen) if seen else []
    return served, frames


@pytest.mark.parametrize("offload", [False, True], ids=["checksums made", "checksums left to the card"])
@pytest.mark.parametrize("mode", ["generic", "native"])
def test_a_connected_client_talks_to_one_address(store, mode, offload):
    """300 requests to 10.0.0.1:4242 reach the shard of their key, and every answer comes from 10.0.0.1:4242, right sums
    included: a connected socket takes no others. Nothing about the client is special.
    """
    with Pair(offload=offload) as pair:
        attach(pair, store, mode)
        shards = [pair.server.socket((SERVICE[0], port)) for port in PORTS]
        client = pair.client.socket(CLIENT)
        client.connect(SERVICE)
        seen = sniffer(pair)
        served, frames = serve(client, shards, random.Random(1), seen)
        assert min(served[i] for i in range(3)) > 60
        assert len(frames) == REQUESTS
        for frame in frames:
            length = struct.unpack(">H", frame[38:40])[0]
            pseudo = frame[26:34] + struct.pack(">HH", socket.IPPROTO_UDP, length)
            assert ones_sum(frame[14:34]) == 0xFFFF
            if offload:  # the card is left the sum of the pseudo-header, and adds the rest
                assert ones_sum(pseudo) == struct.unpack(">H", frame[40:42])[0]
            else:
                assert ones_sum(pseudo + frame[34 : 34 + length]) == 0xFFFF
        for opened in (*shards, client, seen):
            opened.close()


def test_detached_programs_leave_nothing_behind(store):
    """Without the programs the service's port is closed: the client is told so. Before and after."""
    with Pair() as pair:
        client = pair.client.socket(CLIENT)
        client.connect(SERVICE)
        refused(client)
        attach(pair, store)
        shards = [pair.server.socket((SERVICE[0], port)) for port in PORTS]
        serve(client, shards, random.Random(2))
        for program in store.values():
            program.close()
        refused(client)
        for opened in (*shards, client):
            opened.close()


def refused(client):
    """A request that nobody takes."""
    client.send(bytes(40))
    with pytest.raises(ConnectionRefusedError):
        client.recv(2048)


def test_an_interface_takes_one_xdp_program(store):
    """A second program on the same interface is refused, and the message says that another is attached there."""
    with Pair() as pair, pair.server:
        store["ingress"].attach(pair.interface)
        with pytest.raises(EbpfError, match="another program is attached there"):
            store["ingress"].attach(pair.interface)
        with pytest.raises(EbpfError, match="cannot be attached to interface 999"):
            store["ingress"].attach(999)
