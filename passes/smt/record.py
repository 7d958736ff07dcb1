"""Answers as plain data, for JSON and the cache, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertha_ir.interpreter.trace import Start
from bertha_ir.passes.smt.answer import Answer, Proved, Refuted, Unknown

if TYPE_CHECKING:
    from bertha_ir.interpreter.packet import Record

Data = dict[str, Any]


def answer_data(answer: Answer) -> Data:
    """Return an answer as plain data."""
    match answer:
        case Proved(by, reason, certificate):
            return {"status": "proved", "by": by, "reason": reason, "certificate": certificate}
        case Refuted(reason, start, other):
            starts = {"start": start and start_data(start), "other": other and start_data(other)}
            return {"status": "refuted", "reason": reason, **starts}
        case Unknown(reason):
            return {"status": "unknown", "reason": reason}


def answer_of(data: Data) -> Answer:
    """Return the answer of plain data. KeyError, TypeError or ValueError when it is none."""
    match data["status"]:
        case "proved":
            return Proved(data["by"], data["reason"], data["certificate"])
        case "refuted":
            starts = (data[name] and start_of(data[name]) for name in ("start", "other"))
            return Refuted(data["reason"], *starts)
    return Unknown(data["reason"])


def start_data(start: Start) -> Data:
    """Return a start as plain data: bytes in hex with a leading `0x`, pairs and rows as lists."""
    return {
        "payload": _plain(start.payload),
        "src": list(start.src),
        "dst": list(start.dst),
        "value": start.value and _fields(start.value),
        "network": {header: _fields(fields) for header, fields in start.network.items()},
        "states": {name: _plain(entries) for name, entries in start.states.items()},
        "inputs": [[*at, value] for at, value in start.inputs.items()],
        "secrets": {name: _plain(key) for name, key in start.secrets.items()},
        "parameters": {name: _plain(value) for name, value in start.parameters.items()},
    }


def start_of(data: Data) -> Start:
    """Return the start of plain data."""
    value = data["value"]
    return Start(
        _value(data["payload"]),
        _value(data["src"]),
        _value(data["dst"]),
        _values(value) if value is not None else None,
        {header: _values(fields) for header, fields in data["network"].items()},
        _values(data["states"]),
        {(op, name, number): value for op, name, number, value in data["inputs"]},
        _values(data["secrets"]),
        _values(data["parameters"]),
    )


def _fields(record: Record) -> Data:
    return {name: _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401  (a scalar, or tuples of them)
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _values(data: Data) -> Data:
    return {name: _value(value) for name, value in data.items()}


def _value(data: Any) -> Any:  # noqa: ANN401  (what `_plain` returns)
    if isinstance(data, str):
        return bytes.fromhex(data.removeprefix("0x"))
    return tuple(_value(d) for d in data) if isinstance(data, list) else data
