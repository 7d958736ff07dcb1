"""What became of the messages of a server's plans, for as long as it runs: of the connections that are, and those that
were.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertha_ir.runtime.connections.lane import Lane


class Tally:
    """Counts of lanes, by the plan's id. A lane counts for itself, and is added when it ends: none is ever missing."""

    def __init__(self) -> None:
        self._lanes: set[Lane] = set()
        self._ended: dict[bytes, Counter[str]] = {}

    def begin(self, lane: Lane) -> None:
        """Count what becomes of a lane's messages."""
        self._lanes.add(lane)

    def end(self, lane: Lane) -> None:
        """Add what became of them; the lane counts nothing more."""
        self._lanes.remove(lane)
        self._ended.setdefault(lane.way.id, Counter()).update(lane.counts)

    def counts(self) -> dict[bytes, Counter[str]]:
        """Return what became of messages until now, by the plan's id."""
        found = {plan: Counter(counts) for plan, counts in self._ended.items()}
        for lane in self._lanes:
            found.setdefault(lane.way.id, Counter()).update(lane.counts)
        return found
