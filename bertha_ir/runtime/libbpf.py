"""libbpf.so.1 through ctypes, and the structures that its functions take."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from typing import Any


class EbpfError(RuntimeError):
    """A program could not be compiled, loaded, run or attached; says why in one line, `log` holds the details."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class TestRun(ctypes.Structure):
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


class OpenOptions(ctypes.Structure):
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


class LinkOptions(ctypes.Structure):
    """`struct bpf_link_create_opts`, bpf/bpf.h, without the parts for other kinds of programs."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("iter_info", ctypes.c_void_p),
        ("iter_info_len", ctypes.c_uint32),
        ("target_btf_id", ctypes.c_uint32),
    )


def library() -> Any:  # noqa: ANN401  (ctypes finds functions by name)
    """Return libbpf; `EbpfError` when it is not installed."""
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


def reason() -> str:
    """Return what the last function that failed says."""
    return os.strerror(ctypes.get_errno())
