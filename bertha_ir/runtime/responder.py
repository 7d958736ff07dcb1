"""Answers HTTP/1.0 requests for one page, as Prometheus makes them, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.runtime.udp import Address

HEAD = 8192  # bytes of a request
PATIENCE = 5.0  # seconds for a request, and for its answer
AT_ONCE = 16  # requests; more are closed
_END = b"\r\n\r\n"


async def respond(page: Callable[[], str], at: Address, path: str, content: str) -> asyncio.Server:
    """Answer at an address with a page, which is made for each request. OSError when the address cannot be had."""
    busy = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal busy
        if busy >= AT_ONCE:
            writer.close()
            return
        busy += 1
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(_END)
                writer.write(_answer(head, page, path, content))
                await writer.drain()
                writer.write_eof()
                await reader.read(HEAD)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            busy -= 1
            writer.close()

    return await asyncio.start_server(answer, *at, limit=HEAD)


def _answer(head: bytes, page: Callable[[], str], path: str, content: str) -> bytes:
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) != 3 or not words[2].startswith(b"HTTP/"):  # noqa: PLR2004  (method, path, version)
        return _page("400 Bad Request", "this is no request\n")
    if words[0] not in {b"GET", b"HEAD"}:
        return _page("405 Method Not Allowed", "GET only\n", allow="Allow: GET, HEAD\r\n")
    if words[1].split(b"?", 1)[0] != path.encode():
        return _page("404 Not Found", f"see {path}\n")
    return _page("200 OK", page(), content, body=words[0] == b"GET")


def _page(
    status: str, text: str, content: str = "text/plain; charset=utf-8", *, allow: str = "", body: bool = True
) -> bytes:
    data = text.encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: {content}\r\nContent-Length: {len(data)}\r\n{allow}\r\n".encode()
    return head + (data if body else b"")
