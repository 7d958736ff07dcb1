"""The names of the counters that the pass `measure` gives ops, by which whoever reads them finds them."""

from __future__ import annotations

from attrs import frozen


@frozen
class Counters:
    """The counters of an op: the messages that it met, and of those the ones that went on behind it."""

    met: str
    kept: str


def counters(stack: str, direction: str, op: str) -> Counters:
    """Return the names of the states that count an op's messages."""
    base = f"{stack}_{direction}_{op.replace('.', '_')}"
    return Counters(f"{base}__met", f"{base}__kept")
