"""The grammar of the commands about connections: one end of a stack, and who runs what on this host."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bertha_ir.cli.grammar import Parser, address, command, positive

if TYPE_CHECKING:
    from bertha_ir.cli.grammar import Commands

LEVELS = ("debug", "info", "warning", "error")
RECORD = """a line is JSON, by field: {"request": 1, "client": 7, "op": 1, "flags": 0, "key": 42, "value": "text"};
bytes are text, or {"hex": "00ff"}"""
LOOPBACK = "127.0.0.1"


def run(commands: Commands) -> None:
    """Run one end of a stack."""
    parser = command(
        commands, "run", "run one end of a stack, as server or as client, until it is interrupted",
        "bertha run build/kv kv --as server --echo --metrics 9100",
        "bertha run kv.chunnel site.chunnel kv --as server --listen 127.0.0.1:4242 --log-level info -- ./answer.py",
        "bertha run build/app app --as server --secret session=@session.key --registry /run/bertha.db --echo",
        "bertha run build/kv kv --as client --negotiate 10.0.0.1:4243 --count 1",
    )  # fmt: skip
    parser.behind = "words"
    parser.usage = "%(prog)s [OPTION ...] SPEC_OR_ARTIFACT ... STACK --as END [OPTION ...] [-- COMMAND ...]"
    what = "an artifact folder, the favourite first; or the .chunnel files of one, which are compiled now"
    parser.add_argument("paths", metavar="SPEC_OR_ARTIFACT", nargs="+", type=Path, help=what)
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    parser.add_argument(
        "--as", dest="end", choices=("server", "client"), required=True, help="which end of the stack this is"
    )
    _common(parser)
    each = "COMMAND is run for each connection: its input has a line of JSON for each record, its lines are the replies"
    _server(parser.add_argument_group("of a server, which takes --echo or `-- COMMAND`", each))
    _client(parser.add_argument_group("of a client, which sends a record for each line of its input", RECORD))
    _logging(parser)


def _common(parser: Parser) -> None:
    where = "where offers come to (default: the port behind the service's); of a client, where the server negotiates"
    parser.add_argument("--negotiate", metavar="IP:PORT", type=address, help=where)
    given = "a secret of the stack: the bytes of FILE; NAME=env:VARIABLE: the hexadecimal digits there (repeatable)"
    parser.add_argument("--secret", metavar="NAME=@FILE", action="append", default=[], help=given)
    parser.add_argument("--interface", metavar="NAME", help="where kernel programs may be attached (default: nowhere)")
    parser.add_argument("--registry", metavar="URL", help="where other devices' programs are offered")
    offloads = "run the commands by which an offload's maker has it started and ended"
    parser.add_argument("--commands", action="store_true", help=offloads)
    patience = "how long the other end may take to answer (default: 5)"
    parser.add_argument("--timeout", metavar="SECONDS", type=positive, default=5.0, help=patience)
    pushing = "leave to clients what they can do; of a client, do what is left to it (default: server no, client yes)"
    parser.add_argument("--push", action=argparse.BooleanOptionalAction, default=None, help=pushing)


def _server(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--listen", metavar="IP:PORT", type=address, help="the service's address, if not the site's")
    real = "where endpoint A really is (repeatable)"
    group.add_argument("--map", metavar="A=B", type=_pair, action="append", default=[], help=real)
    group.add_argument("--policy", metavar="FILE.py:FUNCTION", help="what puts plans in order, or leaves some out")
    group.add_argument("--echo", action="store_true", help="answer each record with its own fields")
    scraped = "answer at http://IP:PORT/metrics for Prometheus (default IP: 127.0.0.1)"
    group.add_argument("--metrics", metavar="[IP:]PORT", type=_metrics, help=scraped)


def _client(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--count", metavar="N", type=_count, help="end when so many replies have come; fewer are status 1"
    )
    waits = "how long to wait for a reply when all is sent (default: 1; with --count, 5)"
    group.add_argument("--wait", metavar="SECONDS", type=positive, help=waits)


def _logging(parser: Parser) -> None:
    form = "how lines of the log are written (default: text)"
    parser.add_argument("--log-format", choices=("json", "text"), default="text", help=form)
    least = "what is logged at least (default: warning)"
    parser.add_argument("--log-level", choices=LEVELS, default="warning", help=least)


def status(commands: Commands) -> None:
    """Who runs what here."""
    parser = command(
        commands, "status", "say which servers run on this host, with which plans, for whom",
        "bertha status", "bertha status kv --json", "bertha status --watch", "bertha status --prometheus",
        module="servers",
    )  # fmt: skip
    parser.add_argument("stack", metavar="STACK", nargs="?", help="only servers of this stack")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="show it again every second, until interrupted")
    how.add_argument("--prometheus", action="store_true", help="all counters, as Prometheus reads them")


def _pair(text: str) -> tuple[tuple[str, int], tuple[str, int]]:
    first, _, second = text.partition("=")
    return address(first), address(second)


def _metrics(text: str) -> tuple[str, int]:
    return address(text if ":" in text else f"{LOOPBACK}:{text}")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = "a number of replies is needed"
        raise argparse.ArgumentTypeError(msg)
    return number
