"""serialize |> encrypt, by hand: length (4 bytes), nonce (12), ciphertext and tag (16)."""

from __future__ import annotations

import os
from struct import Struct

from asyncio_by_hand.request import LAYOUT, SIZE, Request
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LENGTH = Struct(">I")
NONCE, LEAST = 12, 32


class Codec:
    """A request, sealed with a key, and back; None for what is none, or was changed."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def encode(self, request: Request) -> bytes:
        """Return the datagram."""
        data = LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key) + request.value
        nonce = os.urandom(NONCE)
        sealed = self._aead.encrypt(nonce, data, None)
        return LENGTH.pack(NONCE + len(sealed)) + nonce + sealed

    def decode(self, data: bytes) -> Request | None:
        """Return the request."""
        if len(data) < LEAST or LENGTH.unpack_from(data)[0] != len(data) - 4:
            return None
        try:
            data = self._aead.decrypt(data[4:16], data[16:], None)
        except InvalidTag:
            return None
        if len(data) < SIZE:
            return None
        return Request(*LAYOUT.unpack_from(data), data[SIZE:])
