"""`python -m bertha_ir.runtime`: runs the programs of an artifact folder on this host."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING

from bertha_ir.runtime.artifact import Artifact, ArtifactError, Program
from bertha_ir.runtime.udp import LARGEST, Endpoint, Front, endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)
DONE, FAILED = 0, 1  # argparse exits with 2
EXAMPLE = """example, with an artifact compiled for 10.0.0.1, on loopback:
  python -m bertha_ir.runtime front build/kv kv --listen 127.0.0.1:4242 \\
      --map 10.0.0.1:9001=127.0.0.1:19001 --map 10.0.0.1:9002=127.0.0.1:19002"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 when it was stopped, 1 when it cannot run. Wrong usage exits with 2."""
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        return _front(parsed)
    except ArtifactError as error:
        return _fail(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bertha_ir.runtime", description="Runs the programs of an artifact folder on this host."
    )
    front = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "front",
        help="serve a stack's datagrams in a process",
        description="Owns the service's UDP address, runs the stack's request program on each datagram, sends it to "
        "the endpoint that the program names, and relays the replies. Stops at SIGINT or SIGTERM.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    front.add_argument("artifact", help="the folder that `bertha compile -o` wrote")
    front.add_argument("stack", help="the stack's name")
    front.add_argument("--listen", type=_endpoint, metavar="IP:PORT", help="the service's address, if not the site's")
    front.add_argument(
        "--map", type=_pair, action="append", default=[], metavar="A=B", help="where endpoint A really is; repeatable"
    )
    front.add_argument(
        "--clients", type=_positive, default=512, metavar="N", help="sockets open at once, one a client (%(default)s)"
    )
    front.add_argument(
        "--idle",
        type=_positive,
        default=60,
        metavar="S",
        help="seconds until a silent client's is closed (%(default)s)",
    )
    return parser


def _front(parsed: argparse.Namespace) -> int:
    artifact = Artifact(parsed.artifact)
    stack = artifact.stack(parsed.stack)
    if stack.transport not in {None, "udp"}:
        return _fail(f"`{stack.name}` runs over `{stack.transport}`, and the front serves UDP datagrams only")
    ip, port = stack.service or (None, 0)
    listen = parsed.listen or (ip or "0.0.0.0", port)  # noqa: S104  (the site names no address: all of them)
    runs = {p.name: artifact.module(p.name).run for p in artifact.programs if _is_on_the_way(p, stack.name)}
    request, response = (runs.get(f"{stack.name}_{way}") for way in ("request", "response"))
    if request is None:
        return _fail(f"`{parsed.artifact}` has no program of `{stack.name}` that runs on requests in a process")
    service = endpoint((ip, port)) if ip else None
    try:
        front = Front(
            listen, request, response=response, service=service, mapped=dict(parsed.map),
            clients=parsed.clients, idle=parsed.idle,
        )  # fmt: skip
    except OSError as error:
        return _fail(f"cannot listen at {listen[0]}:{listen[1]}: {(error.strerror or str(error)).lower()}")
    with front:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: front.stop())
        print(f"listening at {front.listen[0]}:{front.listen[1]}", flush=True)  # noqa: T201  (the command's answer)
        front.serve()
    log.info("front: %s", ", ".join(f"{n} {name}" for name, n in sorted(front.counts.items())) or "no requests")
    return DONE


def _is_on_the_way(program: Program, stack: str) -> bool:
    return program.stack == stack and program.backend == "python" and program.root == "datagram"


def _endpoint(text: str) -> tuple[str, int]:
    ip, colon, port = text.rpartition(":")
    try:
        socket.inet_pton(socket.AF_INET, ip)
        number = int(port)
    except (OSError, ValueError):
        number = -1
    if not colon or not 0 <= number <= LARGEST:
        msg = f"`{text}` is not IP:PORT, such as 127.0.0.1:4242"
        raise argparse.ArgumentTypeError(msg)
    return ip, number


def _pair(text: str) -> tuple[Endpoint, Endpoint]:
    first, _, second = text.partition("=")
    return endpoint(_endpoint(first)), endpoint(_endpoint(second))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"`{text}` is no number above 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _fail(message: str) -> int:
    log.error("error: %s", message)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
