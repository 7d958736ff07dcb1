"""A counterexample as rows to read: what comes in, and what each side makes of it."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.interpreter.packet import get_bits
from bertha_ir.passes.smt.question import run_both
from bertha_ir.passes.smt.secrecy import seen_on_the_link
from bertha_ir.types import Bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.interpreter.packet import Endpoint
    from bertha_ir.interpreter.stack import Delivery, View
    from bertha_ir.interpreter.trace import Entries, Start, Trace
    from bertha_ir.passes.smt.question import Question

SHOWN_BYTES = 24
SHOWN_ENTRIES = 6

Pairs = list[tuple[str, str]]


@frozen
class Row:
    """One thing that can be seen, on both sides; an empty text where there is no such thing."""

    name: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        """Whether the two sides differ in it."""
        return self.left != self.right


def incoming_rows(question: Question, start: Start) -> Pairs:
    """Return what a start consists of, field by field."""
    rows: Pairs = [(f"parameter {name}", _scalar(value)) for name, value in start.parameters.items()]
    rows += [("src", _end(start.src)), ("dst", _end(start.dst))]
    rows += [(f"{h}.{f}", _scalar(v)) for h, fields in start.network.items() for f, v in fields.items()]
    if start.value is not None:
        rows += [(f"value.{name}", _scalar(value)) for name, value in start.value.items()]
    else:
        rows += _laid(question, start.payload)
        rows.append(("payload", _scalar(start.payload)))
    for name, entries in start.states.items():
        rows += _state(_labels(question)[name], entries[:SHOWN_ENTRIES])[: len(entries)]
        rows += [(_labels(question)[name], f"{len(entries)} entries")] if len(entries) > SHOWN_ENTRIES else []
    rows += [(f"{name} for {op}", _scalar(value)) for (op, name, _), value in start.inputs.items() if value]
    return rows


def outcome_rows(question: Question, start: Start) -> list[Row]:
    """Return what both sides make of a start, row by row: the messages, and what differs of the state."""
    traces = run_both(question.tracers(), start)
    left, right = (dict(_messages(question, t)) for t in traces)
    rows = [Row(name, left.get(name, ""), right.get(name, "")) for name in dict.fromkeys((*left, *right))]
    left, right = (dict(_states(question, t)) for t in traces)
    kept = [Row(name, left.get(name, ""), right.get(name, "")) for name in dict.fromkeys((*left, *right))]
    return rows + [row for row in kept if row.differs] + _reordered(question, *traces)


def link_rows(question: Question, one: Start, other: Start) -> list[Row]:
    """Return what the link shows of two messages, as written and when changed."""
    views = [seen_on_the_link(question, start) for start in (one, other)]
    names = ("as written", "changed")
    return [Row(name, *(", ".join(map(_scalar, view[side])) for view in views)) for side, name in enumerate(names)]


def _reordered(question: Question, left: Trace, right: Trace) -> list[Row]:
    """Return the states that hold the same entries in another order: what goes next when they are full."""
    rows = []
    for name in question.compared():
        ours, theirs = left.states.get(name, ()), right.states.get(name, ())
        if ours != theirs and dict(ours) == dict(theirs):
            keys = (", ".join(_scalar(k) for key, _ in e[:SHOWN_ENTRIES] for k in key) for e in (ours, theirs))
            rows.append(Row(f"{_labels(question)[name]} goes first", *keys))
    return rows


def _messages(question: Question, trace: Trace) -> Iterator[tuple[str, str]]:
    if not trace.deliveries:
        yield "message", "dropped"
    for number, delivery in enumerate(trace.deliveries):
        yield from _delivery(question, delivery, "message" if not number else f"message {number + 1}")


def _states(question: Question, trace: Trace) -> Iterator[tuple[str, str]]:
    for name in question.compared():
        yield from _state(_labels(question)[name], trace.states.get(name, ()))


def _delivery(question: Question, delivery: Delivery, name: str) -> Iterator[tuple[str, str]]:
    yield name, "sent back" if delivery.back else "copied" if delivery.copy else "delivered"
    yield f"{name} src", _end(delivery.src)
    yield f"{name} dst", _end(delivery.dst)
    for header, fields in delivery.network:
        yield from ((f"{name} {header}.{field}", _scalar(value)) for field, value in fields)
    if delivery.value is not None:
        yield from ((f"{name} value.{field}", _scalar(value)) for field, value in delivery.value.items())
    yield from ((f"{name} {field}", text) for field, text in _laid(question, delivery.payload))
    yield f"{name} payload", _scalar(delivery.payload)


def _laid(question: Question, payload: bytes) -> Pairs:
    """Return the fields of the headers that either side reads in a payload, as far as it holds them."""
    views: dict[str, View] = {}
    for steps in question.steps():
        for view in (v for step in steps for v in step.views):
            views.setdefault(view.header.name, view)
    outside = {field.header for field in question.network}
    rows: Pairs = []
    for name, view in sorted(views.items()):
        if name in outside or view.offset + view.header.size > len(payload):
            continue
        for field in view.header.fields:
            number = get_bits(payload, 8 * view.offset + view.header.bit_offset(field.name), field.width)
            value = number.to_bytes(field.width // 8, "big") if isinstance(field.type, Bytes) else number
            rows.append((f"{name}.{field.name}", _scalar(value)))
    return rows


def _state(label: str, entries: Entries) -> Pairs:
    """Return the entries of a state, then how many there are."""
    rows = [
        (f"{label}[{', '.join(_scalar(k) for k in key)}]" if key else label, ", ".join(_scalar(v) for v in row))
        for key, row in entries
    ]
    cell = len(entries) == 1 and not entries[0][0]
    return rows if cell else [*rows, (f"{label} entries", str(len(entries)))]


def _labels(question: Question) -> dict[str, str]:
    """Return the name of each state as its author knows it: `instance.state`."""
    labels = {}
    for op in (*question.left.ops, *question.right.ops):
        for state in op.states:
            labels[state.name] = f"{op.instance}.{state.name.partition(f'{op.instance}_')[2]}"
    return labels


def _end(end: Endpoint) -> str:
    return f"{IPv4Address(end[0])}:{end[1]}"


def _scalar(value: object) -> str:
    if isinstance(value, bytes):
        text = value[:SHOWN_BYTES].hex(" ") + (" …" if len(value) > SHOWN_BYTES else "")
        return f"{text} ({len(value)} bytes)" if text else "no bytes"
    return _end(value) if isinstance(value, tuple) else str(value)
