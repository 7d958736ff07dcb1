"""Chunnels with timers, replies and emissions, as ends run them: over a network that loses, repeats and reorders."""

import asyncio
import random

import pytest
from connecting import SECRETS, SERVICE, built, connect, mapped, serving

from bertha_ir import api
from bertha_ir.interpreter.program import Machine
from bertha_ir.runtime.artifact import Artifact

CHAIN = 'serialize(Note) |> compress |> order |> reliable |> encrypt(secret("session"))'
TEXT = f"""message Note {{ id: u32; text: bytes; }}
stack app(client, server) {{
  request:  {CHAIN} |> udp(4242);
  response: {CHAIN} |> udp;
  require   confidential, ordered, reliable, exactly_once;
}}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return built(tmp_path_factory.mktemp("repairing") / "app", TEXT)


class Network:
    """Loses 30 % of the messages, repeats 20 %, and delivers them in any order."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.held = []

    def take(self, messages):
        for message in messages:
            if self.chance.random() < 0.7:
                self.held += [message] * (1 + (self.chance.random() < 0.2))

    def deliver(self):
        self.chance.shuffle(self.held)
        count = self.chance.randrange(len(self.held) + 1)
        out, self.held = self.held[:count], self.held[count:]
        return out


def test_each_message_comes_once_and_in_order(folder):
    """Whatever the network does, if it delivers something now and then; 1,000 messages, ten seeds."""
    for seed in range(10):
        sender, receiver = (Artifact(folder).module(f"app_request_{way}") for way in ("send", "recv"))
        for module in (sender, receiver):
            module.SECRETS.update(SECRETS)
        data, back = Network(seed), Network(seed + 100)
        ((period, tick),) = sender.TIMERS
        assert period == 20_000_000
        received, number = [], 0
        for _ in range(2000):
            while number < 1000 and len(sender.app_reliable_waiting) < 50:
                data.take(sender.send(sender.Note(number, b"text" * (number % 50))))
                number += 1
            for message in data.deliver():
                records, returning = receiver.receive(message)
                received += records
                back.take(returning)
            for message in back.deliver():
                assert sender.returned(message) == []
            data.take(tick())
            if len(received) == 1000:
                break
        assert received == [(n, b"text" * (n % 50)) for n in range(1000)]


def test_modules_do_as_the_interpreter_says(tmp_path):
    """Of every message that is sent, received, repeated, returned or made up, and of every tick of the timer."""
    folder = built(tmp_path / "app", TEXT.replace(' |> encrypt(secret("session"))', "").replace("confidential, ", ""))
    files = sorted((tmp_path / "app").glob("*.chunnel"))
    made = api.build(files)
    programs = {p.program.name: p.program for p in made.programs}
    messages = {m.name: m for m in made.specification.messages}
    modules = [Artifact(folder).module(f"app_request_{way}") for way in ("send", "recv")]
    machines = [Machine(programs[f"app_request_{way}"], messages=messages) for way in ("send", "recv")]
    (sender, receiver), (sends, receives) = modules, machines
    chance = random.Random(3)
    wire, back = [], []
    for number in range(3000):
        match chance.randrange(5):
            case 0:
                record = {"id": number, "text": chance.randbytes(chance.randrange(40))}
                wire += (sent := sender.send(sender.Note(**record)))
                assert (sent, []) == sends.entered("message", b"", record)
            case 1:
                wire += (sent := sender.TIMERS[0][1]())
                assert (sent, []) == sends.entered("timer")
            case 2 | 3 if wire:
                data = wire[chance.randrange(len(wire))] if chance.random() < 0.9 else chance.randbytes(12)
                records, returning = receiver.receive(data)
                assert ([r._asdict() for r in records], returning) == receives.entered("message", data)
                back += returning
            case 4 if back:
                data = back[chance.randrange(len(back))] if chance.random() < 0.9 else chance.randbytes(5)
                assert sender.returned(data) == []
                sends.entered("returned", data)
        del wire[:-40], back[:-40]
    for module, machine in zip(modules, machines, strict=True):
        for name, rows in machine.states.rows.items():
            if machine.states.declared[name].keys:
                assert dict(vars(module)[name]) == dict(rows)


def test_what_comes_back_is_authentic(folder):
    """A reply passes `encrypt` like any message: one that was changed, or made up, confirms nothing."""
    sender, receiver = (Artifact(folder).module(f"app_request_{way}") for way in ("send", "recv"))
    for module in (sender, receiver):
        module.SECRETS.update(SECRETS)
    (message,) = sender.send(sender.Note(1, b"text"))
    (_, (reply,)) = receiver.receive(message)
    for at in range(len(reply)):
        sender.returned(reply[:at] + bytes([reply[at] ^ 1]) + reply[at + 1 :])
    assert len(sender.app_reliable_waiting) == 1
    sender.returned(reply)
    assert len(sender.app_reliable_waiting) == 0


def test_a_connection_over_a_bad_network(folder, monkeypatch):
    """Both ends of a connection, whose sockets lose and repeat data: 300 records there and back, once, in order."""
    chance = random.Random(7)

    async def echo(connection):
        async for record in connection:
            await connection.send(record)

    async def main():
        options = {"stack": "app", "each": echo, "secrets": SECRETS, "mapped": mapped(4242)}
        async with serving([folder], **options) as server:
            client = await connect([folder], "app", server.address, secrets=SECRETS)
            async with client:
                for link in (client._link, server.doors.link(SERVICE)):
                    sending = link.send

                    def lossy(data, to, sending=sending):
                        for _ in range(chance.choice((0, 1, 1, 2))):
                            sending(data, to)

                    monkeypatch.setattr(link, "send", lossy)
                sent = [client.record(n, b"x" * n) for n in range(300)]

                async def all_sent():
                    for record in sent:
                        await client.send(record)

                writing = asyncio.create_task(all_sent())
                async with asyncio.timeout(30):
                    assert [await client.receive() for _ in sent] == sent
                await writing

    asyncio.run(main())
