"""A client of the sharded key-value store: `client.py ARTIFACT IP:PORT` sends puts and gets of uniform keys.

It knows one address, the service's, and its socket is connected to it. It checks that each answer came from the shard
that owns the key, by a hash of its own, and that a get returns what was put.
"""
# ruff: noqa: INP001, S311, T201  (a script: it draws keys by chance that can be repeated, and prints)

import argparse
import random
import socket
import sys
import time

from bertha_ir.runtime.artifact import Artifact, ArtifactError

GET, PUT = 0, 1
OK = 0
SHARDS = 3
LAST_PORT = 65535
KEYS = 1000
PERCENTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


def owner(key: int) -> int:
    """Return the shard of a key: FNV-1a over its eight bytes, modulo the number of shards."""
    digest = 0xCBF29CE484222325
    for byte in key.to_bytes(8, "big"):
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return digest % SHARDS


class Client:
    """Keeps `window` requests on their way; counts answers by shard, wrong ones, and their latencies (s)."""

    def __init__(self, artifact: Artifact, service: tuple[str, int], seed: int = 1) -> None:
        self.request = artifact.module("kv_request_send")
        self.decode = artifact.module("kv_response_recv").decode
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(service)
        self.socket.settimeout(2)
        self.random = random.Random(seed)
        self.keys = [self.random.getrandbits(64) for _ in range(KEYS)]
        self.waiting: dict[int, tuple[float, int, int, bool]] = {}
        self.put: set[int] = set()
        self.by_shard = [0] * SHARDS
        self.wrong = 0
        self.latencies: list[float] = []

    def run(self, requests: int, window: int) -> None:
        """Send `requests` requests; return when each is answered. TimeoutError when an answer does not come."""
        sent = 0
        while sent < requests or self.waiting:
            while sent < requests and len(self.waiting) < window:
                self.send(sent)
                sent += 1
            self.receive()

    def send(self, number: int) -> None:
        """Send a put or a get, one as likely as the other."""
        key, op = self.random.choice(self.keys), self.random.choice((GET, PUT))
        value = key.to_bytes(8, "little") if op == PUT else b""
        self.waiting[number] = time.perf_counter(), key, op, key in self.put
        self.socket.send(self.request.encode(self.request.KvRequest(number, 1, op, 0, key, value)))

    def receive(self) -> None:
        """Take one answer and check it."""
        reply = self.decode(self.socket.recv(65535))
        begin, key, op, known = self.waiting.pop(reply.request)
        self.latencies.append(time.perf_counter() - begin)
        self.by_shard[reply.shard] += 1
        found = reply.status == OK and reply.value == key.to_bytes(8, "little")
        right = reply.shard == owner(key) and (found or not (known or op == PUT))
        self.wrong += not right
        if op == PUT:
            self.put.add(key)


def positive(text: str) -> int:
    """Return the number above 0 that an argument is."""
    if not text.isdecimal() or int(text) < 1:
        msg = f"`{text}` is no number above 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def endpoint(text: str) -> tuple[str, int]:
    """Return the IPv4 address and the port that an argument names."""
    ip, _, port = text.rpartition(":")
    try:
        socket.inet_aton(ip)
    except OSError:
        port = ""
    if not port.isdecimal() or not 0 < int(port) <= LAST_PORT:
        msg = f"`{text}` is not IP:PORT, such as 127.0.0.1:4242"
        raise argparse.ArgumentTypeError(msg)
    return ip, int(port)


def main() -> int:
    """Run, print counts, rate and latencies; return 0 when every answer was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", help="the folder that `bertha compile -o` wrote")
    parser.add_argument("service", type=endpoint, help="IP:PORT of the service")
    parser.add_argument("--requests", type=positive, default=10_000)
    parser.add_argument("--window", type=positive, default=32, help="requests on their way at once")
    options = parser.parse_args()
    try:
        client = Client(Artifact(options.artifact), options.service)
    except ArtifactError as error:
        sys.exit(f"error: {error}")
    begin = time.perf_counter()
    try:
        client.run(options.requests, options.window)
    except (TimeoutError, ConnectionError) as error:
        print(f"{len(client.waiting)} requests were not answered: {error}", file=sys.stderr)
        return 1
    took = time.perf_counter() - begin
    latencies = sorted(client.latencies)
    shown = (f"{name} {latencies[int(len(latencies) * part)] * 1e6:.0f} us" for name, part in PERCENTILES)
    print(f"{len(latencies)} answers, {client.wrong} wrong; by shard: {', '.join(map(str, client.by_shard))}")
    print(f"{len(latencies) / took:.0f} requests/s with {options.window} on their way; latency: {', '.join(shown)}")
    return 1 if client.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
