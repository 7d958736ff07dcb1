"""Prints primitives that are a line or two of Python: records, lengths in front, frames, and ciphers that are kept.

They mean what `bertha_ir.runtime.primitives` says; those that take bytes apart fail by a test, not by an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir.backends.printing import bare
from bertha_ir.backends.python.payload import Pieces, as_bytes

if TYPE_CHECKING:
    from bertha_ir.backends.python.words import Words

LENGTH, FRAME, NONCE, TAG = 4, 9, 12, 16  # bytes; see bertha_ir.runtime.primitives
PUTS = frozenset({"pack", "delimit", "http2_frame", "aead_seal"})


@frozen
class Cut:
    """How bytes are taken apart: the test that says that they cannot be, what is found, and, where that is all but the
    first bytes, where it begins in the variable.
    """

    test: str
    value: str
    front: int | None = None


def pieces_of(words: Words, node: e.Expr) -> Pieces:
    """Return the parts of a byte string; what must be computed first is said by `words`."""
    match node:
        case e.Payload():
            return words.payload.whole()
        case e.Call("pack", (record,)):
            return words.packed(record)
        case e.Call("delimit", (data,)):
            inner = pieces_of(words, data)
            return inner.behind(f"U32.pack({inner.size})", LENGTH)
        case e.Call("http2_frame", (stream, data)):
            number = words.text(e.Binary("&", stream, e.Const(0x7FFFFFFF, stream.type)))
            number = str(stream.value & 0x7FFFFFFF) if isinstance(stream, e.Const) else bare(number)  # type: ignore[operator]  # a word
            inner = pieces_of(words, data)
            return inner.behind(f"DATA_FRAME.pack({inner.size} << 8, 0, {number})", FRAME)
        case e.Call("aead_seal", (e.Secret(name), number, data)):
            return _sealed(words, name, number, data)
        case _:
            made = words.once(words.text(node), node)
            return Pieces((made,), 0, (made,))


def _sealed(words: Words, secret: str, number: e.Expr, data: e.Expr) -> Pieces:
    prefix, sealed = words.fresh("nonce"), words.fresh("sealed")
    fresh = isinstance(number, e.Call) and number.primitive == "nonce"
    text = "primitives.nonce_bytes()" if fresh else f'({bare(words.text(number))}).to_bytes({NONCE}, "big")'
    words.say(f"{prefix} = {text}")
    words.say(f"{sealed} = CIPHERS[{secret!r}].encrypt({prefix}, {bare(words.text(data))}, None)")
    return Pieces((prefix, sealed), NONCE, (sealed,))


def cut_of(words: Words, node: e.Expr) -> Cut | None:
    """Return how a call that can fail takes bytes apart, or None when that takes more than a test."""
    match node:
        case e.Call("undelimit", (data,)):
            name, front = words.held(data)
            behind = front + LENGTH
            test = f"U32.unpack_from({name}{_at(front)})[0] != len({name}) - {behind}"
        case e.Call("http2_unframe", (data,)):
            name, front = words.held(data)
            behind = front + FRAME
            # the length is three bytes, and the type, which is 0, the fourth
            test = f"U32.unpack_from({name}{_at(front)})[0] != len({name}) - {behind} << 8"
        case e.Call("unpack", (data,)):
            return words.unpacked(node, *words.held(data))
        case _:
            return None
    rest = as_bytes(f"{name}[{behind}:]")
    return Cut(f"len({name}) < {behind} or {test}", rest, behind if name == words.payload.name else None)


def _at(front: int) -> str:
    return f", {front}" if front else ""
