"""What tests of connections share: artifacts of a key-value store that is sharded here or there, and a server that says
at which shard each request arrived.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertha_ir import api, artifact
from bertha_ir.runtime.connections.client import connect
from bertha_ir.runtime.connections.server import Server, serve
from bertha_ir.runtime.negotiation.patience import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from bertha_ir.runtime.connections.connection import Connection

LOOPBACK = "127.0.0.1"
EXAMPLE = Path(__file__).parents[1] / "examples" / "kv_shard"
PORTS = (4242, 9001, 9002, 9003)
HOST = 0x0A000001  # 10.0.0.1, the server's address in the specifications
SERVICE = (HOST, PORTS[0])
SHARDS = tuple((HOST, port) for port in PORTS[1:])
SECRETS = {"session": bytes(range(32))}
BRIEF = Patience(whole=0.4)
HOSTS = """
device h1: host { address 10.0.0.1; cores 2; }
device c1: host { address 10.0.0.9; cores 2; }
link c1 <-> h1 ethernet { rate 10 Gbit/s; }
run app.server on h1;
run app.client on c1;
"""


def built(folder: Path, text: str, site: str = HOSTS) -> Path:
    """Compile a specification and its site into a folder, and return it."""
    folder.mkdir(parents=True)
    files = [folder / "app.chunnel", folder / "site.chunnel"]
    for path, content in zip(files, (text, site), strict=True):
        path.write_text(content)
    out = folder / "out"
    artifact.write(api.artifact(api.build(files)), out)
    return out


def stores(folder: Path, **policies: str) -> dict[str, Path]:
    """Compile the key-value store by sites that prefer sharding elsewhere."""
    site = (EXAMPLE / "site.chunnel").read_text()
    text = (EXAMPLE / "kv.chunnel").read_text()
    found = {}
    for name, devices in policies.items():
        changed = site.replace("prefer shard on [kernel(h1), tor, h1]", f"prefer shard on [{devices}]")
        found[name] = built(folder / name, text, changed)
    return found


def mapped(*ports: int) -> dict[tuple[int, int], tuple[str, int]]:
    """Return a map of the service's endpoints to ports of loopback that the system chooses."""
    return {(HOST, port): (LOOPBACK, 0) for port in ports or PORTS}


async def answer(connection: Connection) -> None:
    """Answer every request with the port at which it arrived, in front of its value."""
    async for request in connection:
        reply = str(connection.at[1]).encode() + b" " + request.value
        await connection.send(connection.record(request.request, request.client, 0, reply))


@asynccontextmanager
async def serving(
    folders: Iterable[Path], stack: str = "kv", each: Any = answer, **options: Any
) -> AsyncIterator[Server]:
    """Serve on loopback: `each` is run on every connection."""
    options.setdefault("mapped", mapped())
    options.setdefault("negotiate", (LOOPBACK, 0))
    async with await serve(folders, stack, **options) as server:
        tasks = []

        async def accept() -> None:
            async for connection in server:
                tasks.append(asyncio.create_task(each(connection)))  # noqa: PERF401  (each is to start at once)

        accepting = asyncio.create_task(accept())
        try:
            yield server
        finally:
            accepting.cancel()
            for task in tasks:
                task.cancel()


async def asked(connection: Connection, number: int, key: int) -> tuple[int, bytes]:
    """Send a request, and return the port at which it arrived, and its value, as the reply has them."""
    await connection.send(connection.record(number, 7, 1, 0, key, b"v%d" % number))
    reply = await asyncio.wait_for(connection.receive(), 5)
    assert reply.request == number
    port, _, value = reply.value.partition(b" ")
    return int(port), value


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait until a condition holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (it is of what the test looks at from outside)
            await asyncio.sleep(0.005)


def shard_of(key: int) -> int:
    """Return the port of the shard that a key belongs to."""
    from bertha_ir.runtime.primitives import fnv1a  # noqa: PLC0415

    return PORTS[1 + fnv1a(key.to_bytes(8, "big")) % 3]


__all__ = ("Server", "answer", "asked", "built", "connect", "mapped", "serving", "shard_of", "stores", "until")
