"""A schedule as it is handed back: who uses what, what it costs, how good it is known to be."""

from __future__ import annotations

from attrs import frozen

from bertha_ir.passes.schedule.model import Shortage  # noqa: TC001  (what is handed back)


@frozen
class Usage:
    """What of a resource is used, shared amounts counted once, and what is left."""

    resource: str
    capacity: int
    used: int
    left: int


@frozen
class Reason:
    """Why so many connections of a kind do without its best option: what one more of them would need of each resource
    that has too little left, net of what it would give back; nothing is short when moving would not pay, or when the
    search ended too soon. `text` says it in one sentence.
    """

    option: str
    missed: int
    short: tuple[Shortage, ...]
    text: str


@frozen
class Served:
    """A kind: how many connections use each option, in the order of its options; their cost with the kind's weight, and
    without what moving costs; their mean cost over that of its best option (1 is best; infinite when that one costs
    nothing); how many moved; why not all have the best option, if so.
    """

    kind: str
    counts: tuple[tuple[str, int], ...]
    cost: float
    slowdown: float
    moved: int
    reason: Reason | None


@frozen
class Proof:
    """One thing that was made least: what it came to, penalties included, and what no schedule can be below that is as
    good in everything before it. `optimal` when that was proved, and rounding hides less than 1e-9 of it.
    """

    what: str
    value: float
    bound: float
    optimal: bool

    @property
    def gap(self) -> float:
        """The share of the value that may be too much."""
        return (self.value - self.bound) / self.value if self.value else 0.0


@frozen
class Decision:
    """What hysteresis decided between the best schedule and the best of those that move as little as possible: in the
    first thing in which they differ, what is gained by moving, and what had to be gained. `avoidable` counts the
    connections that only the best schedule moves. `proven` when both schedules are optimal.
    """

    moves: bool
    what: str
    gain: float
    threshold: float
    avoidable: int
    proven: bool
    text: str


@frozen
class Schedule:
    """Kinds in the order they were given, and resources too. `cost` is the weighted sum, `penalty` what moving adds to
    it; `proofs` has what the objective makes least, in its order. `engine` is the one that found it.
    """

    objective: str
    served: tuple[Served, ...]
    cost: float
    penalty: float
    usage: tuple[Usage, ...]
    proofs: tuple[Proof, ...]
    decision: Decision | None
    engine: str

    @property
    def optimal(self) -> bool:
        """Whether nothing is better by the objective, and hysteresis decided knowing that."""
        return all(proof.optimal for proof in self.proofs) and (self.decision is None or self.decision.proven)

    @property
    def open(self) -> Proof:
        """The first thing that was not proved to be least; the first of all when everything was."""
        return next((proof for proof in self.proofs if not proof.optimal), self.proofs[0])

    @property
    def bound(self) -> float:
        """The bound of `open`."""
        return self.open.bound

    @property
    def gap(self) -> float:
        """The gap of `open`."""
        return self.open.gap

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many connections of each kind use each option, those that none uses left out."""
        return {s.kind: {option: count for option, count in s.counts if count} for s in self.served}
