"""The maps of programs in the kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import TYPE_CHECKING, Any

from bertha_ir.runtime.libbpf import EbpfError, library, reason
from bertha_ir.runtime.links import unpinned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Map:
    """A map of a loaded program, as a mapping from tuples of key members to tuples of value members.

    The key of a single cell is `()`; of an `lpm` map, (prefix length, prefix). Where each processor has values of its
    own, the value is their sum.
    """

    def __init__(self, fd: int, described: dict[str, Any]) -> None:
        self._bpf, self.fd = library(), fd
        self._kind: str = described["kind"]
        member = {4: "I", 8: "Q"}
        self._key = struct.Struct("=" + member[described["key_member"]] * len(described["keys"]))
        self._value = struct.Struct("=" + (member[described["value_member"]] * len(described["values"]) or "I"))
        self._widths: list[int] = described["keys"]
        self._values: list[int] = described["values"]
        self.is_table: bool = described["table"]
        apart = described.get("per_processor", False)
        self._count = possible_processors() if apart else 1
        self._share = -(-self._value.size // 8) * 8 if apart else self._value.size  # bytes

    @property
    def is_prefixes(self) -> bool:
        """Whether keys are prefixes, of which the longest wins."""
        return self._kind == "lpm"

    @property
    def key_widths(self) -> list[int]:
        """The bits of each member of a key."""
        return self._widths

    @property
    def value_widths(self) -> list[int]:
        """The bits of each member of a value."""
        return self._values

    @classmethod
    def pinned(cls, path: Path, described: dict[str, Any]) -> Map:
        """Open a map that is pinned; its descriptor is the caller's to close. `EbpfError` when there is none."""
        return cls(unpinned(path), described)

    def _pack_key(self, key: tuple[int, ...]) -> bytes:
        match self._kind:
            case "array":
                return bytes(4)
            case "lpm":
                length, prefix = key
                return struct.pack("=I", length) + prefix.to_bytes(self._widths[0] // 8, "big")
            case _:
                return self._key.pack(*key)

    def _unpack_key(self, key: bytes) -> tuple[int, ...]:
        match self._kind:
            case "array":
                return ()
            case "lpm":
                return int.from_bytes(key[:4], sys.byteorder), int.from_bytes(key[4:], "big")
            case _:
                return self._key.unpack(key)

    def __setitem__(self, key: tuple[int, ...], value: tuple[int, ...]) -> None:
        """Insert or replace; `EbpfError` when the map is full."""
        packed = self._value.pack(*(value or (1,))).ljust(self._share * self._count, b"\0")
        if self._bpf.bpf_map_update_elem(self.fd, self._pack_key(key), packed, ctypes.c_uint64(0)):
            msg = f"the map does not take the entry {key}: {reason()}"
            raise EbpfError(msg)

    def get(self, key: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the value of a key, or None."""
        shares = self.shares(key)
        if shares is None:
            return None
        return tuple(sum(m) & ((1 << w) - 1) for m, w in zip(zip(*shares, strict=True), self._values, strict=True))

    def shares(self, key: tuple[int, ...]) -> tuple[tuple[int, ...], ...] | None:
        """Return what each processor has of the value of a key, or the value alone if that is of all; None without."""
        value = ctypes.create_string_buffer(self._share * self._count)
        if self._bpf.bpf_map_lookup_elem(self.fd, self._pack_key(key), value):
            if (code := ctypes.get_errno()) == errno.ENOENT:
                return None
            msg = f"the map cannot be read: {os.strerror(code)}"
            raise EbpfError(msg)
        rows = (self._value.unpack_from(value, at * self._share) for at in range(self._count))
        return tuple(row[: len(self._values)] for row in rows)

    def __delitem__(self, key: tuple[int, ...]) -> None:
        """Remove a key; KeyError when it is not there."""
        if self._bpf.bpf_map_delete_elem(self.fd, self._pack_key(key)):
            raise KeyError(key)

    def items(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Yield the entries. Entries that come and go meanwhile may be missed or seen twice."""
        size = len(self._pack_key((0, 0) if self._kind == "lpm" else (0,) * len(self._widths)))
        before, key = None, ctypes.create_string_buffer(size)
        while self._bpf.bpf_map_get_next_key(self.fd, before, key) == 0:
            before = key.raw
            value = self.get(self._unpack_key(before))
            if value is not None:
                yield self._unpack_key(before), value


def possible_processors() -> int:
    """Return of how many processors the kernel keeps values apart; `EbpfError` when it does not say."""
    found: int = library().libbpf_num_possible_cpus()
    if found < 1:
        msg = f"the kernel does not tell how many processors are possible: {os.strerror(-found)}"
        raise EbpfError(msg)
    return found
