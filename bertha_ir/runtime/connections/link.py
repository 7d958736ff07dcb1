"""A UDP socket in an event loop, that is emptied a batch at a time."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import TYPE_CHECKING

from bertha_ir.runtime.udp import BATCH, BUFFER, LARGEST, Address

if TYPE_CHECKING:
    from collections.abc import Callable

    Received = Callable[[bytes, Address], None]

ANY: Address = ("0.0.0.0", 0)  # noqa: S104  (a client's socket, on whatever interface leads to the server)


class Link:
    """Gives every datagram to its `receiver`, with its sender. OSError when the address cannot be had.

    `counts`: datagrams that were `lost`, because the system did not take them.
    """

    def __init__(self, local: Address, receiver: Received | None = None) -> None:
        self.receiver = receiver or _ignored
        self._loop = asyncio.get_running_loop()
        self.counts: Counter[str] = Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.settimeout(0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            self.socket.bind(local)
        except OSError:
            self.socket.close()
            raise
        self.local: Address = self.socket.getsockname()
        self._loop.add_reader(self.socket, self._drain)

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram; what the system does not take is lost, as it may be on the way."""
        try:
            self.socket.sendto(data, to)
        except OSError:
            self.counts["lost"] += 1

    def _drain(self) -> None:
        receive = self.socket.recvfrom
        for _ in range(BATCH):
            if self.socket.fileno() < 0:  # closed by what was received
                return
            try:
                data, sender = receive(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # what became of an earlier datagram
                continue
            self.receiver(data, sender)

    def close(self) -> None:
        """Close the socket; may be called again."""
        if self.socket.fileno() >= 0:
            self._loop.remove_reader(self.socket)
            self.socket.close()


def _ignored(_data: bytes, _sender: Address) -> None:
    """Take nothing."""
