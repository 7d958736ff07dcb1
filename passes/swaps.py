"""Which chunnels of the ends may trade places, because both ends then run the other order: proved, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from bertha_ir.passes.rules import looks_inside

if TYPE_CHECKING:
    from bertha_ir.passes.rewriting import Rewrites
    from bertha_ir.passes.smt.obligations import Verdict
    from bertha_ir.spec import Direction, Instance


@define
class Swaps:
    """The answers for one direction of a stack, each asked for once."""

    rewrites: Rewrites
    stack: str
    direction: Direction
    _known: dict[tuple[str, str], Verdict] = field(factory=dict)

    def may_not(self, upper: Instance, lower: Instance) -> str | None:
        """Return why `lower` may not be put above `upper`; None when that is proved.

        What is below both, or above, does not matter: a codec does the same to whatever bytes it is given. Only what
        looks at the bytes on the path sees a difference, unless there is none on the wire.
        """
        verdict = self._verdict(upper, lower)
        if verdict.status != "proved":
            part = verdict.decisive
            return f"not proved: {part.part}: {part.answer.reason}"
        reader = next((i.chunnel.name for i in self.direction.instances if looks_inside(i)), None)
        on_the_wire = {p.part for p in verdict.parts} <= {"sending", "receiving"}
        if reader is not None and not on_the_wire:
            return f"`{reader}` looks into messages on the path, and they would be others there"
        return None

    def note(self, upper: Instance, lower: Instance) -> None:
        """Note in the ledger that `lower` was put above `upper`."""
        self.rewrites.note(self.stack, swapped(self.direction.name, upper.id, lower.id), self._verdict(upper, lower))

    def _verdict(self, upper: Instance, lower: Instance) -> Verdict:
        key = (upper.id, lower.id)
        if key not in self._known:
            self._known[key] = self.rewrites.prover.commute((upper,), (lower,), "end-to-end")
        return self._known[key]


def swapped(direction: str, upper: str, lower: str) -> str:
    """Return what a ledger calls the rewrite by which `lower` comes above `upper`."""
    return f"{direction}: {lower} above {upper}, at both ends"
