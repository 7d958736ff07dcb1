"""serialize |> compress |> encrypt, by hand."""

from __future__ import annotations

import os

import zstandard
from asyncio_by_hand.compressed import LARGEST
from asyncio_by_hand.request import LAYOUT, SIZE, Request
from asyncio_by_hand.sealed import LEAST, LENGTH, NONCE
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Codec:
    """A request, compressed and sealed with a key, and back; None for what is none, or was changed."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._compress = zstandard.ZstdCompressor(level=3).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def encode(self, request: Request) -> bytes:
        """Return the datagram."""
        data = LAYOUT.pack(request.request, request.client, request.op, request.flags, request.key) + request.value
        nonce = os.urandom(NONCE)
        sealed = self._aead.encrypt(nonce, self._compress(data), None)
        return LENGTH.pack(NONCE + len(sealed)) + nonce + sealed

    def decode(self, data: bytes) -> Request | None:
        """Return the request."""
        if len(data) < LEAST or LENGTH.unpack_from(data)[0] != len(data) - 4:
            return None
        try:
            data = self._aead.decrypt(data[4:16], data[16:], None)
            if not 0 <= zstandard.frame_content_size(data) <= LARGEST:
                return None
            data = self._decompress(data, LARGEST)
        except (InvalidTag, zstandard.ZstdError):
            return None
        if len(data) < SIZE:
            return None
        return Request(*LAYOUT.unpack_from(data), data[SIZE:])
