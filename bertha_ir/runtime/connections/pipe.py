"""Messages over a TCP stream: each is a record that tells its own length, or whatever has come when there are none.

The client's first bytes say which connection and epoch the stream is of, and prove it: `PREAMBLE`.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from bertha_ir.runtime.streams import EXTENTS, LARGEST

if TYPE_CHECKING:
    from bertha_ir.runtime.connections.connection import Connection
    from bertha_ir.runtime.connections.lane import Lane
    from bertha_ir.runtime.udp import Address

PREAMBLE = struct.Struct(">8sI32s")  # the connection's name, the epoch, a mac by the connection's key
CHUNK = 1 << 16  # bytes that are read at once
_HEAD = 16  # bytes that are enough to tell how long a record is


def proof(name: bytes, epoch: int) -> bytes:
    """Return what the mac in a stream's preamble is of."""
    return b"stream" + name + epoch.to_bytes(4, "big")


async def dialled(connection: Connection, lane: Lane, records: str | None, to: Address) -> None:
    """Open the stream of a lane, and say whose it is. OSError when it cannot be opened."""
    reader, writer = await asyncio.open_connection(*to)
    mac = connection.session.seal(proof(connection.name, lane.epoch))
    writer.write(PREAMBLE.pack(connection.name, lane.epoch, mac))
    joined(connection, lane, records, (reader, writer))


def joined(
    connection: Connection,
    lane: Lane,
    records: str | None,
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Let a lane's messages go through a stream."""
    reader, writer = stream
    lane.transmit, lane.drained = writer.write, writer.drain
    lane.owned.callback(writer.close)
    connection.start_task(_read(connection, lane.epoch, records, reader))


async def _read(connection: Connection, epoch: int, records: str | None, reader: asyncio.StreamReader) -> None:
    """Give the connection every message of a stream, until it ends."""
    held = bytearray()
    why = "the other end closed the stream"
    try:
        while chunk := await reader.read(CHUNK):
            held += chunk
            await connection.room()
            if not _split(connection, epoch, records, held):
                why = "the stream holds something that is no record"
                break
    except OSError as error:
        why = f"the stream broke: {error}"
    connection.stream_ended(epoch, why)


def _split(connection: Connection, epoch: int, records: str | None, held: bytearray) -> bool:
    """Take whole messages off the front of what is held; return whether it can still be told where they end."""
    if records is None:
        connection.arrived(epoch, bytes(held))
        held.clear()
        return True
    extent = EXTENTS[records]
    at = 0
    while (length := extent(held[at : at + _HEAD])) is not None and length <= len(held) - at:
        connection.arrived(epoch, bytes(held[at : at + length]))
        at += length
    del held[:at]
    return length is None or length <= LARGEST
