"""The primitives' implementations in Python, for the interpreter and for deployed programs alike.

Ciphers and compressors come from `cryptography` and `zstandard`, imported when first used, and are kept: those of the
last keys, and a compressor for each thread, since it serves one call at a time.
"""

from __future__ import annotations

import os
import random as chance
import threading
import time
import zlib
from functools import lru_cache
from typing import Any

FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
NONCE, TAG = 12, 16  # bytes; NIST SP 800-38D
FRAME_HEADER = 9  # bytes; RFC 9113, section 4.1
LENGTH = 4  # bytes in front of a record
LARGEST = 1 << 20  # bytes that a message may decompress to
LEVEL = 3  # of zstd
_own = threading.local()


class PrimitiveError(Exception):
    """A fallible primitive refused its input (wrong tag, broken compression, too short a message)."""


def fnv1a(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash (Fowler, Noll, Vo; draft-eastlake-fnv)."""
    digest = FNV_OFFSET
    for byte in data:
        digest = (digest ^ byte) * FNV_PRIME % (1 << 64)
    return digest


def crc32(data: bytes) -> int:
    """Return the CRC-32 of IEEE 802.3."""
    return zlib.crc32(data)


def now() -> int:
    """Return nanoseconds since some fixed moment."""
    return time.monotonic_ns()


def random() -> int:
    """Return 32 bits of chance, not fit for secrets."""
    return chance.getrandbits(32)


def nonce() -> int:
    """Return 96 bits that nobody can foresee."""
    return int.from_bytes(nonce_bytes(), "big")


def nonce_bytes() -> bytes:
    """Return `nonce` as it lies on the wire."""
    return os.urandom(NONCE)


@lru_cache(maxsize=64)
def _aead(key: bytes) -> tuple[Any, type[Exception]]:
    """Return a key's cipher, and what it raises for a wrong tag."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  (cryptography is imported only when used)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key), InvalidTag


def aead_seal(key: bytes, number: int, data: bytes) -> bytes:
    """AES-256-GCM (NIST SP 800-38D): nonce (12 bytes), ciphertext, tag (16 bytes)."""
    prefix, (cipher, _) = number.to_bytes(NONCE, "big"), _aead(key)
    return prefix + bytes(cipher.encrypt(prefix, data, None))


def aead_open(key: bytes, data: bytes) -> bytes:
    """Undo `aead_seal`; `PrimitiveError` when the tag does not fit."""
    if len(data) < NONCE + TAG:
        msg = "shorter than a nonce and a tag"
        raise PrimitiveError(msg)
    cipher, wrong = _aead(key)
    try:
        return bytes(cipher.decrypt(data[:NONCE], data[NONCE:], None))
    except wrong as error:
        msg = "the tag does not fit"
        raise PrimitiveError(msg) from error


class _Zstd:
    """What one thread compresses and decompresses with: it keeps its memory, some hundred KiB, from call to call."""

    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415  (imported only when used)

        self.compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress
        self.size, self.wrong = zstandard.frame_content_size, zstandard.ZstdError


def _zstd() -> _Zstd:
    _own.zstd = _Zstd()
    made: _Zstd = _own.zstd
    return made


def zstd_compress(data: bytes) -> bytes:
    """Zstandard, level 3 (RFC 8878)."""
    try:
        zstd = _own.zstd
    except AttributeError:
        zstd = _zstd()
    compressed: bytes = zstd.compress(data)
    return compressed


def zstd_decompress(data: bytes) -> bytes:
    """Undo `zstd_compress`, to at most 1 MiB; `PrimitiveError` when the data is no frame, does not say its size, or is
    too large.
    """
    try:
        zstd = _own.zstd
    except AttributeError:
        zstd = _zstd()
    try:
        if 0 <= zstd.size(data) <= LARGEST:  # -1: it does not say
            content: bytes = zstd.decompress(data, LARGEST)
            return content
    except zstd.wrong as error:
        msg = "no zstd frame"
        raise PrimitiveError(msg) from error
    msg = "larger than 1 MiB"
    raise PrimitiveError(msg)


def delimit(data: bytes) -> bytes:
    """The length of the data in 4 bytes, then the data; `PrimitiveError` for 4 GiB and more."""
    if len(data) >= 1 << 8 * LENGTH:
        msg = "4 GiB or more"
        raise PrimitiveError(msg)
    return len(data).to_bytes(LENGTH, "big") + data


def undelimit(data: bytes) -> bytes:
    """Undo `delimit`; `PrimitiveError` when the data is not one whole record."""
    if len(data) < LENGTH or int.from_bytes(data[:LENGTH], "big") != len(data) - LENGTH:
        msg = "not one whole record"
        raise PrimitiveError(msg)
    return data[LENGTH:]


def http2_frame(stream: int, data: bytes) -> bytes:
    """One HTTP/2 DATA frame (RFC 9113, section 4.1): length (3 bytes), type 0, flags 0, stream id (4 bytes), data."""
    return len(data).to_bytes(3, "big") + b"\0\0" + (stream & 0x7FFFFFFF).to_bytes(4, "big") + data


def http2_unframe(data: bytes) -> bytes:
    """Undo `http2_frame`; `PrimitiveError` when the data is not one whole DATA frame."""
    whole = len(data) >= FRAME_HEADER and int.from_bytes(data[:3], "big") == len(data) - FRAME_HEADER
    if not whole or data[3] != 0:
        msg = "not one whole DATA frame"
        raise PrimitiveError(msg)
    return data[FRAME_HEADER:]
