"""serialize |> encrypt |> http2 |> tcp, by hand; `framed.Receiver` takes the frames off a stream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asyncio_by_hand import sealed
from asyncio_by_hand.framed import FRAME, HEADER
from asyncio_by_hand.request import LAYOUT
from asyncio_by_hand.sealed import LENGTH, NONCE

if TYPE_CHECKING:
    from asyncio_by_hand.request import Request


class Codec(sealed.Codec):
    """A request, sealed with a key, in a frame, and back; None for what is none, or was changed."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.content = super().decode

    def encode(self, request: Request) -> bytes:
        """Return the frame."""
        data = LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key) + request.value
        nonce = os.urandom(NONCE)
        sealed = self._aead.encrypt(nonce, data, None)
        size = NONCE + len(sealed)
        return FRAME.pack(size + LENGTH.size << 8, 0, 1) + LENGTH.pack(size) + nonce + sealed

    def decode(self, data: bytes) -> Request | None:
        """Return the request of one whole frame."""
        if len(data) < HEADER or FRAME.unpack_from(data)[0] != len(data) - HEADER << 8:
            return None
        return self.content(data[HEADER:])
