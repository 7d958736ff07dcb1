"""Primitives: the operations a body can call but not spell out, each declared once.

A primitive has a type, laws, a reference implementation that the interpreter runs, and, per target, how it is
provided. A target that lacks a primitive cannot run a body that calls it: what a device supports is read off this
table and the body, never listed by hand.

`expand` turns a call into plain arithmetic; a primitive that has one runs wherever arithmetic does.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from bertha_ir.expr import Binary, Cast, Const, Expr
from bertha_ir.runtime import primitives as run
from bertha_ir.runtime.primitives import FNV_OFFSET, FNV_PRIME
from bertha_ir.types import BYTES, U8, U32, U64, Bits, Bytes, Type

if TYPE_CHECKING:
    from collections.abc import Callable

Law = Literal["deterministic", "injective", "input", "conceals"]
Provided = Literal["python", "ebpf", "p4"]


@frozen
class Primitive:
    """One primitive.

    `arguments`: the accepted type of each argument; the word "any" takes Bits of whole bytes or Bytes(n), and
    "message" a message's name. A primitive that "conceals" shows nothing of its last argument but its size to whoever
    lacks the first. `growth`: bytes the result is longer than its last argument, None when that varies.
    `inverse`: the primitive that undoes this one: `inverse(…, self(…, x)) == x`. An "input" (time, chance) is a
    value from outside: interpreter, proofs and replays are given it. One that `ends` records takes what tells its own
    length, so that it finds them in a stream (`bertha_ir/runtime/streams.py`).
    """

    name: str
    arguments: tuple[Type | Literal["any", "message"], ...]
    result: Type | Literal["record"]
    laws: tuple[Law, ...]
    reference: Callable[..., Any] | None = field(repr=False, default=None)
    growth: int | None = None
    inverse: str | None = None
    fallible: bool = False
    ends: bool = False
    expand: Callable[[Expr], Expr] | None = field(repr=False, default=None)
    targets: tuple[Provided, ...] = ("python",)


def as_bytes(value: int | bytes, type_: Type) -> bytes:
    """Return the wire form of a Bits or Bytes value: big-endian, whole bytes."""
    if isinstance(value, bytes):
        return value
    assert isinstance(type_, Bits)  # noqa: S101  INVARIANT: only Bits values are ints
    return value.to_bytes((type_.width + 7) // 8, "big")


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
            run.fnv1a,
            expand=expand_fnv1a,
            targets=("python", "ebpf", "p4"),
        ),
        Primitive("crc32", ("any",), U32, ("deterministic",), run.crc32, targets=("python", "p4")),
        Primitive("now", (), U64, ("input",), targets=("python", "ebpf", "p4")),
        Primitive("random", (), U32, ("input",), targets=("python", "ebpf", "p4")),
        Primitive("nonce", (), Bits(96), ("input",)),
        Primitive(
            "aead_seal",
            (Bytes(32), Bits(96), BYTES),
            BYTES,
            ("deterministic", "injective", "conceals"),
            run.aead_seal,
            growth=28,
            inverse="aead_open",
        ),
        Primitive("aead_open", (Bytes(32), BYTES), BYTES, ("deterministic",), run.aead_open, growth=-28, fallible=True),
        Primitive(
            "zstd_compress",
            (BYTES,),
            BYTES,
            ("deterministic", "injective"),
            run.zstd_compress,
            inverse="zstd_decompress",
        ),
        Primitive("zstd_decompress", (BYTES,), BYTES, ("deterministic",), run.zstd_decompress, fallible=True),
        Primitive(
            "http2_frame",
            (U32, BYTES),
            BYTES,
            ("deterministic", "injective"),
            run.http2_frame,
            growth=9,
            inverse="http2_unframe",
        ),
        Primitive(
            "http2_unframe",
            (BYTES,),
            BYTES,
            ("deterministic",),
            run.http2_unframe,
            growth=-9,
            fallible=True,
            ends=True,
        ),
        Primitive(
            "delimit", (BYTES,), BYTES, ("deterministic", "injective"), run.delimit, growth=4, inverse="undelimit"
        ),
        Primitive("undelimit", (BYTES,), BYTES, ("deterministic",), run.undelimit, growth=-4, fallible=True, ends=True),
        Primitive("pack", ("message",), BYTES, ("deterministic", "injective"), inverse="unpack"),
        Primitive("unpack", (BYTES,), "record", ("deterministic",), fallible=True),
    )
}
