"""rules: replace what the user's rules say may be replaced, once they are proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import evolve, field, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.diagnostics import Collector, Label
from bertha_ir.interpreter.evaluate import constant
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.codes import CH215RuleNotProved, CH216RulesLoop
from bertha_ir.passes.rewriting import Rewrites
from bertha_ir.spec import SecretArgument
from bertha_ir.walk import transform, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.passes.smt.obligations import Verdict
    from bertha_ir.spec import Argument, Direction, Instance, Rule, Specification, Stack

FUEL = 64
"""Replacements in one direction of a stack, after which rules are taken to go round in circles."""

Bound = dict[str, "Argument"]


@frozen
class Rules(Pass):
    """`compress |> compress |> udp(1)`, and `rule twice: compress |> compress => compress;` -> `compress |> udp(1)`.

    Rules apply from the top of a stack, the first that matches first, until none does. One that matches and is not
    proved is an error; one that matches nowhere is not asked about. A rule between the ends is not applied above a
    chunnel that reads messages on the path.
    """

    name: ClassVar[str] = "rules"
    establishes: ClassVar[frozenset[Fact]] = frozenset({"ruled"})

    def run(self, module: Module, context: Context) -> Module:  # noqa: ARG002  (a pass's signature)
        """Return the module with rewritten stacks, and the ledger of what was rewritten."""
        if not module.specification.rules:
            return module
        rewriter = _Rewriter(module.specification, Collector(), Rewrites(module.specification))
        stacks = tuple(rewriter.stack(stack) for stack in module.specification.stacks)
        rewriter.collector.check()
        return rewriter.rewrites.onto(module, stacks)


@frozen
class _Match:
    """Where a rule's left side lies in a chain, and what its parameters are there."""

    rule: Rule
    first: int
    bound: Bound


@frozen
class _Rewriter:
    specification: Specification
    collector: Collector
    rewrites: Rewrites
    _verdicts: dict[str, Verdict] = field(factory=dict)

    def stack(self, stack: Stack) -> Stack:
        return evolve(stack, directions=tuple(self._direction(stack, d) for d in stack.directions))

    def _direction(self, stack: Stack, direction: Direction) -> Direction:
        used: list[str] = []
        while match := next(_matches(self.specification.rules, direction.instances), None):
            verdict = self._verdict(match.rule, direction)
            if verdict.status != "proved":
                return direction
            used.append(match.rule.name)
            if len(used) > FUEL:
                self._refuse_loop(direction, used)
                return direction
            left, right = (" |> ".join(i.chunnel.name for i in side) for side in (match.rule.left, match.rule.right))
            what = f"{direction.name}: {left} becomes {right}, rule {match.rule.name}"
            self.rewrites.note(stack.name, what, verdict)
            direction = evolve(direction, instances=_replaced(match, direction.instances))
        return direction

    def _verdict(self, rule: Rule, direction: Direction) -> Verdict:
        """Return the prover's verdict on a rule, and report it the first time if it is no proof."""
        if rule.name in self._verdicts:
            return self._verdicts[rule.name]
        verdict = self.rewrites.prover.rule(rule)
        self._verdicts[rule.name] = verdict
        if verdict.status != "proved":
            part = verdict.decisive
            labels = (Label(direction.span, "it would be applied here"),) if direction.span is not None else ()
            message = f"the rule `{rule.name}` is {_word(verdict)}: {part.part}: {part.answer.reason}"
            hint = f"`bertha prove --rule {rule.name}` shows the message; mend the rule, or leave it out"
            self.collector.add(CH215RuleNotProved, message, rule.span, hint, labels)
        return verdict

    def _refuse_loop(self, direction: Direction, used: list[str]) -> None:
        names = ", ".join(f"`{name}`" for name in sorted(set(used[-4:])))
        message = f"rules go round in circles here: {names}"
        self.collector.add(CH216RulesLoop, message, direction.span, "leave one of them out, or give it a condition")


def _word(verdict: Verdict) -> str:
    return "refuted" if verdict.status == "refuted" else "not proved"


def _matches(rules: tuple[Rule, ...], chain: tuple[Instance, ...]) -> Iterator[_Match]:
    for first in range(len(chain)):
        for rule in rules:
            bound: Bound = {}
            here = chain[first : first + len(rule.left)]
            fits = len(here) == len(rule.left) and all(
                _binds(pattern, instance, rule, bound) for pattern, instance in zip(rule.left, here, strict=True)
            )
            below = chain[first + len(rule.left) :]
            if fits and _admits(rule, bound) and (rule.equivalence == "wire" or not any(map(looks_inside, below))):
                yield _Match(rule, first, bound)


def looks_inside(instance: Instance) -> bool:
    """Whether a chunnel reads messages on the path: where both ends change together, it would read other bytes."""
    handler = instance.chunnel.handler("packet")
    inside = (e.Field, e.ParamField, e.Payload, s.Clone)
    return handler is not None and any(isinstance(node, inside) for node in walk(handler.body))


def _binds(pattern: Instance, instance: Instance, rule: Rule, bound: Bound) -> bool:
    """Whether a use is of a pattern, with the same values for the same parameters."""
    if pattern.chunnel.name != instance.chunnel.name:
        return False
    names = {p.name for p in rule.parameters}
    for (_, wanted), (_, given) in zip(pattern.arguments, instance.arguments, strict=True):
        opened = isinstance(wanted, e.Param) or (isinstance(wanted, SecretArgument) and wanted.name in names)
        if opened and isinstance(wanted, e.Param | SecretArgument):
            wanted = bound.setdefault(wanted.name, given)  # noqa: PLW2901  (a parameter stands for its value)
        if wanted != given:
            return False
    return True


def _admits(rule: Rule, bound: Bound) -> bool:
    """Whether a rule's condition holds of the parameters' values."""
    if rule.condition is None:
        return True

    def change(node: Any) -> Any:  # noqa: ANN401  (any node)
        return bound[node.name] if isinstance(node, e.Param) else node

    return bool(constant(transform(rule.condition, change)))


def _replaced(match: _Match, chain: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """Return a chain with a rule's right side for its left; what the rule keeps keeps its name, and so its state."""
    from bertha_ir.passes.smt.obligations import matched  # noqa: PLC0415  (start-up time: z3)

    rule, behind = match.rule, match.first + len(match.rule.left)
    here = chain[match.first : behind]
    kept = {pattern.id: instance for pattern, instance in zip(rule.left, here, strict=True)}
    taken = {i.id for i in (*chain[: match.first], *chain[behind:])}
    made = []
    for right in matched(rule.right, rule.left):
        arguments = tuple((name, _value(argument, match.bound)) for name, argument in right.arguments)
        name = kept[right.id].id if right.id in kept else _fresh(right.chunnel.name, taken | {i.id for i in here})
        taken.add(name)
        made.append(evolve(right, id=name, arguments=arguments, span=here[0].span))
    return (*chain[: match.first], *made, *chain[behind:])


def _value(argument: Argument, bound: Bound) -> Argument:
    if isinstance(argument, e.Param | SecretArgument):
        return bound.get(argument.name, argument)
    return argument


def _fresh(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
