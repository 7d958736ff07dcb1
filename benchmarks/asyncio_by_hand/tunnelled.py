"""serialize |> encapsulate, by hand: VXLAN (RFC 7348) and Ethernet in front."""

from __future__ import annotations

from asyncio_by_hand.request import LAYOUT, SIZE, Request

VNI = b"\0\0\5"
OUTSIDE = b"\x08\0\0\0" + VNI + b"\0" + b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2" + b"\x88\xb5"
BEHIND = len(OUTSIDE)


class Codec:
    """A request in a tunnel, and back; None for what is none, or of another network."""

    def encode(self, request: Request) -> bytes:
        """Return the datagram."""
        return (
            OUTSIDE
            + LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key)
            + request.value
        )

    def decode(self, data: bytes) -> Request | None:
        """Return the request."""
        if len(data) < BEHIND + SIZE or data[0] != OUTSIDE[0] or data[4:7] != VNI or data[20:22] != OUTSIDE[20:22]:
            return None
        return Request(*LAYOUT.unpack_from(data, BEHIND), data[BEHIND + SIZE :])
