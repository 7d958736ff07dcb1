"""Times what a Python process does: programs of the Python backend, primitives, sockets."""

from __future__ import annotations

import gc
import os
import random
import socket
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns
from types import ModuleType
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bertha_ir.backends.base import Unit
from bertha_ir.backends.python.target import PythonBackend
from bertha_ir.runtime import primitives as run
from bertha_ir.runtime.state import fix_checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.message import Message
    from bertha_ir.program import DeviceProgram

SIZES = (64, 256, 1400, 8192)  # bytes of a message
KEY = 8  # bytes of what is hashed
LOOPBACK = "127.0.0.1"


@frozen
class Effort:
    """How long to measure: rounds of `nanoseconds` each, of which the fastest counts."""

    nanoseconds: int
    rounds: int


FULL, QUICK = Effort(4_000_000, 15), Effort(1_000_000, 7)


def time_of(call: Callable[[], object], effort: Effort) -> float:
    """Return the nanoseconds that a call takes, without the loop around it."""

    def nothing() -> None:
        return None

    with _quiet():
        return max(0.0, _time(call, effort) - _time(nothing, effort))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the garbage collector from running meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _time(call: Callable[[], object], effort: Effort) -> float:
    turns, spent = 1, 0
    while (spent := _spent(call, turns)) < effort.nanoseconds // 4 and turns < effort.nanoseconds:
        turns *= 2
    turns = max(1, turns * effort.nanoseconds // max(1, spent))
    return min(_spent(call, turns) for _ in range(effort.rounds)) / turns


def _spent(call: Callable[[], object], turns: int) -> int:
    began = perf_counter_ns()
    for _ in range(turns):
        call()
    return perf_counter_ns() - began


def module_of(program: DeviceProgram, messages: tuple[Message, ...] = ()) -> Any:  # noqa: ANN401  (emitted code)
    """Return a program as the Python backend prints it, imported."""
    (text,) = PythonBackend().emit(Unit(program, messages)).values()
    module = ModuleType("bertha_probe")
    exec(compile(text, f"{program.name}.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102  (our own backend's)
    return module


def message(size: int) -> bytes:
    """Return bytes of which half are chance: what compresses, but not to nothing."""
    chance = random.Random(size)  # noqa: S311  (the same each time)
    return b"".join(chance.randbytes(8) + b"abcdefgh" for _ in range(size // 16 + 1))[:size]


def codecs() -> dict[str, Callable[[bytes], Callable[[], object]]]:
    """Return, by primitive, what makes the call to time from a message."""
    secret, nonce = bytes(range(32)), run.nonce()
    return {
        "aead_seal": lambda m: lambda: run.aead_seal(secret, nonce, m),
        "aead_open": lambda m: _on(run.aead_seal(secret, nonce, m), lambda sealed: run.aead_open(secret, sealed)),
        "zstd_compress": lambda m: lambda: run.zstd_compress(m),
        "zstd_decompress": lambda m: _on(run.zstd_compress(m), run.zstd_decompress),
        "http2_frame": lambda m: lambda: run.http2_frame(1, m),
        "http2_unframe": lambda m: _on(run.http2_frame(1, m), run.http2_unframe),
        "delimit": lambda m: lambda: run.delimit(m),
        "undelimit": lambda m: _on(run.delimit(m), run.undelimit),
    }


def _on(data: bytes, call: Callable[[bytes], object]) -> Callable[[], object]:
    return lambda: call(data)


def plain() -> dict[str, Callable[[], object]]:
    """Return, by the figure's name, the calls whose time does not depend on the message's size."""
    key, packet = message(KEY), bytearray(message(64))
    return {
        "call-fnv1a": lambda: run.fnv1a(key),
        "call-crc32": lambda: run.crc32(key),
        "call-nonce": run.nonce,
        "checksum": lambda: fix_checksum(packet, 24, 0x0A000001, 0x0A000002, 2, optional=True),
        "syscall": os.getppid,
    }


@contextmanager
def datagrams() -> Iterator[Callable[[bytes], Callable[[], object]]]:
    """Give what makes a call that sends a message by UDP to this process itself, and receives it."""
    with ExitStack() as opened:
        ends = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)]
        for end in ends:
            end.bind((LOOPBACK, 0))
        to = ends[1].getsockname()

        def made(content: bytes) -> Callable[[], object]:
            def call() -> None:
                ends[0].sendto(content, to)
                ends[1].recvfrom(1 << 16)

            return call

        yield made


@contextmanager
def streams() -> Iterator[Callable[[bytes], Callable[[], object]]]:
    """As `datagrams`, by TCP, on a connection that is open."""
    with ExitStack() as opened:
        listening = opened.enter_context(socket.create_server((LOOPBACK, 0)))
        sender = opened.enter_context(socket.create_connection(listening.getsockname()))
        receiver = opened.enter_context(listening.accept()[0])
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def made(content: bytes) -> Callable[[], object]:
            def call() -> None:
                sender.sendall(content)
                left = len(content)
                while left:
                    left -= len(receiver.recv(left))

            return call

        yield made
