"""Servers' counters in Prometheus's text format, version 0.0.4.

See https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bertha_ir.runtime.described import Described

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTENT = "text/plain; version=0.0.4; charset=utf-8"
OFFERS = {"answered": "answered", "refused": "refused"}
UNTAKEN = {"forged": "forged", "garbage": "garbage", "other versions": "version", "strangers": "stranger"}
VERDICTS = {"drop": "drop", "bounce": "bounce"}
MESSAGES = ("sent", "received", "dropped", "overflow", "failed")

Row = tuple[dict[str, str], float]
Rows = Callable[[Described], list[Row]]


def rendered(servers: Iterable[Described]) -> str:
    """Return the metrics of servers, as `bertha_ir.runtime.described` says what they do."""
    found = [(server, {"stack": str(server["stack"]), "server": str(server["negotiate"])}) for server in servers]
    parts = []
    for name, kind, said, rows in _METRICS:
        lines = [_line(name, {**own, **labels}, value) for server, own in found for labels, value in rows(server)]
        if lines:
            parts += [f"# HELP {name} {_escaped(said)}\n", f"# TYPE {name} {kind}\n", *lines]
    return "".join(parts)


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text, quote=True)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value!r}\n"


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _counts(label: str, names: Mapping[str, str]) -> Rows:
    """Return what gives a server's counts of those names, under those labels."""
    return lambda server: [({label: shown}, server["counts"].get(name, 0)) for name, shown in names.items()]


def _count(name: str) -> Rows:
    return lambda server: [({}, server["counts"].get(name, 0))]


def _plans(value: Callable[[Described], float]) -> Rows:
    return lambda server: [({"plan": plan["plan"]}, value(plan)) for plan in server["plans"]]


def _messages(server: Described) -> list[Row]:
    plans = server["plans"]
    return [({"plan": p["plan"], "what": what}, p["counts"].get(what, 0)) for p in plans for what in MESSAGES]


_METRICS: tuple[tuple[str, str, str, Rows], ...] = (
    ("bertha_offers_total", "counter", "Offers of clients, by what the server said.", _counts("outcome", OFFERS)),
    ("bertha_untaken_total", "counter", "What came and was not taken, and why not.", _counts("why", UNTAKEN)),
    ("bertha_connections_total", "counter", "Connections whose client was ready.", _count("connections")),
    ("bertha_connections", "gauge", "Connections that are open, by their plan.", _plans(lambda p: p["connections"])),
    ("bertha_moves_total", "counter", "Moves of a connection to another plan.", _count("moves")),
    ("bertha_pushes_total", "counter", "Programs that a client took to run them itself.", _count("pushes")),
    ("bertha_messages_total", "counter", "Messages of connections, by their plan and what became of them.", _messages),
    ("bertha_path_total", "counter", "Messages that went no further on the path.", _counts("verdict", VERDICTS)),
    ("bertha_kernel_programs", "gauge", "Programs attached in the kernel.", _plans(lambda p: len(p["kernel"]))),
    ("bertha_claims", "gauge", "Programs claimed on other devices.", _plans(lambda p: len(p["elsewhere"]))),
    ("bertha_uptime_seconds", "gauge", "Seconds since the server began.", lambda server: [({}, server["seconds"])]),
)
