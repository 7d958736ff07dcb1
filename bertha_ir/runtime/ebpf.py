"""Loads the eBPF programs of an artifact: compile, load, fill the maps, run on packets, attach.

Uses libbpf.so.1 through ctypes and nothing else. Everything that is opened is closed with its owner: programs are
attached as links, which the kernel drops when the process ends.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

XDP_PASS, XDP_DROP, XDP_TX = 2, 1, 3
TC_NEXT, TC_DROP, TC_REDIRECT = 0xFFFFFFFF, 2, 7
VERDICTS = {
    "xdp": {XDP_PASS: "pass", XDP_DROP: "drop", XDP_TX: "bounce"},
    "tc": {TC_NEXT: "pass", TC_DROP: "drop", TC_REDIRECT: "bounce"},
}
_TCX_INGRESS, _TCX_EGRESS, _XDP = 46, 47, 37  # enum bpf_attach_type, linux/bpf.h
_XDP_MODES = {"any": 0, "generic": 1 << 1, "native": 1 << 2}  # XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE, linux/if_link.h
# linux/capability.h; without CAP_PERFMON the verifier takes no difference of two pointers: no size of a frame
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_PERFMON": 38, "CAP_BPF": 39}
_INFO_SIZE, _VERIFIED_AT, _XLATED_AT = 232, 216, 20  # struct bpf_prog_info, linux/bpf.h
_ROOM = 256  # bytes by which a program may make a packet longer
_LOG_SIZE = 1 << 20


class EbpfError(RuntimeError):
    """A program could not be compiled, loaded, run or attached; says why in one line, `log` holds the details."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class _TestRun(ctypes.Structure):
    """`struct bpf_test_run_opts`, bpf/bpf.h."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_void_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


class _OpenOptions(ctypes.Structure):
    """`struct bpf_object_open_opts`, bpf/libbpf.h."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("object_name", ctypes.c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", ctypes.c_char_p),
        ("reserved", ctypes.c_uint32),
        ("kconfig", ctypes.c_char_p),
        ("btf_custom_path", ctypes.c_char_p),
        ("kernel_log_buf", ctypes.c_char_p),
        ("kernel_log_size", ctypes.c_size_t),
        ("kernel_log_level", ctypes.c_uint32),
    )


class _LinkOptions(ctypes.Structure):
    """`struct bpf_link_create_opts`, bpf/bpf.h, without the parts for other kinds of programs."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("iter_info", ctypes.c_void_p),
        ("iter_info_len", ctypes.c_uint32),
        ("target_btf_id", ctypes.c_uint32),
    )


def _library() -> Any:  # noqa: ANN401  (ctypes finds functions by name)
    name = ctypes.util.find_library("bpf") or "libbpf.so.1"
    try:
        library = ctypes.CDLL(name, use_errno=True)
    except OSError as error:
        msg = f"libbpf is not installed ({error}); on Debian: apt-get install libbpf1"
        raise EbpfError(msg) from error
    for function in (
        "bpf_object__open_file",
        "bpf_object__find_map_by_name",
        "bpf_object__next_program",
    ):
        getattr(library, function).restype = ctypes.c_void_p
    library.bpf_program__section_name.restype = ctypes.c_char_p
    library.libbpf_set_print(None)
    return library


def missing_capabilities() -> tuple[str, ...]:
    """Return the capabilities that this process lacks for loading and attaching programs."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(status.partition("CapEff:\t")[2].split("\n")[0], 16)
    everything = effective >> 21 & 1  # CAP_SYS_ADMIN
    return tuple(name for name, bit in _CAPABILITIES.items() if not (effective >> bit & 1 or everything))


def build(source: Path, folder: Path, *options: str) -> Path:
    """Compile a `.bpf.c` file into `folder`, with further options for clang, and return the object file.

    `EbpfError` when clang is missing or refuses.
    """
    clang = which("clang")
    if clang is None:
        msg = "clang is not installed; on Debian: apt-get install clang libbpf-dev"
        raise EbpfError(msg)
    target = folder / f"{source.name.removesuffix('.c')}.o"
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    command = [clang, "-O2", "-g", "-Wall", "-target", "bpf", include, *options, "-c", str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (clang, found on PATH)
    if done.returncode:
        first = done.stderr.strip().partition("\n")[0] or f"it ended with {done.returncode}"
        msg = f"clang refuses {source.name}: {first}"
        raise EbpfError(msg, done.stderr)
    return target


class Object:
    """A loaded object file: its one program and its maps. Filled from `NAME.maps.json` beside the source, if given.

    Use as a context manager; leaving it closes links, maps and program.
    """

    def __init__(self, path: Path, maps: Path | None = None) -> None:
        self._bpf = _library()
        self._links: list[int] = []
        if missing := missing_capabilities():
            msg = f"loading a program needs {', '.join(missing)}, which this process lacks"
            raise EbpfError(msg)
        self._object = self._load(path)
        self._program = self._bpf.bpf_object__next_program(ctypes.c_void_p(self._object), None)
        self.fd: int = self._bpf.bpf_program__fd(ctypes.c_void_p(self._program))
        section = self._bpf.bpf_program__section_name(ctypes.c_void_p(self._program)).decode()
        self.hook: Literal["xdp", "tc"] = "xdp" if section.startswith("xdp") else "tc"
        self.maps: dict[str, Map] = {}
        try:
            self._fill(maps)
        except BaseException:
            self.close()
            raise

    def _load(self, path: Path) -> int:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        options = _OpenOptions(sz=ctypes.sizeof(_OpenOptions), kernel_log_size=_LOG_SIZE)
        options.kernel_log_buf = ctypes.cast(log, ctypes.c_char_p)
        found: int | None = self._bpf.bpf_object__open_file(os.fsencode(path), ctypes.byref(options))
        if not found:
            msg = f"{path.name} is no eBPF object: {os.strerror(ctypes.get_errno())}"
            raise EbpfError(msg)
        if self._bpf.bpf_object__load(ctypes.c_void_p(found)):
            code = ctypes.get_errno()
            self._bpf.bpf_object__close(ctypes.c_void_p(found))
            details = log.value.decode(errors="replace")
            last = details.strip().splitlines()[-2:] or [os.strerror(code)]
            msg = f"the kernel refuses {path.name}: {' / '.join(last)}"
            raise EbpfError(msg, details)
        return found

    def _fill(self, maps: Path | None) -> None:
        if maps is None:
            return
        for described in json.loads(maps.read_text(encoding="utf-8"))["maps"]:
            handle = self._bpf.bpf_object__find_map_by_name(
                ctypes.c_void_p(self._object), described["map"].encode()
            )  # fmt: skip
            if not handle:
                msg = f"the object has no map `{described['map']}`"
                raise EbpfError(msg)
            made = Map(self._bpf, self._bpf.bpf_map__fd(ctypes.c_void_p(handle)), described)
            for key, value in described["entries"]:
                made[tuple(key)] = tuple(value)
            self.maps[described["name"]] = made

    def run(self, packet: bytes, repeat: int = 1) -> tuple[int, bytes, int]:
        """Run the program on a packet of 14 bytes or more; return (verdict as a number, packet, ns a run).

        With `repeat`, the packet is not restored between runs.
        """
        data = ctypes.create_string_buffer(packet, len(packet))
        out = ctypes.create_string_buffer(len(packet) + _ROOM)
        options = _TestRun(sz=ctypes.sizeof(_TestRun), data_size_in=len(packet), data_size_out=len(out), repeat=repeat)
        options.data_in, options.data_out = ctypes.addressof(data), ctypes.addressof(out)
        if self._bpf.bpf_prog_test_run_opts(self.fd, ctypes.byref(options)):
            msg = f"the kernel does not run this packet of {len(packet)} bytes: {os.strerror(ctypes.get_errno())}"
            raise EbpfError(msg)
        return options.retval, out.raw[: options.data_size_out], options.duration

    def verdict(self, packet: bytes) -> tuple[str, bytes]:
        """Run the program on a packet; return what became of it (`pass`, `drop`, `bounce`) and its bytes."""
        number, data, _ = self.run(packet)
        return VERDICTS[self.hook].get(number, f"unknown verdict {number}"), data

    def instructions(self) -> tuple[int, int]:
        """Return how many instructions the kernel holds, and how many its verifier walked through."""
        info = ctypes.create_string_buffer(_INFO_SIZE)
        length = ctypes.c_uint32(_INFO_SIZE)
        if self._bpf.bpf_obj_get_info_by_fd(self.fd, info, ctypes.byref(length)):
            msg = f"the kernel does not tell of the program: {os.strerror(ctypes.get_errno())}"
            raise EbpfError(msg)
        (translated,) = struct.unpack_from("I", info.raw, _XLATED_AT)
        (verified,) = struct.unpack_from("I", info.raw, _VERIFIED_AT)
        return translated // 8, verified

    def attach(
        self, interface: int, *, ingress: bool = False, mode: Literal["any", "generic", "native"] = "any"
    ) -> None:
        """Attach the program to a network interface, by its index: XDP, or TC egress (ingress if asked for).

        The link goes away with this object or its process. `EbpfError` when the kernel or the device refuses.
        """
        kind = _XDP if self.hook == "xdp" else _TCX_INGRESS if ingress else _TCX_EGRESS
        flags = _XDP_MODES[mode] if self.hook == "xdp" else 0
        options = _LinkOptions(sz=ctypes.sizeof(_LinkOptions), flags=flags)
        link = self._bpf.bpf_link_create(self.fd, interface, kind, ctypes.byref(options))
        if link < 0:
            code = ctypes.get_errno()
            hint = "; another program is attached there" if code in (errno.EBUSY, errno.EEXIST) else ""
            msg = f"the program cannot be attached to interface {interface}: {os.strerror(code)}{hint}"
            raise EbpfError(msg)
        self._links.append(link)

    def close(self) -> None:
        """Detach and unload; may be called again."""
        while self._links:
            os.close(self._links.pop())
        if self._object:
            self._bpf.bpf_object__close(ctypes.c_void_p(self._object))
            self._object = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Map:
    """A map of a loaded program, as a mapping from tuples of key members to tuples of value members.

    The key of a single cell is `()`; of an `lpm` map, (prefix length, prefix).
    """

    def __init__(self, bpf: Any, fd: int, described: dict[str, Any]) -> None:  # noqa: ANN401  (ctypes, JSON)
        self._bpf, self.fd = bpf, fd
        self._kind: str = described["kind"]
        member = {4: "I", 8: "Q"}
        self._key = struct.Struct("=" + member[described["key_member"]] * len(described["keys"]))
        self._value = struct.Struct("=" + (member[described["value_member"]] * len(described["values"]) or "I"))
        self._widths: list[int] = described["keys"]
        self._values: list[int] = described["values"]

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

    def _unpack_value(self, value: bytes) -> tuple[int, ...]:
        members = self._value.unpack(value)[: len(self._values)]
        return tuple(m & ((1 << w) - 1) for m, w in zip(members, self._values, strict=True))

    def __setitem__(self, key: tuple[int, ...], value: tuple[int, ...]) -> None:
        """Insert or replace; `EbpfError` when the map is full."""
        packed = self._value.pack(*(value or (1,)))
        if self._bpf.bpf_map_update_elem(self.fd, self._pack_key(key), packed, ctypes.c_uint64(0)):
            msg = f"the map does not take the entry {key}: {os.strerror(ctypes.get_errno())}"
            raise EbpfError(msg)

    def get(self, key: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the value of a key, or None."""
        value = ctypes.create_string_buffer(self._value.size)
        if self._bpf.bpf_map_lookup_elem(self.fd, self._pack_key(key), value):
            if (code := ctypes.get_errno()) == errno.ENOENT:
                return None
            msg = f"the map cannot be read: {os.strerror(code)}"
            raise EbpfError(msg)
        return self._unpack_value(value.raw)

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
