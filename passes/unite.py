"""unite: one table in place of two of the same kind, so that messages are looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.eliminate import runs
from bertha_ir.passes.rewriting import Rewrites
from bertha_ir.spec import PrefixesArgument
from bertha_ir.types import PrefixesType

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.spec import Argument, Direction, Instance, Stack


@frozen
class Unite(Pass):
    """`firewall([10.0.0.0/8]) |> firewall([172.16.0.0/12]) |> udp(1)` -> `firewall([10.0.0.0/8, 172.16.0.0/12]) |>
    udp(1)`.

    Two of one chunnel that differ in one argument's prefixes, also with others of the path between them, become the
    first of them with the prefixes of both, if that is the same on the wire.
    """

    name: ClassVar[str] = "unite"
    establishes: ClassVar[frozenset[Fact]] = frozenset()

    def run(self, module: Module, context: Context) -> Module:  # noqa: ARG002  (a pass's signature)
        """Return the module with fewer tables, and the ledger of those that were united."""
        rewrites = Rewrites(module.specification)
        stacks = tuple(
            evolve(stack, directions=tuple(_united(stack, d, rewrites) for d in stack.directions))
            for stack in module.specification.stacks
        )
        return rewrites.onto(module, stacks)


def _united(stack: Stack, direction: Direction, rewrites: Rewrites) -> Direction:
    for run in runs(direction.instances):
        one = _with_both(run[0], run[-1])
        if one is None:
            continue
        verdict = rewrites.prover.rewrite(run, (one, *run[1:-1]), "wire")
        if verdict.status == "proved":
            what = f"{direction.name}: {run[-1].id} left out, as {one.id} has its entries too"
            rewrites.note(stack.name, what, verdict)
            rest = tuple(one if i is run[0] else i for i in direction.instances if i is not run[-1])
            return _united(stack, evolve(direction, instances=rest), rewrites)
    return direction


def _with_both(one: Instance, other: Instance) -> Instance | None:
    """Return the first of two with the entries of both; None when they differ in anything but one table's prefixes, or
    the table would be too large.
    """
    if one.chunnel != other.chunnel:
        return None
    mine, theirs = dict(one.arguments), dict(other.arguments)
    differ = [name for name in mine if mine[name] != theirs[name]]
    if len(differ) != 1:
        return None
    first, second = mine[differ[0]], theirs[differ[0]]
    if not isinstance(first, PrefixesArgument) or not isinstance(second, PrefixesArgument):
        return None
    entries = tuple(sorted({*first.prefixes, *second.prefixes}))
    type_ = next(p.type for p in one.chunnel.parameters if p.name == differ[0])
    if not isinstance(type_, PrefixesType) or len(entries) > type_.limit:
        return None
    united: dict[str, Argument] = {**mine, differ[0]: PrefixesArgument(entries)}
    return evolve(one, arguments=tuple(united.items()))
