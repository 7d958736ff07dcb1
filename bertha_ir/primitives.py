"""Primitives: the operations a body can call but not spell out, each declared once.

A primitive has a type, laws, a reference implementation that the interpreter runs, and, per target, how it is
provided. A target that lacks a primitive cannot run a body that calls it: what a device supports is read off this
table and the body, never listed by hand.

`expand` turns a call into plain arithmetic; a primitive that has one runs wherever arithmetic does.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from bertha_ir.expr import Binary, Cast, Const, Expr
from bertha_ir.types import BYTES, U8, U32, U64, Bits, Bytes, Type

if TYPE_CHECKING:
    from collections.abc import Callable

FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
Law = Literal["deterministic", "injective", "input"]
Provided = Literal["python", "ebpf", "p4"]


class PrimitiveError(Exception):
    """A fallible primitive refused its input (wrong tag, broken compression, too short a message)."""


@frozen
class Primitive:
    """One primitive.

    `arguments`: the accepted type of each argument; the word "any" takes Bits of whole bytes or Bytes(n), and
    "message" a message's name. `growth`: bytes the result is longer than its last argument, None when that varies.
    `inverse`: the primitive that undoes this one: `inverse(…, self(…, x)) == x`. An "input" (time, chance) is a
    value from outside: interpreter, proofs and replays are given it.
    """

    name: str
    arguments: tuple[Type | Literal["any", "message"], ...]
    result: Type | Literal["record"]
    laws: tuple[Law, ...]
    reference: Callable[..., Any] | None = field(repr=False, default=None)
    growth: int | None = None
    inverse: str | None = None
    fallible: bool = False
    expand: Callable[[Expr], Expr] | None = field(repr=False, default=None)
    targets: tuple[Provided, ...] = ("python",)


def as_bytes(value: int | bytes, type_: Type) -> bytes:
    """Return the wire form of a Bits or Bytes value: big-endian, whole bytes."""
    if isinstance(value, bytes):
        return value
    assert isinstance(type_, Bits)  # noqa: S101  INVARIANT: only Bits values are ints
    return value.to_bytes((type_.width + 7) // 8, "big")


def fnv1a(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash (Fowler, Noll, Vo; draft-eastlake-fnv)."""
    digest = FNV_OFFSET
    for byte in data:
        digest = (digest ^ byte) * FNV_PRIME % (1 << 64)
    return digest


def expand_fnv1a(key: Expr) -> Expr:
    """Return the hash of `key` (Bits of whole bytes, or Bytes(n) up to 16) as arithmetic on u64."""
    if isinstance(key.type, Bytes):
        assert key.type.size is not None  # noqa: S101  INVARIANT: "any" takes no unbounded bytes
        key = Cast(key, Bits(8 * key.type.size))
    assert isinstance(key.type, Bits)  # noqa: S101
    digest: Expr = Const(FNV_OFFSET, U64)
    for shift in range(key.type.width - 8, -1, -8):
        moved = Binary(">>", key, Const(shift, U8)) if shift else key
        byte = Cast(Cast(moved, U8), U64)
        digest = Binary("*", Binary("^", digest, byte), Const(FNV_PRIME, U64))
    return digest


def _aead(key: bytes) -> Any:  # noqa: ANN401  (cryptography is imported only when used)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)


def aead_seal(key: bytes, nonce: int, data: bytes) -> bytes:
    """AES-256-GCM (NIST SP 800-38D): nonce (12 bytes), ciphertext, tag (16 bytes)."""
    prefix = nonce.to_bytes(12, "big")
    return prefix + bytes(_aead(key).encrypt(prefix, data, None))


def aead_open(key: bytes, data: bytes) -> bytes:
    """Undo `aead_seal`; `PrimitiveError` when the tag does not fit."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415

    if len(data) < 28:  # noqa: PLR2004  nonce and tag
        msg = "shorter than a nonce and a tag"
        raise PrimitiveError(msg)
    try:
        return bytes(_aead(key).decrypt(data[:12], data[12:], None))
    except InvalidTag as error:
        msg = "the tag does not fit"
        raise PrimitiveError(msg) from error


def compress(data: bytes) -> bytes:
    """Zstandard, level 3 (RFC 8878)."""
    import zstandard  # noqa: PLC0415

    return bytes(zstandard.ZstdCompressor(level=3).compress(data))


def decompress(data: bytes) -> bytes:
    """Undo `compress`, to at most 1 MiB; `PrimitiveError` when the data is no frame or too large."""
    import zstandard  # noqa: PLC0415

    limit = 1 << 20
    try:
        parameters = zstandard.get_frame_parameters(data)
        if parameters.content_size > limit:
            msg = "larger than 1 MiB"
            raise PrimitiveError(msg)
        return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=limit))
    except zstandard.ZstdError as error:
        msg = "no zstd frame"
        raise PrimitiveError(msg) from error


def http2_frame(stream: int, data: bytes) -> bytes:
    """One HTTP/2 DATA frame (RFC 9113, section 4.1): length (3 bytes), type 0, flags 0, stream id (4 bytes), data."""
    return len(data).to_bytes(3, "big") + b"\0\0" + (stream & 0x7FFFFFFF).to_bytes(4, "big") + data


def http2_unframe(data: bytes) -> bytes:
    """Undo `http2_frame`; `PrimitiveError` when the data is not one whole DATA frame."""
    if len(data) < 9 or data[3] != 0 or int.from_bytes(data[:3], "big") != len(data) - 9:  # noqa: PLR2004  the frame's header
        msg = "not one whole DATA frame"
        raise PrimitiveError(msg)
    return data[9:]


def maglev(backends: int, size: int) -> tuple[int, ...]:
    """Return the Maglev look-up table (Eisenbud et al., NSDI 2016, section 3.4) of `size` rows, a prime, over
    `backends` numbered back ends.
    """
    steps = []
    for backend in range(backends):
        digest = hashlib.sha256(backend.to_bytes(4, "big")).digest()
        offset, skip = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
        steps.append((offset % size, skip % (size - 1) + 1))
    table, taken, turn = [-1] * size, 0, [0] * backends
    while taken < size:
        for backend, (offset, skip) in enumerate(steps):
            row = (offset + turn[backend] * skip) % size
            while table[row] >= 0:
                turn[backend] += 1
                row = (offset + turn[backend] * skip) % size
            table[row], taken = backend, taken + 1
            if taken == size:
                break
    return tuple(table)


PRIMITIVES: dict[str, Primitive] = {
    p.name: p
    for p in (
        Primitive(
            "fnv1a",
            ("any",),
            U64,
            ("deterministic",),
            fnv1a,
            expand=expand_fnv1a,
            targets=("python", "ebpf", "p4"),
        ),
        Primitive("crc32", ("any",), U32, ("deterministic",), zlib.crc32, targets=("python", "p4")),
        Primitive("now", (), U64, ("input",), targets=("python", "ebpf", "p4")),
        Primitive("random", (), U32, ("input",), targets=("python", "ebpf", "p4")),
        Primitive("nonce", (), Bits(96), ("input",)),
        Primitive(
            "aead_seal",
            (Bytes(32), Bits(96), BYTES),
            BYTES,
            ("deterministic", "injective"),
            aead_seal,
            growth=28,
            inverse="aead_open",
        ),
        Primitive("aead_open", (Bytes(32), BYTES), BYTES, ("deterministic",), aead_open, growth=-28, fallible=True),
        Primitive(
            "zstd_compress",
            (BYTES,),
            BYTES,
            ("deterministic", "injective"),
            compress,
            inverse="zstd_decompress",
        ),
        Primitive("zstd_decompress", (BYTES,), BYTES, ("deterministic",), decompress, fallible=True),
        Primitive(
            "http2_frame",
            (U32, BYTES),
            BYTES,
            ("deterministic", "injective"),
            http2_frame,
            growth=9,
            inverse="http2_unframe",
        ),
        Primitive("http2_unframe", (BYTES,), BYTES, ("deterministic",), http2_unframe, growth=-9, fallible=True),
        Primitive("pack", ("message",), BYTES, ("deterministic", "injective"), inverse="unpack"),
        Primitive("unpack", (BYTES,), "record", ("deterministic",), fallible=True),
    )
}
