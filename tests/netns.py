"""Two network namespaces joined by a virtual Ethernet pair, for tests that send real traffic.

A namespace is a file descriptor of this process: it goes away with it, whatever happens. `with namespace:` lets the
thread open sockets, start processes and attach programs in it; those stay there.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

NEW_NETWORK = 0x40000000  # CLONE_NEWNET, linux/sched.h
CURRENT = "/proc/thread-self/ns/net"
LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(failed: int) -> None:
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def command(*words: str) -> str:
    """Run a command where the thread is; return what it prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Namespace:
    """A network namespace with `lo` up. Entered and left any number of times, one inside another."""

    def __init__(self) -> None:
        home = os.open(CURRENT, os.O_RDONLY)
        try:
            _checked(LIBC.unshare(NEW_NETWORK))
            try:
                self.fd = os.open(CURRENT, os.O_RDONLY)
                command("ip", "link", "set", "lo", "up")
            finally:
                _checked(LIBC.setns(home, NEW_NETWORK))
        finally:
            os.close(home)
        self._homes: list[int] = []

    @property
    def path(self) -> str:
        """Where other processes find it."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def __enter__(self) -> Self:
        self._homes.append(os.open(CURRENT, os.O_RDONLY))
        _checked(LIBC.setns(self.fd, NEW_NETWORK))
        return self

    def __exit__(self, *_: object) -> None:
        home = self._homes.pop()
        _checked(LIBC.setns(home, NEW_NETWORK))
        os.close(home)

    def socket(self, address: tuple[str, int], kind: socket.SocketKind = socket.SOCK_DGRAM) -> socket.socket:
        """A socket in the namespace, bound to an address, that gives up waiting after 5 s."""
        with self:
            made = socket.socket(socket.AF_INET, kind)
        made.settimeout(5)
        made.bind(address)
        return made

    def close(self) -> None:
        """Let go of it; the kernel removes it when its last socket is closed."""
        os.close(self.fd)


class Pair:
    """A server at 10.0.0.1 and a client at 10.0.0.9, each in its namespace, on interfaces called `wire`.

    With `offload`, checksums of what is sent are left to the cards, which veth never fills in.
    """

    def __init__(self, *, offload: bool = False) -> None:
        self._opened = ExitStack()
        self.server, self.client = Namespace(), Namespace()
        self._opened.callback(self.server.close)
        self._opened.callback(self.client.close)
        with self.server:
            command("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self.client.path)
            self.interface = socket.if_nametoindex("wire")
        for end, address in ((self.server, "10.0.0.1/24"), (self.client, "10.0.0.9/24")):
            with end:
                command("ip", "address", "add", address, "dev", "wire")
                command("ethtool", "-K", "wire", "tx", "on" if offload else "off")
                command("ip", "link", "set", "wire", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.server:  # the pair goes now, not when the last socket is forgotten
            command("ip", "link", "delete", "wire")
        self._opened.close()
