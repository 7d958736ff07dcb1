"""serialize |> compress, by hand: the compressor is kept, since all messages are of one thread."""

from __future__ import annotations

import zstandard
from asyncio_by_hand.request import LAYOUT, SIZE, Request

LARGEST = 1 << 20  # bytes that a message may decompress to


class Codec:
    """A request, compressed, and back; None for what is none, or too large."""

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=3).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def encode(self, request: Request) -> bytes:
        """Return the datagram."""
        return self._compress(
            LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key) + request.value
        )

    def decode(self, data: bytes) -> Request | None:
        """Return the request."""
        try:
            if not 0 <= zstandard.frame_content_size(data) <= LARGEST:
                return None
            data = self._decompress(data, LARGEST)
        except zstandard.ZstdError:
            return None
        if len(data) < SIZE:
            return None
        return Request(*LAYOUT.unpack_from(data), data[SIZE:])
