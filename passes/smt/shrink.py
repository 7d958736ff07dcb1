"""Makes a counterexample as plain as it can be, so that what is left in it is what the answer is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from bertha_ir.passes.smt.question import Question, differs, run_both

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bertha_ir.interpreter.trace import Start

TRIES = 2000


def shrunk(question: Question, start: Start) -> Start:
    """Return a start on which the two sides still differ, with nothing in it that could be left out or be zero.

    Greedy, and the same for the same start; at most `TRIES` runs.
    """
    tracers = question.tracers()
    tries, smaller = TRIES, True
    while smaller and tries > 0:
        smaller = False
        for candidate in _simpler(start):
            tries -= 1
            if differs(question, *run_both(tracers, candidate)):
                start, smaller = candidate, True
                break
            if not tries:
                break
    return start


def _simpler(start: Start) -> Iterator[Start]:
    """Yield starts with one thing less, the largest steps first."""
    yield from _with_fewer_entries(start)
    yield from (evolve(start, payload=payload) for payload in _plainer(start.payload))
    yield from (evolve(start, src=end) for end in _scalars(start.src))
    yield from (evolve(start, dst=end) for end in _scalars(start.dst))
    for header, fields in start.network.items():
        yield from (evolve(start, network={**start.network, header: plain}) for plain in _record(fields))
    yield from (evolve(start, value=plain) for plain in _record(start.value or {}))
    yield from (evolve(start, inputs=plain) for plain in _record(start.inputs))
    yield from (evolve(start, parameters=plain) for plain in _record(start.parameters))
    yield from (evolve(start, secrets=plain) for plain in _record(start.secrets))
    yield from _with_plainer_rows(start)


def _with_fewer_entries(start: Start) -> Iterator[Start]:
    for name, entries in start.states.items():
        yield from (evolve(start, states={**start.states, name: fewer}) for fewer in _fewer(entries))


def _with_plainer_rows(start: Start) -> Iterator[Start]:
    for name, entries in start.states.items():
        for number, (key, row) in enumerate(entries):
            for plain in _scalars(row):
                changed = (*entries[:number], (key, plain), *entries[number + 1 :])
                yield evolve(start, states={**start.states, name: changed})


def _fewer(entries: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield entries without all, half or one of them; a cell keeps its row."""
    if entries and not entries[0][0]:
        return
    if entries:
        yield ()
    size = len(entries) // 2
    while size:
        for first in range(0, len(entries), size):
            yield entries[:first] + entries[first + size :]
        size //= 2


def _record(fields: Mapping[Any, Any]) -> Iterator[dict[Any, Any]]:
    for name, value in fields.items():
        for plain in _scalar(value):
            yield {**fields, name: plain}


def _scalars(values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for number, value in enumerate(values):
        for plain in _scalar(value):
            yield (*values[:number], plain, *values[number + 1 :])


def _scalar(value: Any) -> Iterator[Any]:  # noqa: ANN401  (a scalar)
    match value:
        case bool():
            return
        case int():
            yield from _numbers(value)
        case bytes():
            if any(value):
                yield bytes(len(value))
        case tuple():
            yield from _scalars(value)


def _numbers(number: int) -> Iterator[int]:
    """Yield smaller numbers: zero, and the number without one of its bits, the highest first."""
    if number:
        yield 0
        yield from (number & ~(1 << bit) for bit in reversed(range(number.bit_length())) if number >> bit & 1)


def _plainer(data: bytes) -> Iterator[bytes]:
    """Yield shorter bytes, then bytes with more zeros."""
    size = len(data)
    while size:
        yield data[: len(data) - size]
        size //= 2
    if any(data):
        yield bytes(len(data))
        for number, byte in enumerate(data):
            if byte:
                yield data[:number] + b"\0" + data[number + 1 :]
