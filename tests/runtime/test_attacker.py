"""Somebody on the path of a negotiation, who changes, repeats, holds back, mixes and makes up what is said there."""

import asyncio
import random

import pytest
from connecting import SECRETS, built, mapped, serving

from bertha_ir.runtime.connections.client import connect
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.connections.link import Link
from bertha_ir.runtime.connections.ways import ways
from bertha_ir.runtime.negotiation.patience import Patience
from bertha_ir.runtime.negotiation.wire import Close, Envelope, Offer, Refusal, inner, opened

TEXT = """message Note { id: u32; text: bytes; }
stack app(client, server) {
  request:  serialize(Note) |> select { compress | none prefer compress } |> encrypt(secret("session")) |> udp(4242);
  response: serialize(Note) |> encrypt(secret("session")) |> udp;
  require   confidential;
}"""
PATIENCE = Patience(first=0.02, most=0.05, whole=0.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return built(tmp_path_factory.mktemp("attacked") / "app", TEXT)


async def echo(connection):
    async for record in connection:
        await connection.send(record)


class Attacker:
    """A relay of datagrams between one client and the server's negotiation. `change` makes of each what goes on."""

    def __init__(self, server, change):
        self.server, self.change, self.client = server, change, None
        self.inside = Link(("127.0.0.1", 0), self.from_client)
        self.outside = Link(("127.0.0.1", 0), self.from_server)

    def from_client(self, data, sender):
        self.client = sender
        for one in self.change(data, "client"):
            self.outside.send(one, self.server)

    def from_server(self, data, _sender):
        for one in self.change(data, "server"):
            self.inside.send(one, self.client)

    def close(self):
        self.inside.close()
        self.outside.close()


def flipping(chance, _old):
    """Flip bits in half of the messages."""

    def change(data, _who):
        if chance.random() < 0.5:
            at = chance.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        return [data]

    return change


def truncating(chance, _old):
    """Cut half of the messages."""
    return lambda data, _who: [data[: chance.randrange(len(data))] if chance.random() < 0.5 else data]


def replaying(chance, old):
    """Put messages of this and earlier connections before and after others, in both directions."""

    def change(data, _who):
        old.append(data)
        return [chance.choice(old), data, chance.choice(old)]

    return change


def splicing(chance, old):
    """Put halves of two messages together."""

    def change(data, _who):
        old.append(data)
        other = chance.choice(old)
        return [data[: len(data) // 2] + other[len(other) // 2 :]] if chance.random() < 0.5 else [data]

    return change


def weakening(_chance, _old):
    """Leave the better plan out of every offer, with the mac that there was, with none, and with one made up."""

    def change(data, _who):
        envelope = opened(data)
        offer = envelope.message
        if not isinstance(offer, Offer):
            return [data]
        less = Offer(offer.stack, offer.specification, offer.plans[1:], offer.nonce)
        body = inner(envelope.connection, less)
        return [Envelope(envelope.connection, less, body, mac).data for mac in (envelope.mac, b"", b"m" * 32)]

    return change


def refusing(_chance, _old):
    """Answer every message oneself: that nothing can be had, and that all is over."""

    def change(data, who):
        name = opened(data).connection
        said = (Refusal("plan", "there is none"), Close("go away"))
        made = [Envelope(name, message, inner(name, message), mac).data for message in said for mac in (b"", b"m" * 32)]
        return [*made, data] if who == "server" else [data]

    return change


@pytest.mark.parametrize("attack", [flipping, truncating, replaying, splicing, weakening, refusing])
def test_nobody_on_the_path_can_weaken_a_connection(folder, attack):
    """Eight connections: each has the better plan at both ends, or there is none, soon, and nothing is left."""
    best = ways([folder], "app")[0].id
    chance = random.Random(attack.__name__)
    old = []

    async def main():
        options = {"stack": "app", "each": echo, "secrets": SECRETS, "mapped": mapped(4242)}
        made = lost = 0
        async with serving([folder], **options) as server:
            for _ in range(8):
                attacker = Attacker(server.address, attack(chance, old))
                try:
                    async with asyncio.timeout(5):
                        given = {"secrets": SECRETS, "patience": PATIENCE}
                        client = await connect([folder], "app", attacker.inside.local, **given)
                except ConnectionLost:
                    lost += 1
                else:
                    made += 1
                    assert client.way.id == best
                    await client.close()
                attacker.close()
            assert made + lost == 8
            assert (made == 0) == (attack is weakening)
            assert all(connection.way.id == best for connection in server.connections.values())
            assert server.counts["connections"] <= 8
        assert all(connection.closed for connection in server.connections.values())

    asyncio.run(main())
