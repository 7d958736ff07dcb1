"""Which chunnels may trade places: every pair, under both equivalences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.passes.smt.obligations import Chain, Prover, Verdict

MARKS = {"wire": "■", "end-to-end": "□", "refuted": "·", "unknown": "?"}


@frozen
class Pair:
    """The verdicts on `above |> below` becoming `below |> above`."""

    above: str
    below: str
    wire: Verdict
    ends: Verdict

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        """Both."""
        return self.wire, self.ends

    @property
    def mark(self) -> str:
        """The strongest equivalence that is proved; or what is the case if none is."""
        proved = [v.equivalence for v in self.verdicts if v.status == "proved"]
        if proved:
            return proved[0]
        return "unknown" if any(v.status == "unknown" for v in self.verdicts) else "refuted"


def matrix(prover: Prover, chains: dict[str, Chain], progress: Callable[[int, int], None]) -> tuple[Pair, ...]:
    """Return the verdicts on all ordered pairs of chains; `progress` is told how many are done, of how many."""
    names = [(a, b) for a in chains for b in chains if a != b]
    pairs = []
    for above, below in names:
        wire, ends = (prover.commute(chains[above], chains[below], kind) for kind in ("wire", "end-to-end"))
        pairs.append(Pair(above, below, wire, ends))
        progress(len(pairs), len(names))
    return tuple(pairs)
