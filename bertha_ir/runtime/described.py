"""What a server says of itself, as plain data: `bertha status` shows it, and metrics are made of it."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from bertha_ir.runtime.udp import address

if TYPE_CHECKING:
    from bertha_ir.runtime.connections.accepted import Accepted
    from bertha_ir.runtime.connections.life import Running
    from bertha_ir.runtime.connections.server import Server
    from bertha_ir.runtime.udp import Address

SCHEMA = 1
Described = dict[str, Any]


_PLAN = {
    "plan": str, "started": bool, "text": str, "lost": bool, "kernel": [str], "process": [str],
    "elsewhere": [{"program": str, "device": str}], "offloads": [str], "connections": int, "counts": {str: int},
}  # fmt: skip
_CONNECTION = {"connection": str, "client": str, "plan": str, "epoch": int, "ready": bool, "counts": {str: int}}
SHAPE = {
    "schema": int, "stack": str, "pid": int, "started": str, "seconds": float, "listen": str, "negotiate": str,
    "known": [str], "plans": [_PLAN], "connections": [_CONNECTION], "counts": {str: int},
}  # fmt: skip
"""What is there at least: of a list, each element; of a dictionary whose key is `str`, each value."""


def fits(data: Any, shape: Any = SHAPE) -> bool:  # noqa: ANN401  (JSON)
    """Tell whether data is what a server of this version says of itself; `shape`: of a part of it."""
    match shape:
        case type():
            return type(data) is shape
        case [element]:
            return isinstance(data, list) and all(fits(one, element) for one in data)
    if not isinstance(data, dict):
        return False
    if str in shape:
        return all(fits(value, shape[str]) for value in data.values())
    whole = all(fits(data.get(key), part) for key, part in shape.items())
    return whole and (shape is not SHAPE or data["schema"] == SCHEMA)


def described(server: Server, *, metrics: Address | None = None, each: bool = True) -> Described:
    """Return what a server does at this moment; `metrics`: where it answers with metrics; `each`: with its connections,
    one by one. docs/json.md has the keys.
    """
    seconds = time.monotonic() - server.since
    open_ = [c for c in server.connections.values() if not c.closed]
    started = {running.way.id: running for running in server.started}
    tally = server.tally.counts()
    used = Counter(c.way.id for c in open_)
    names = dict.fromkeys((*started, *tally))
    return {
        "schema": SCHEMA,
        "stack": server.known[0].stack.name,
        "pid": os.getpid(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds)),
        "seconds": round(seconds, 3),
        "listen": _at(address(server.doors.real(server.doors.service))),
        "negotiate": _at(server.address),
        "metrics": None if metrics is None else _at(metrics),
        "known": [way.id.hex() for way in server.known],
        "plans": [_plan(p, started.get(p), used[p], tally.get(p, Counter())) for p in names],
        "connections": [_connection(c) for c in open_] if each else [],
        "counts": dict(server.counts),
    }


def _plan(plan: bytes, running: Running | None, connections: int, counts: Counter[str]) -> Described:
    data: Described = {"plan": plan.hex(), "started": running is not None, "text": "", "lost": False}
    kernel, process, claims = [], [], []
    if running is not None:
        path = running.way.on_path("request")
        kernel = [p.name for p in running.way.in_kernel(running.role)] if running.in_kernel else []
        process = [path.name] if path is not None and running.run is not None else []
        claims = [{"program": p.name, "device": p.device} for p in running.claims]
        data.update(text=running.text, lost=running.lost.is_set())
    return {
        **data, "kernel": kernel, "process": process, "elsewhere": claims,
        "offloads": sorted(running.offloads) if running else [], "connections": connections, "counts": dict(counts),
    }  # fmt: skip


def _connection(connection: Accepted) -> Described:
    return {
        "connection": connection.name.hex(),
        "client": _at(connection.client),
        "plan": connection.way.id.hex(),
        "epoch": connection.epoch,
        "ready": connection.is_ready,
        "counts": {**connection.lane.counts, **connection.counts},
    }


def _at(where: Address) -> str:
    return f"{where[0]}:{where[1]}"
