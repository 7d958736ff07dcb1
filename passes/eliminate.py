"""eliminate: leave out a chunnel that does nothing its neighbour does not do, and two that undo each other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.rewriting import Rewrites

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.spec import Direction, Instance, Stack


@frozen
class Eliminate(Pass):
    """`firewall([10.0.0.0/8]) |> firewall([10.1.0.0/16]) |> udp(1)` -> `firewall([10.0.0.0/8]) |> udp(1)`.

    Two neighbours of one chunnel become one if that is the same on the wire. Codecs are left to rules: what both ends
    undo shows in no other way than there, and a second encryption may be meant. Two codecs of which the lower undoes
    the upper, and that promise nothing, both go: `swap |> swap_back |> udp(1)` -> `udp(1)`.
    """

    name: ClassVar[str] = "eliminate"
    establishes: ClassVar[frozenset[Fact]] = frozenset()

    def run(self, module: Module, context: Context) -> Module:  # noqa: ARG002  (a pass's signature)
        """Return the module with shorter stacks, and the ledger of what was left out."""
        rewrites = Rewrites(module.specification)
        stacks = tuple(
            evolve(stack, directions=tuple(_shorter(stack, d, rewrites) for d in stack.directions))
            for stack in module.specification.stacks
        )
        return rewrites.onto(module, stacks)


def _shorter(stack: Stack, direction: Direction, rewrites: Rewrites) -> Direction:
    chain = direction.instances
    for upper, lower in pairwise(chain):
        if _cancel(upper, lower, stack, direction, rewrites):
            rest = tuple(i for i in chain if i is not upper and i is not lower)
            return _shorter(stack, evolve(direction, instances=rest), rewrites)
        if upper.chunnel.name != lower.chunnel.name or upper.chunnel.both_ends:
            continue
        for kept, other in ((upper, lower), (lower, upper)):
            if _does_all(kept, (upper, lower), stack, direction, rewrites):
                rest = tuple(i for i in chain if i is not other)
                return _shorter(stack, evolve(direction, instances=rest), rewrites)
    return direction


def _cancel(upper: Instance, lower: Instance, stack: Stack, direction: Direction, rewrites: Rewrites) -> bool:
    """Whether two codecs together do nothing at all, at either end; noted if so."""
    both = (upper.chunnel, lower.chunnel)
    if not all(c.both_ends and not c.provides and c.transport is None for c in both):
        return False
    verdict = rewrites.prover.rewrite((upper, lower), (), "wire")
    if verdict.status != "proved":
        return False
    rewrites.note(stack.name, f"{direction.name}: {upper.id} and {lower.id} left out, as one undoes the other", verdict)
    return True


def _does_all(
    kept: Instance, both: tuple[Instance, Instance], stack: Stack, direction: Direction, rewrites: Rewrites
) -> bool:  # fmt: skip
    """Whether one of two does what both do; noted if it does."""
    verdict = rewrites.prover.rewrite(both, (kept,), "wire")
    if verdict.status != "proved":
        return False
    gone = both[0] if both[1] is kept else both[1]
    rewrites.note(stack.name, f"{direction.name}: {gone.id} left out, as {kept.id} does all that both do", verdict)
    return True
