"""serialize |> once, by hand: messages have numbers, and one that comes twice is passed on once."""

from __future__ import annotations

from collections import OrderedDict
from struct import Struct

from asyncio_by_hand.request import LAYOUT, SIZE, Request

NUMBER = Struct(">I")
BEHIND = NUMBER.size
KEPT = 4096


class Codec:
    """A request with a number, and back; None for what is none, or has been seen. Both ends in one."""

    def __init__(self) -> None:
        self._next = 0
        self._seen: OrderedDict[int, None] = OrderedDict()

    def encode(self, request: Request) -> bytes:
        """Return the datagram."""
        number = self._next
        self._next = number + 1 & 0xFFFFFFFF
        return (
            NUMBER.pack(number)
            + LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key)
            + request.value
        )

    def decode(self, data: bytes) -> Request | None:
        """Return the request."""
        if len(data) < BEHIND:
            return None
        (number,) = NUMBER.unpack_from(data)
        seen = self._seen
        if number in seen:
            seen.move_to_end(number)
            return None
        seen[number] = None
        if len(seen) > KEPT:
            seen.popitem(last=False)
        if len(data) < BEHIND + SIZE:
            return None
        return Request(*LAYOUT.unpack_from(data, BEHIND), data[BEHIND + SIZE :])
