"""Loads the eBPF programs of an artifact: compile, load, fill the maps, run on packets, attach.

Uses libbpf.so.1 through ctypes and nothing else. Everything that is opened is closed with its owner: programs are
attached as links, which the kernel drops when the process ends.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import platform
import struct
import subprocess
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Literal, Self

from bertha_ir.runtime.libbpf import EbpfError, OpenOptions, TestRun, library, reason
from bertha_ir.runtime.links import attach
from bertha_ir.runtime.maps import Map

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from bertha_ir.runtime.links import Hook, XdpMode

__all__ = ("VERDICTS", "EbpfError", "Map", "Object", "build", "missing_capabilities")

XDP_PASS, XDP_DROP, XDP_TX = 2, 1, 3
TC_NEXT, TC_DROP, TC_REDIRECT = 0xFFFFFFFF, 2, 7
VERDICTS = {
    "xdp": {XDP_PASS: "pass", XDP_DROP: "drop", XDP_TX: "bounce"},
    "tc": {TC_NEXT: "pass", TC_DROP: "drop", TC_REDIRECT: "bounce"},
}
# linux/capability.h; without CAP_PERFMON the verifier takes no difference of two pointers: no size of a frame
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_PERFMON": 38, "CAP_BPF": 39}
_INFO_SIZE, _VERIFIED_AT, _XLATED_AT = 232, 216, 20  # struct bpf_prog_info, linux/bpf.h
_NEXT = "next_program"
_ROOM = 256  # bytes by which a program may make a packet longer
_LOG_SIZE = 1 << 20


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
    """A loaded object file: its program, maybe in several parts, and its maps. Filled from `NAME.maps.json` beside the
    source, if given.

    Use as a context manager; leaving it closes links, maps and program.
    """

    def __init__(self, path: Path, maps: Path | None = None) -> None:
        self._bpf = library()
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
        options = OpenOptions(sz=ctypes.sizeof(OpenOptions), kernel_log_size=_LOG_SIZE)
        options.kernel_log_buf = ctypes.cast(log, ctypes.c_char_p)
        found: int | None = self._bpf.bpf_object__open_file(os.fsencode(path), ctypes.byref(options))
        if not found:
            msg = f"{path.name} is no eBPF object: {reason()}"
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
            made = Map(self.map(described["map"]), described)
            for key, value in described["entries"]:
                made[tuple(key)] = tuple(value)
            self.maps[described["name"]] = made

    def map(self, name: str) -> int:
        """Return the descriptor of a map by its name in C, which is this object's to close; `EbpfError` if there is
        none.
        """
        handle = self._bpf.bpf_object__find_map_by_name(ctypes.c_void_p(self._object), name.encode())
        if not handle:
            msg = f"the object has no map `{name}`"
            raise EbpfError(msg)
        found: int = self._bpf.bpf_map__fd(ctypes.c_void_p(handle))
        return found

    def put(self, name: str, key: bytes, value: bytes) -> None:
        """Insert or replace an entry of a map, by its name in C; `EbpfError` when the kernel refuses."""
        if self._bpf.bpf_map_update_elem(self.map(name), key, value, ctypes.c_uint64(0)):
            msg = f"the map `{name}` does not take the entry: {reason()}"
            raise EbpfError(msg)

    def go_on_to(self, other: Object) -> None:
        """Have the program hand what it passes to another one. `EbpfError` when it was not emitted to go on."""
        self.put(_NEXT, struct.pack("=I", 0), struct.pack("=I", other.fd))

    def run(self, packet: bytes, repeat: int = 1) -> tuple[int, bytes, int]:
        """Run the program on a packet of 14 bytes or more; return (verdict as a number, packet, ns a run).

        With `repeat`, the packet is not restored between runs.
        """
        data = ctypes.create_string_buffer(packet, len(packet))
        out = ctypes.create_string_buffer(len(packet) + _ROOM)
        options = TestRun(sz=ctypes.sizeof(TestRun), data_size_in=len(packet), data_size_out=len(out), repeat=repeat)
        options.data_in, options.data_out = ctypes.addressof(data), ctypes.addressof(out)
        if self._bpf.bpf_prog_test_run_opts(self.fd, ctypes.byref(options)):
            msg = f"the kernel does not run this packet of {len(packet)} bytes: {reason()}"
            raise EbpfError(msg)
        return options.retval, out.raw[: options.data_size_out], options.duration

    def verdict(self, packet: bytes) -> tuple[str, bytes]:
        """Run the program on a packet; return what became of it (`pass`, `drop`, `bounce`) and its bytes."""
        number, data, _ = self.run(packet)
        return VERDICTS[self.hook].get(number, f"unknown verdict {number}"), data

    def instructions(self) -> tuple[int, int]:
        """Return how many instructions the kernel holds, and how many its verifier walked through; of a program in
        parts, those of all of them, and of the part that it walked through the most of.
        """
        sizes = [self._size(ctypes.c_int(self._bpf.bpf_program__fd(ctypes.c_void_p(p)))) for p in self._programs()]
        return sum(held for held, _ in sizes), max(verified for _, verified in sizes)

    def _programs(self) -> Iterator[int]:
        program = None
        while program := self._bpf.bpf_object__next_program(ctypes.c_void_p(self._object), ctypes.c_void_p(program)):
            yield program

    def _size(self, program: ctypes.c_int) -> tuple[int, int]:
        info = ctypes.create_string_buffer(_INFO_SIZE)
        length = ctypes.c_uint32(_INFO_SIZE)
        if self._bpf.bpf_obj_get_info_by_fd(program, info, ctypes.byref(length)):
            msg = f"the kernel does not tell of the program: {reason()}"
            raise EbpfError(msg)
        (translated,) = struct.unpack_from("I", info.raw, _XLATED_AT)
        (verified,) = struct.unpack_from("I", info.raw, _VERIFIED_AT)
        return translated // 8, verified

    def attach(self, interface: int, *, ingress: bool = False, mode: XdpMode = "any") -> None:
        """Attach the program to a network interface, by its index: XDP, or TC egress (ingress if asked for).

        The link goes away with this object or its process. `EbpfError` when the kernel or the device refuses.
        """
        hook: Hook = "xdp" if self.hook == "xdp" else "tc ingress" if ingress else "tc egress"
        self._links.append(attach(self.fd, hook, interface, mode))

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
