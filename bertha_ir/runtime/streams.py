"""Where messages end in a stream of bytes, by the primitive that undoes the record they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.runtime.primitives import FRAME_HEADER, LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 1 << 24  # bytes of one record: more are taken for garbage


def delimited(data: bytes | bytearray) -> int | None:
    """Return the bytes of the record that `delimit` made, by what the stream begins with; None: more is needed."""
    return LENGTH + int.from_bytes(data[:LENGTH], "big") if len(data) >= LENGTH else None


def http2_framed(data: bytes | bytearray) -> int | None:
    """Return the bytes of the HTTP/2 frame that a stream begins with (RFC 9113, section 4.1); None: more is needed."""
    return FRAME_HEADER + int.from_bytes(data[:3], "big") if len(data) >= FRAME_HEADER else None


EXTENTS: dict[str, Callable[[bytes | bytearray], int | None]] = {
    "undelimit": delimited,
    "http2_unframe": http2_framed,
}
