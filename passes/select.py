"""select: of the ways through the branches of a stack's selects, take the one whose plan is best."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, field, frozen

from bertha_ir.diagnostics import BerthaError
from bertha_ir.passes.base import Module, Pass
from bertha_ir.plan import Alternative

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.plan import Plan
    from bertha_ir.spec import Specification, Stack


@frozen
class Select(Pass):
    """`request: select { compress | none } |> udp(1)` -> `compress |> udp(1)`, if that is better for the stack.

    The branch that the stack prefers comes first, whatever its cost. A way that has no plan on this site, as its policy
    may demand, is no error while another has one.
    """

    name: ClassVar[str] = "select"
    establishes: ClassVar[frozenset[Fact]] = frozenset()

    def run(self, module: Module, context: Context) -> Module:
        """Return the module with one way for each stack; the others are its alternatives.

        Raises:
            BerthaError: no way through a stack's selects has a plan; what the preferred one lacks.
        """
        stacks: list[Stack] = []
        alternatives = {}
        for stack in module.specification.stacks:
            tried = [_Tried(way, *_planned(way, module.specification, context)) for way in ways(stack)]
            best = min(tried, key=_Tried.order, default=_Tried(stack))
            if best.mistakes:
                raise BerthaError(best.mistakes)
            stacks.append(best.way)
            alternatives[stack.name] = tuple(other.beside(best) for other in tried if other is not best)
        return evolve(
            module, specification=evolve(module.specification, stacks=tuple(stacks)), alternatives=alternatives
        )


def ways(stack: Stack) -> tuple[Stack, ...]:
    """Return the ways through a stack's selects, each as a stack without any; none for a stack that has none."""
    if not stack.alternatives:
        return ()
    return tuple(evolve(way, alternatives=()) for way in (evolve(stack, alternatives=()), *stack.alternatives))


def taken(stack: Stack, branches: tuple[str, ...]) -> Stack:
    """Return the way through these branches, with the others as its alternatives; the stack itself without selects."""
    found = ways(stack)
    way = next((w for w in found if w.branches == branches), stack)
    return evolve(way, alternatives=tuple(other for other in found if other is not way))


@frozen
class _Tried:
    """A way, and its plan or what is wrong with it."""

    way: Stack
    plan: Plan | None = None
    mistakes: tuple[Diagnostic, ...] = field(default=())

    def order(self) -> tuple[bool, int, float]:
        """Return what is made least: to have a plan, to be preferred, the objective."""
        cost = self.plan.objective if self.plan else None
        return self.plan is None, self.way.rank, float("inf") if cost is None else cost

    def beside(self, best: _Tried) -> Alternative:
        """Return this as an alternative to the best."""
        if self.plan is None:
            first = self.mistakes[0]
            return Alternative(self.way.branches, f"it has no plan: {first.code.number()}, {first.message}")
        if self.way.rank > best.way.rank:
            reason = "the stack prefers another branch"
        else:
            reason = f"not better, by {self.way.prefer}"
        return Alternative(self.way.branches, reason, self.plan.id, self.plan.latency_ns)


def _planned(
    way: Stack, specification: Specification, context: Context
) -> tuple[Plan | None, tuple[Diagnostic, ...]]:  # fmt: skip
    """Return the plan of a stack for itself, or why this site has none. Raises `BerthaError` for what no site mends."""
    from bertha_ir.passes.manager import parse_pipeline  # noqa: PLC0415  (the manager knows this pass)

    *steps, place = parse_pipeline("plan").passes
    module = Module(evolve(specification, stacks=(way,)))
    for step in steps:
        module = step.run(module, context)
    try:
        return place.run(module, context).plans[0], ()
    except BerthaError as error:
        return None, error.diagnostics
