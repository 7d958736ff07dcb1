"""What a workload says of a direction's messages, or what is taken for granted without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.passes.costs import MESSAGE_BYTES

if TYPE_CHECKING:
    from bertha_ir.spec import Specification, Workload


@frozen
class Traffic:
    """The messages of one direction, as its workload has them; None without one."""

    workload: Workload | None

    @property
    def size(self) -> int:
        """Mean bytes of the application's messages."""
        return self.workload.size[1] if self.workload and self.workload.size else MESSAGE_BYTES

    def keeps(self, chunnel: str) -> float:
        """Return the share of messages that go on behind a chunnel: those it neither drops nor answers itself."""
        if self.workload is None:
            return 1.0
        gone = dict(self.workload.drops).get(chunnel, 0) + dict(self.workload.hits).get(chunnel, 0)
        return max(0.0, 1 - gone / 1000)

    def shrinks(self, chunnel: str) -> float | None:
        """Return what is left of a message's size behind a chunnel; None when nobody says."""
        left = dict(self.workload.shrinks).get(chunnel) if self.workload else None
        return None if left is None else left / 1000


def traffic_of(specification: Specification, stack: str, direction: str) -> Traffic:
    """Return the traffic of a direction."""
    found = (w for w in specification.workloads if (w.stack, w.direction) == (stack, direction))
    return Traffic(next(found, None))
