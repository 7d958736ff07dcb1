"""Runs a program that belongs on the path of datagrams in a process in front of the service: the *front*.

Clients send to the service's address, which the front owns. The program names the endpoint of each request; the front
sends it there from a socket that belongs to the client, and sends what comes back there from the service's address, so
that a connected client accepts it. The source address that a program may give a request is not used: it is the front's.

Memory and sockets are bounded: the client that was silent for the longest loses its socket to a new one.
"""

from __future__ import annotations

import logging
import selectors
import socket
import struct
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

Endpoint = tuple[int, int]
Address = tuple[str, int]
Outcome = tuple[str, bytes, Endpoint, Endpoint]
Run = Callable[[bytes, Endpoint, Endpoint], Outcome]

LARGEST = 65535  # bytes of a datagram, header included; RFC 768
BATCH = 64  # datagrams taken from one socket before the others have their turn
BUFFER = 1 << 22  # bytes that the kernel is asked to keep for a socket
PEERS = 256  # endpoints from which one client's answers may come
log = logging.getLogger(__name__)


@lru_cache(maxsize=1 << 14)
def endpoint(address: Address) -> Endpoint:
    """Return the (IPv4 address as an integer, port) of a socket's address."""
    ip, port = address
    return struct.unpack(">I", socket.inet_aton(ip))[0], port


@lru_cache(maxsize=1 << 14)
def address(end: Endpoint) -> Address:
    """Return the socket's address of an (IPv4 address as an integer, port)."""
    ip, port = end
    return socket.inet_ntoa(struct.pack(">I", ip)), port


class Flow:
    """A client, its socket towards the service's endpoints, when it last served (s), and whom it has sent to."""

    __slots__ = ("client", "peers", "socket", "used")

    def __init__(self, client: Address) -> None:
        self.client, self.used = client, 0.0
        self.socket = _socket()
        self.peers: OrderedDict[Address, Endpoint] = OrderedDict()


class Front:
    """Serves datagrams at `listen` with the functions `request` and, if given, `response` of emitted modules (`run`).

    `service` is the address that the programs see as the service's; `mapped` says where endpoints really are. At most
    `clients` sockets are open at once, each closed after `idle` seconds without a datagram. `counts` tells what became
    of datagrams: requests, replies, dropped, bounced, nowhere (no endpoint but the front itself), failed, strangers.

    OSError when the address cannot be had. Use as a context manager, or call `close`.
    """

    def __init__(  # noqa: PLR0913  (all but the first two have defaults and are given by name)
        self,
        listen: Address,
        request: Run,
        *,
        response: Run | None = None,
        service: Endpoint | None = None,
        mapped: Mapping[Endpoint, Endpoint] | None = None,
        clients: int = 512,
        idle: float = 60.0,
    ) -> None:
        self._request, self._response = request, response
        self._mapped = dict(mapped or {})
        self._clients, self._idle = clients, idle
        self._flows: OrderedDict[Address, Flow] = OrderedDict()
        self._broken: set[type[Exception]] = set()
        self.counts: Counter[str] = Counter()
        self._socket = _socket()
        self._woken, self._wake = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._stopped = False
        try:
            self._socket.bind(listen)
        except OSError:
            self.close()
            raise
        self.listen: Address = self._socket.getsockname()
        self._service = service or endpoint(self.listen)
        self._own = {self._service, endpoint(self.listen)}
        self._selector.register(self._socket, selectors.EVENT_READ, None)
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Serve until `stop` is called."""
        while not self._stopped:
            self.step(min(self._idle, 1.0))

    def step(self, timeout: float) -> None:
        """Wait for datagrams, at most `timeout` seconds, and handle a batch from each socket that has some."""
        ready = self._selector.select(timeout)
        now = time.monotonic()
        for key, _ in ready:
            if key.data is not None:
                self._replies(key.data, now)
            elif key.fileobj is self._socket:
                self._requests(now)
        self._expire(now)

    def stop(self) -> None:
        """Let `serve` return; from a signal handler or another thread."""
        self._stopped = True
        self._wake.send(b"\0")

    def close(self) -> None:
        """Close every socket."""
        for flow in self._flows.values():
            flow.socket.close()
        self._flows.clear()
        for one in (self._socket, self._woken, self._wake):
            one.close()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _requests(self, now: float) -> None:
        receive, service, counts = self._socket.recvfrom, self._service, self.counts
        for _ in range(BATCH):
            try:
                data, client = receive(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # what became of an earlier datagram
                counts["failed"] += 1
                continue
            counts["requests"] += 1
            done = self._run(self._request, data, endpoint(client), service)
            if done is None:
                continue
            verdict, data, _, towards = done
            if verdict == "pass":
                self._forward(data, client, towards, now)
            elif verdict == "bounce":
                self._send(self._socket, data, client, "bounced")
            else:
                counts["dropped"] += 1

    def _forward(self, data: bytes, client: Address, towards: Endpoint, now: float) -> None:
        place = self._mapped.get(towards, towards)
        if place in self._own:
            self.counts["nowhere"] += 1
            return
        flow = self._flows.get(client) or self._open(client)
        if flow is None:
            self.counts["failed"] += 1
            return
        flow.used = now
        self._flows.move_to_end(client)
        where = address(place)
        if where not in flow.peers:
            if len(flow.peers) >= PEERS:
                flow.peers.popitem(last=False)
            flow.peers[where] = towards
        self._send(flow.socket, data, where, "forwarded")

    def _replies(self, flow: Flow, now: float) -> None:
        receive, counts = flow.socket.recvfrom, self.counts
        for _ in range(BATCH):
            if flow.socket.fileno() < 0:  # it was closed after the selector found it ready
                return
            try:
                data, sender = receive(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # what became of an earlier datagram
                counts["failed"] += 1
                continue
            if sender not in flow.peers:
                counts["strangers"] += 1
                continue
            flow.used = now
            self._flows.move_to_end(flow.client)
            if self._response is not None:
                done = self._run(self._response, data, flow.peers[sender], endpoint(flow.client))
                if done is None:
                    continue
                verdict, data, *_ = done
                if verdict != "pass":
                    counts["dropped"] += 1
                    continue
            self._send(self._socket, data, flow.client, "replies")

    def _run(self, run: Run, data: bytes, src: Endpoint, dst: Endpoint) -> Outcome | None:
        try:
            return run(data, src, dst)
        except Exception as error:
            self.counts["failed"] += 1
            if type(error) not in self._broken:  # once: whoever can cause it must not fill the log
                self._broken.add(type(error))
                log.exception("the program failed on a datagram of %d bytes, which is dropped", len(data))
            return None

    def _send(self, through: socket.socket, data: bytes, to: Address, count: str) -> None:
        """Send a datagram, or count it as failed: a full buffer, no route, too long, an earlier one refused."""
        try:
            through.sendto(data, to)
        except OSError:
            self.counts["failed"] += 1
        else:
            self.counts[count] += 1

    def _open(self, client: Address) -> Flow | None:
        """Make a client's flow. When there are too many, or the process has no file left, the oldest goes."""
        if len(self._flows) >= self._clients:
            self._close_oldest()
        while True:
            try:
                flow = Flow(client)
            except OSError:
                if not self._flows:
                    return None
                self._close_oldest()
            else:
                self._flows[client] = flow
                self._selector.register(flow.socket, selectors.EVENT_READ, flow)
                return flow

    def _close_oldest(self) -> None:
        _, flow = self._flows.popitem(last=False)
        self._selector.unregister(flow.socket)
        flow.socket.close()

    def _expire(self, now: float) -> None:
        while self._flows and next(iter(self._flows.values())).used + self._idle <= now:
            self._close_oldest()


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return made
