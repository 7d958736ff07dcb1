"""eliminate: leave out a chunnel that does nothing another has not done, and two that undo each other."""

from __future__ import annotations

from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.rewriting import Rewrites

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.spec import Direction, Instance, Stack


@frozen
class Eliminate(Pass):
    """`firewall([10.0.0.0/8]) |> firewall([10.1.0.0/16]) |> udp(1)` -> `firewall([10.0.0.0/8]) |> udp(1)`.

    Of two of one chunnel, also with others of the path between them, one goes if that is the same on the wire. Codecs
    are left to rules: what both ends undo shows in no other way than there, and a second encryption may be meant. Two
    codecs of which the lower undoes the upper, and that promise nothing, both go: `swap |> swap_back |> udp(1)` ->
    `udp(1)`.
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
    for run in runs(chain):
        for gone in (run[-1], run[0]):
            if _does_all(run, gone, stack, direction, rewrites):
                rest = tuple(i for i in chain if i is not gone)
                return _shorter(stack, evolve(direction, instances=rest), rewrites)
    return direction


def runs(chain: tuple[Instance, ...]) -> Iterator[tuple[Instance, ...]]:
    """Yield the parts of a chain that begin and end with one chunnel, with none in between that both ends must have."""
    for first, upper in enumerate(chain):
        path = list(takewhile(lambda i: not i.chunnel.both_ends and i.chunnel.transport is None, chain[first:]))
        yield from (tuple(path[:n]) for n in range(2, len(path) + 1) if path[n - 1].chunnel.name == upper.chunnel.name)


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
    run: tuple[Instance, ...], gone: Instance, stack: Stack, direction: Direction, rewrites: Rewrites
) -> bool:  # fmt: skip
    """Whether a part of a chain does the same without one of its chunnels; noted if it does."""
    rest = tuple(i for i in run if i is not gone)
    verdict = rewrites.prover.rewrite(run, rest, "wire")
    if verdict.status != "proved":
        return False
    does = "does all that both do" if len(rest) == 1 else "do all that is done with it"
    names = " and ".join(i.id for i in rest)
    rewrites.note(stack.name, f"{direction.name}: {gone.id} left out, as {names} {does}", verdict)
    return True
