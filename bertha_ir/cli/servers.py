"""`bertha status`: which servers run on this host, with which plans, for whom."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING

from bertha_ir.cli.output import SCHEMA, say_json, table
from bertha_ir.cli.status import DONE, NO
from bertha_ir.cli.stream import OutputError, flush, say
from bertha_ir.runtime.logs import BRIEF, printable
from bertha_ir.runtime.metrics import rendered
from bertha_ir.runtime.presence import servers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from bertha_ir.runtime.described import Described

SHOWN = 20  # connections of a server, in text
EVERY = 1.0  # seconds
MINUTE, HOUR, DAY = 60, 3600, 86400
COLUMNS = ("received", "sent", "dropped", "overflow", "failed")

Before = dict[str, "Described"]


def run(parsed: argparse.Namespace) -> int:
    """Show what there is; the answer is no when there is nothing."""
    if parsed.watch:
        _watch(parsed)
    found = _found(parsed.stack)
    if parsed.prometheus:
        say(rendered(found))
    elif parsed.json:
        say_json(ok=bool(found), servers=found)
    else:
        say(_text(found, parsed.stack))
    return DONE if found else NO


def _found(stack: str | None) -> list[Described]:
    found = [server for server in servers() if stack in {None, server["stack"]}]
    return sorted(found, key=lambda server: (server["stack"], server["negotiate"]))


def _watch(parsed: argparse.Namespace) -> None:
    """Show it every second until interrupted: in place, where someone is looking; else one after another."""
    if parsed.json or not sys.stdout.isatty():
        for found, before in _looks(parsed.stack):
            data = {"schema": SCHEMA, "ok": bool(found), "servers": found}
            say(json.dumps(data) + "\n" if parsed.json else _text(found, parsed.stack, before) + "\n")
            flush()
    from rich.live import Live  # noqa: PLC0415  (start-up time: only this needs it)
    from rich.text import Text  # noqa: PLC0415

    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # the terminal is put right
    try:
        with Live(auto_refresh=False) as live:
            for found, before in _looks(parsed.stack):
                live.update(Text(_text(found, parsed.stack, before).rstrip("\n")), refresh=True)
    except OSError as error:
        raise OutputError(sys.stdout) from error


def _looks(stack: str | None) -> Iterator[tuple[list[Described], Before]]:
    """Look every second: give what there is, and what was there the last time, by where it negotiates."""
    before: Before = {}
    while True:
        found = _found(stack)
        yield found, before
        before = {server["negotiate"]: server for server in found}
        time.sleep(EVERY)


def _text(found: Sequence[Described], stack: str | None, before: Mapping[str, Described] | None = None) -> str:
    if not found:
        return "no server runs here\n" if stack is None else f"no server of `{stack}` runs here\n"
    return "\n".join(_server(server, (before or {}).get(server["negotiate"])) for server in found)


def _server(server: Described, before: Described | None) -> str:
    counts = server["counts"]
    scraped = f", metrics at {server['metrics']}" if server.get("metrics") else ""
    text = printable(
        f"{server['stack']} at {server['listen']}, negotiating at {server['negotiate']}{scraped}: process "
        f"{server['pid']}, {_lasting(server['seconds'])}, since {server['started']}"
    )
    offers = ", ".join(f"{counts.get(name, 0)} {name}" for name in ("answered", "refused", "forged"))
    text += f"\n  offers: {offers}; connections: {counts.get('connections', 0)} until now\n"
    earlier = {plan["plan"]: plan["counts"] for plan in before["plans"]} if before else {}
    seconds = server["seconds"] - before["seconds"] if before else 0.0
    for plan in server["plans"]:
        text += _plan(plan, earlier.get(plan["plan"], {}), seconds)
    return text + _connections(server["connections"])


def _plan(plan: Described, before: Mapping[str, int], seconds: float) -> str:
    """Return what a plan does, where, and how much; a second, if there was an earlier look."""
    where = [f"{', '.join(plan[place])} in the {place}" for place in ("kernel", "process") if plan[place]]
    where += [f"{claim['program']} on {claim['device']}" for claim in plan["elsewhere"]]
    where += [f"the offload {name}" for name in plan["offloads"]]
    said = "; ".join(where) or ("nothing to run on the path" if plan["started"] else "not started any more")
    _, otherwise, why = plan["text"].partition(": ")
    said += f", as {why}" * bool(otherwise)
    counted = []
    for name in COLUMNS:
        count = plan["counts"].get(name, 0)
        rate = f" ({max(0, count - before.get(name, 0)) / seconds:.0f}/s)" if seconds > 0 else ""
        counted += [f"{count} {name}{rate}"] * (name in COLUMNS[:2] or count > 0)
    lost = "; a claim of it was lost" if plan["lost"] else ""
    head = f"  plan {plan['plan'][:BRIEF]}, {plan['connections']} connections: {said}{lost}"
    return printable(head) + "\n" + printable(f"    messages: {', '.join(counted)}") + "\n"


def _connections(connections: Sequence[Described]) -> str:
    if not connections:
        return ""
    rows = [
        (c["client"], c["plan"][:BRIEF], str(c["epoch"]), *(str(c["counts"].get(name, 0)) for name in COLUMNS[:2]))
        for c in connections[:SHOWN]
    ]
    shown = [tuple(map(printable, row)) for row in (("client", "plan", "epoch", *COLUMNS[:2]), *rows)]
    more = len(connections) - SHOWN
    return table(shown, "    ") + (f"    … and {more} more\n" if more > 0 else "")


def _lasting(seconds: float) -> str:
    """Return a time in its largest unit."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
