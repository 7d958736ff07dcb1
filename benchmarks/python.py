"""What Bertha compiles for the ends against asyncio programs by hand, of the same libraries and bytes, in one run.

The programs by hand are in `benchmarks/asyncio_by_hand/`; `tests/unit/test_by_hand.py` checks that either end decodes
what the other encodes. Each stack's messages are encoded, sent over loopback and decoded: by an endpoint of asyncio,
which reads one datagram each time the loop turns, and by a reader that empties the socket, as `runtime/udp.py` does.
A stream has one endpoint. Times are of the processor, and of this machine; what to compare are the ratios of messages a
second, each the median of rounds in which the programs take turns. `python benchmarks/python.py [--json]`.

Functions that encode or decode many messages at once are not compiled: they would save 50 ns of each one's 4,700.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import socket
from statistics import median
from time import process_time_ns
from typing import TYPE_CHECKING

from asyncio_by_hand.framed import Receiver
from attrs import asdict, define, frozen
from ends import STACKS, Ends, by_hand, frames, generated, short

from bertha_ir.cost_models.calibration.process import message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Program = Callable[[int], Awaitable[float]]

SIZES = (64, 256, 1400)  # bytes of a request's value
ROUNDS, MESSAGES, WINDOW = 25, 640, 32
BATCH, LARGEST = 64, 65535
LOOPBACK = ("127.0.0.1", 0)


@define
class Sink:
    """Counts what was received, and wakes who waits for the last of them."""

    left: int = 0
    done: asyncio.Future[None] | None = None

    def take(self, record: object) -> None:
        """Take a record; there is no reason to drop one here."""
        if record is None:
            msg = "a message was dropped"
            raise ValueError(msg)
        self.left -= 1
        if not self.left and self.done:
            self.done.set_result(None)


class Datagrams(asyncio.DatagramProtocol):
    """Decodes what an endpoint of asyncio gives it."""

    def __init__(self, ends: Ends, sink: Sink) -> None:
        self._decode, self._take = ends.decode, sink.take

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  (the protocol's signature)
        """Take a datagram."""
        self._take(self._decode(data))


class Frames(asyncio.Protocol):
    """Cuts a stream into frames, and decodes those."""

    def __init__(self, ends: Ends, sink: Sink) -> None:
        self._decode, self._take, self._rest = ends.decode, sink.take, b""

    def data_received(self, data: bytes) -> None:
        """Take all whole frames."""
        decode, take = self._decode, self._take
        found, self._rest = frames(self._rest + data if self._rest else data)
        for frame in found:
            take(decode(frame))


def _turn(ends: Ends, sink: Sink, size: int, send: Callable[[bytes], object]) -> Program:
    """Return what sends messages, a window at a time, and gives the processor's nanoseconds for each."""
    requests = [ends.record(n, 1, 0, 0, n, message(size)) for n in range(WINDOW)]

    async def turn(count: int) -> float:
        loop, encode = asyncio.get_running_loop(), ends.encode
        began = process_time_ns()
        for _ in range(count // WINDOW):
            sink.left, sink.done = WINDOW, loop.create_future()
            for request in requests:
                send(encode(request))
            await asyncio.wait_for(sink.done, 5)
        return (process_time_ns() - began) / count

    return turn


async def endpoint(ends: Ends, size: int) -> tuple[Program, Callable[[], None]]:
    """Open UDP endpoints of asyncio; return the program and what closes them."""
    loop, sink = asyncio.get_running_loop(), Sink()
    receiver, _ = await loop.create_datagram_endpoint(lambda: Datagrams(ends, sink), LOOPBACK)
    to = receiver.get_extra_info("sockname")
    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=to)
    return _turn(ends, sink, size, sender.sendto), lambda: (receiver.close(), sender.close())  # type: ignore[func-returns-value]


async def drained(ends: Ends, size: int) -> tuple[Program, Callable[[], None]]:
    """As `endpoint`, with sockets of which the receiver is emptied, a batch each time the loop turns."""
    loop, sink = asyncio.get_running_loop(), Sink()
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    receiver.settimeout(0)
    receiver.bind(LOOPBACK)
    sender.connect(receiver.getsockname())

    def drain() -> None:
        receive, decode, take = receiver.recvfrom, ends.decode, sink.take
        for _ in range(BATCH):
            try:
                data, _sender = receive(LARGEST)
            except BlockingIOError:
                return
            take(decode(data))

    def close() -> None:
        loop.remove_reader(receiver)
        receiver.close()
        sender.close()

    loop.add_reader(receiver, drain)
    return _turn(ends, sink, size, sender.send), close


async def stream(ends: Ends, size: int) -> tuple[Program, Callable[[], None]]:
    """Open a TCP connection; the program by hand takes frames off the stream as it decodes."""
    loop, sink = asyncio.get_running_loop(), Sink()
    fused = ends.taken != ends.decode
    server = await loop.create_server(
        lambda: Receiver(ends.taken, sink.take) if fused else Frames(ends, sink), *LOOPBACK
    )
    sender, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
    return _turn(ends, sink, size, sender.write), lambda: (sender.close(), server.close())  # type: ignore[func-returns-value]


async def alone(ends: Ends, size: int) -> tuple[Program, Callable[[], None]]:
    """Encode and decode, and send nothing."""
    requests = [ends.record(n, 1, 0, 0, n, message(size)) for n in range(WINDOW)]

    async def turn(count: int) -> float:
        encode, decode = ends.encode, ends.decode
        began = process_time_ns()
        for _ in range(count // WINDOW):
            for request in requests:
                decode(encode(request))
        return (process_time_ns() - began) / count

    return turn, lambda: None


@frozen
class Figures:
    """A stack at one size of value: nanoseconds a message of the program by hand, and how many times as many messages a
    second the generated one has; alone, over asyncio, and over sockets that are emptied. `batch`: how many times as
    many of those the generated one has over an endpoint of asyncio; None for a stream.
    """

    stack: str
    size: int
    codec_ns: float
    codec: float
    asyncio_ns: float
    asyncio: float
    drained: float | None
    batch: float | None


async def measured(stack: str, size: int, rounds: int, messages: int) -> Figures:
    """Return the figures of a stack."""
    both = by_hand(stack), generated(stack)
    udp = STACKS[stack][0].startswith("udp")
    opened = [await how(ends, size) for how in (alone, *((endpoint, drained) if udp else (stream,))) for ends in both]
    times: list[list[float]] = [[] for _ in opened]
    for count in range(rounds + 1):
        for at in range(0, len(opened), 2):
            for which in (at, at + 1) if count % 2 else (at + 1, at):
                times[which].append(await opened[which][0](messages))
    for _, close in opened:
        close()
    columns = [column[1:] for column in times]  # the first warms up
    pairs = [_ratio(columns[at], columns[at + 1]) for at in range(0, len(columns), 2)]
    gain = _ratio(columns[3], columns[5]) if udp else None
    return Figures(
        short(stack), size, median(columns[0]), pairs[0], median(columns[2]), pairs[1], pairs[2] if udp else None, gain
    )


def _ratio(by: list[float], to: list[float]) -> float:
    return median(a / b for a, b in zip(by, to, strict=True))


async def table(rounds: int, messages: int) -> list[Figures]:
    """Measure every stack at every size."""
    return [await measured(stack, size, rounds, messages) for stack in STACKS for size in SIZES]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    gc.disable()
    found = asyncio.run(table(options.rounds, MESSAGES))
    if options.json:
        print(json.dumps([asdict(f) for f in found], indent=2))
        return
    print("messages a second, generated / by hand; ns a message by hand; what reading in batches gives\n")
    print(f"{'':37}{'bytes':>6}{'ns alone':>10}{'ratio':>7}{'ns asyncio':>12}{'ratio':>7}{'drained':>9}{'batch':>7}")
    for f in found:
        rest = "".join(f"{value:>{width}.2f}" if value else " " * width for value, width in _last(f))
        print(f"{f.stack:37}{f.size:6}{f.codec_ns:10.0f}{f.codec:7.2f}{f.asyncio_ns:12.0f}{f.asyncio:7.2f}{rest}")


def _last(figures: Figures) -> tuple[tuple[float | None, int], ...]:
    return (figures.drained, 9), (figures.batch, 7)


if __name__ == "__main__":
    main()
