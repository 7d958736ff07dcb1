"""serialize |> http2 |> tcp, by hand: a DATA frame (RFC 9113, section 6.1) a request; one read may bring many."""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import TYPE_CHECKING

from asyncio_by_hand.request import LAYOUT, SIZE, Request

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME = Struct(">IBI")  # length (3 bytes) and type (0 for data), flags, stream
HEADER = FRAME.size


class Codec:
    """A request in a frame, and back; None for what is none."""

    def encode(self, request: Request) -> bytes:
        """Return the frame."""
        return (
            FRAME.pack(SIZE + len(request.value) << 8, 0, 1)
            + LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key)
            + request.value
        )

    def decode(self, frame: bytes) -> Request | None:
        """Return the request of one whole frame."""
        if len(frame) < HEADER or FRAME.unpack_from(frame)[0] != len(frame) - HEADER << 8:
            return None
        return self.content(frame[HEADER:])

    def content(self, data: bytes) -> Request | None:
        """Return the request of a frame's content."""
        if len(data) < SIZE:
            return None
        return Request(*LAYOUT.unpack_from(data), data[SIZE:])


class Receiver(asyncio.Protocol):
    """Gives what frames of a stream hold to `content`, and what that returns to `received`."""

    def __init__(self, content: Callable[[bytes], Request | None], received: Callable[[Request | None], None]) -> None:
        self._content, self._received = content, received
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Take all whole frames."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        content, received, unpack = self._content, self._received, FRAME.unpack_from
        while at + HEADER <= end:
            word, _, _ = unpack(data, at)
            behind = at + HEADER + (word >> 8)
            if behind > end:
                break
            if word & 0xFF == 0:
                received(content(data[at + HEADER : behind]))
            at = behind
        self._rest = data[at:]
