"""What keeps a program in the kernel: links, by which it is attached, and pins, the names of files."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import TYPE_CHECKING, Literal

from bertha_ir.runtime.libbpf import EbpfError, LinkOptions, library, reason

if TYPE_CHECKING:
    from pathlib import Path

Hook = Literal["xdp", "tc ingress", "tc egress"]
XdpMode = Literal["any", "generic", "native"]
_HOOKS = {"tc ingress": 46, "tc egress": 47, "xdp": 37}  # enum bpf_attach_type, linux/bpf.h
_XDP_MODES = {"any": 0, "generic": 1 << 1, "native": 1 << 2}  # XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE, linux/if_link.h
_INFO_SIZE, _INTERFACE_AT = 64, 16  # struct bpf_link_info: `xdp.ifindex`, `tcx.ifindex`


def attach(program: int, hook: Hook, interface: int, mode: XdpMode = "any") -> int:
    """Attach a program, by its descriptor, to an interface, by its index; return the descriptor of the link, which ends
    with it. `EbpfError` when the kernel or the device refuses.
    """
    options = LinkOptions(sz=ctypes.sizeof(LinkOptions), flags=_XDP_MODES[mode] if hook == "xdp" else 0)
    link: int = library().bpf_link_create(program, interface, _HOOKS[hook], ctypes.byref(options))
    if link < 0:
        code = ctypes.get_errno()
        hint = "; another program is attached there" if code in (errno.EBUSY, errno.EEXIST) else ""
        msg = f"the program cannot be attached to interface {interface}: {os.strerror(code)}{hint}"
        raise EbpfError(msg)
    return link


def switch(link: Path, program: Path) -> None:
    """Put a pinned program in the place of the one that a pinned link has attached, between two packets. `EbpfError`
    when the kernel refuses; the old one then stays.
    """
    held, fresh = unpinned(link), unpinned(program)
    try:
        if library().bpf_link_update(held, fresh, None):
            msg = f"`{link}` cannot be given another program: {reason()}"
            raise EbpfError(msg)
    finally:
        os.close(held)
        os.close(fresh)


def pin(descriptor: int, path: Path) -> None:
    """Give a program, a map or a link a name in the BPF file system, so that it stays; `EbpfError` when refused."""
    if library().bpf_obj_pin(descriptor, os.fsencode(path)):
        msg = f"`{path}` cannot be pinned: {reason()}"
        raise EbpfError(msg)


def unpinned(path: Path) -> int:
    """Return a descriptor of what is pinned there; `EbpfError` when there is nothing."""
    found: int = library().bpf_obj_get(os.fsencode(path))
    if found < 0:
        msg = f"`{path}` cannot be opened: {reason()}"
        raise EbpfError(msg)
    return found


def attached_to(link: Path) -> int:
    """Return the index of the interface that a pinned link is attached to; 0 when that is gone."""
    descriptor = unpinned(link)
    try:
        info, length = ctypes.create_string_buffer(_INFO_SIZE), ctypes.c_uint32(_INFO_SIZE)
        if library().bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(length)):
            msg = f"the kernel does not tell of `{link}`: {reason()}"
            raise EbpfError(msg)
    finally:
        os.close(descriptor)
    (interface,) = struct.unpack_from("I", info.raw, _INTERFACE_AT)
    return int(interface)
