"""What a connection costs: setting it up, beside plain sockets; holding many; and going to another plan under load.

`python benchmarks/connections.py [--json] [--connections N] [--rounds N]`. Server and clients are one process on
loopback, so that times are of both ends' work; what is compared is measured in turns. Needs no privileges.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import sys
import time
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from bertha_ir import api, artifact
from bertha_ir.runtime.connections.client import connect
from bertha_ir.runtime.connections.memory import Memory
from bertha_ir.runtime.connections.server import serve
from bertha_ir.runtime.udp import endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bertha_ir.runtime.connections.connection import Connection
    from bertha_ir.runtime.connections.server import Server
    from bertha_ir.runtime.udp import Address

LOOPBACK = "127.0.0.1"
TEXT = """message Note { id: u32; text: bytes; }
stack app(client, server) {
  request:  serialize(Note) |> select { compress | none prefer compress } |> udp(4242);
  response: serialize(Note) |> udp;
}"""
SITE = """
device h1: host { address 10.0.0.1; cores 2; }
device c1: host { address 10.0.0.9; cores 2; }
link c1 <-> h1 ethernet { rate 10 Gbit/s; }
run app.server on h1;
run app.client on c1;
"""


def compiled(folder: Path) -> Path:
    """Compile the stack; return the artifact's folder."""
    files = [folder / "app.chunnel", folder / "site.chunnel"]
    for path, text in zip(files, (TEXT, SITE), strict=True):
        path.write_text(text)
    artifact.write(api.artifact(api.build(files)), folder / "out")
    return folder / "out"


async def echo(connection: Connection) -> None:
    """Send back what comes."""
    async for record in connection:
        await connection.send(record)


async def accepting(server: Server, tasks: list[asyncio.Task[None]]) -> None:
    """Serve every connection."""
    async for connection in server:
        tasks.append(asyncio.create_task(echo(connection)))  # noqa: PERF401  (each is to start at once)


class Plain(asyncio.DatagramProtocol):
    """Sends datagrams back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, sender: Address) -> None:
        """Send it back."""
        self.transport.sendto(data, sender)


async def plain_udp(to: Address) -> None:
    """Send a datagram from a new socket, and wait for it to come back."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0)
        await loop.sock_sendto(one, b"\0\0\0\1text", to)
        await loop.sock_recv(one, 100)


async def plain_tcp(to: Address) -> None:
    """Send bytes over a new stream, and wait for them to come back."""
    reader, writer = await asyncio.open_connection(*to)
    writer.write(b"\0\0\0\1text")
    await reader.readexactly(8)
    writer.close()


async def negotiated(folder: Path, server: Server, memory: Memory) -> Connection:
    """Send a record over a new connection, and wait for it to come back; return the connection, to be closed."""
    client = await connect([folder], "app", server.address, memory=memory)
    await client.send(client.record(1, b"text"))
    await client.receive()
    return client


async def set_up(folder: Path, server: Server, rounds: int) -> dict[str, float]:
    """Return the microseconds until the first answer, by the way that a connection was set up: medians."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Plain, local_addr=(LOOPBACK, 0))
    udp = transport.get_extra_info("sockname")

    async def back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(8))
        writer.close()

    streams = await asyncio.start_server(back, LOOPBACK, 0)
    tcp = streams.sockets[0].getsockname()
    memory = Memory()
    await (await negotiated(folder, server, memory)).close()
    ways: dict[str, Callable[[], Awaitable[Connection | None]]] = {
        "plain UDP": lambda: plain_udp(udp),
        "plain TCP": lambda: plain_tcp(tcp),
        "one round trip": lambda: negotiated(folder, server, Memory()),
        "remembered": lambda: negotiated(folder, server, memory),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            made = await way()
            taken[name].append((time.perf_counter() - start) * 1e6)
            if made is not None:
                await made.close()
    transport.close()
    streams.close()
    return {name: statistics.median(times) for name, times in taken.items()}


async def many(folder: Path, server: Server, count: int) -> tuple[float, float]:
    """Return the bytes that a connection takes, both ends, and requests a second over all of them in turns."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    clients = [await connect([folder], "app", server.address) for _ in range(count)]
    held = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    start = time.perf_counter()
    for _ in range(10):
        for client in clients:
            await client.send(client.record(1, b"text"))
        for client in clients:
            await client.receive()
    rate = 10 * count / (time.perf_counter() - start)
    await asyncio.gather(*(client.close() for client in clients))
    return held, rate


async def moves(folder: Path, server: Server, count: int) -> tuple[float, float]:
    """Return the milliseconds for which a client under load could not send while the plan changed: median, 99 %."""
    client = await connect([folder], "app", server.address)
    plans = [way.id for way in server.known]
    stopped = asyncio.Event()
    waits: list[float] = []

    async def load() -> None:
        number = 0
        while not stopped.is_set():
            start = time.perf_counter()
            await client.send(client.record(number, b"text"))
            waits.append((time.perf_counter() - start) * 1e3)
            await client.receive()
            number += 1

    loading = asyncio.create_task(load())
    pauses = []
    for turn in range(count):
        waits.clear()
        await server.move(plans[(turn + 1) % 2])
        await asyncio.sleep(0.01)
        pauses.append(max(waits))
    stopped.set()
    await loading
    await client.close()
    return statistics.median(pauses), sorted(pauses)[int(len(pauses) * 0.99)]


async def measured(folder: Path, connections: int, rounds: int) -> dict[str, Any]:
    """Return all figures."""
    mapped = {endpoint(("10.0.0.1", 4242)): (LOOPBACK, 0)}
    tasks: list[asyncio.Task[None]] = []
    async with await serve([folder], "app", (LOOPBACK, 0), mapped=mapped) as server:
        serving = asyncio.create_task(accepting(server, tasks))
        first = await set_up(folder, server, rounds)
        held, rate = await many(folder, server, connections)
        middle, worst = await moves(folder, server, rounds)
        serving.cancel()
        for task in tasks:
            task.cancel()
    return {
        "set_up_us": first,
        "connections": connections,
        "bytes_a_connection": held,
        "requests_a_second": rate,
        "move_pause_ms": {"median": middle, "p99": worst},
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = asyncio.run(measured(compiled(Path(folder)), options.connections, options.rounds))
    if options.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return
    plain = found["set_up_us"]["plain UDP"]
    for name, taken in found["set_up_us"].items():
        print(f"{name:<15} {taken:7.0f} µs to the first answer  {taken / plain:5.1f} times plain UDP")
    print(f"{found['connections']} connections: {found['bytes_a_connection'] / 1024:.1f} KiB each, both ends", end="; ")
    print(f"{found['requests_a_second']:,.0f} requests a second over all of them")
    pause = found["move_pause_ms"]
    print(f"another plan under load: sending waits {pause['median']:.2f} ms (median), {pause['p99']:.2f} ms (99 %)")


if __name__ == "__main__":
    main()
