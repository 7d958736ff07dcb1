"""The record that all programs by hand send: 26 bytes, and a value."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

LAYOUT = Struct(">QQBBQ")
SIZE = LAYOUT.size


class Request(NamedTuple):
    """A request to a key-value store."""

    request: int
    client: int
    op: int
    flags: int
    key: int
    value: bytes
