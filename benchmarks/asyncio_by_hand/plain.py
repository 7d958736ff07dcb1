"""serialize, by hand."""

from __future__ import annotations

from asyncio_by_hand.request import LAYOUT, SIZE, Request


class Codec:
    """A request as it lies on the wire, and back; None for what is none."""

    def encode(self, request: Request) -> bytes:
        """Return the datagram."""
        return LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key) + request.value

    def decode(self, data: bytes) -> Request | None:
        """Return the request."""
        if len(data) < SIZE:
            return None
        return Request(*LAYOUT.unpack_from(data), data[SIZE:])
