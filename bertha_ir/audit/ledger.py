"""Derives the ledger again from the specification, and has cvc5 read its certificates."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from bertha_ir.audit.check import Check
from bertha_ir.audit.order import direction_of, swapped_pairs
from bertha_ir.cost_models import load as load_model
from bertha_ir.diagnostics import BerthaError
from bertha_ir.interpreter.halves import placed_of
from bertha_ir.passes.base import Context, Module
from bertha_ir.passes.candidates import crossed
from bertha_ir.passes.grounds import Grounds
from bertha_ir.passes.manager import parse_pipeline
from bertha_ir.passes.pipelines import PIPELINES
from bertha_ir.passes.rewriting import Rewrites
from bertha_ir.passes.smt.second import NoSecondSolverError, UnreadableError, recheck
from bertha_ir.passes.swaps import Swaps, swapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.audit.check import Status
    from bertha_ir.audit.opened import Opened
    from bertha_ir.plan import LedgerEntry, Plan
    from bertha_ir.stack import Graph

_MOVE = re.compile(r"(request|response): (\S+) after (\S+)")
_SWAP = re.compile(r"(request|response): (\S+) above (\S+), at both ends")


def derived(artifact: Opened) -> Module | None:
    """Return what the specification becomes before it is placed, by the pipeline that gives the artifact's graphs; None
    when none does.
    """
    context = Context({}, load_model("profile"))
    chosen = tuple(evolve(stack, alternatives=()) for stack in artifact.specification.stacks)
    for text in dict.fromkeys(text.partition(",place")[0] for text in PIPELINES.values()):
        module = Module(evolve(artifact.specification, stacks=chosen))
        try:
            for step in parse_pipeline(text).passes:
                module = step.run(module, context)
        except BerthaError:  # such as a rule that is not proved: then it is not where the graphs come from
            continue
        if module.graphs == artifact.graphs:
            return module
    return None


@frozen
class _Opinion:
    status: Status
    text: str


@define
class LedgerAudit:
    """Checks ledgers. `timeout_s` is for each certificate; `module` is what `derived` gave."""

    artifact: Opened
    module: Module
    timeout_s: float
    grounds: Grounds = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.grounds = Grounds(self.module.specification)

    def entries(self) -> Iterator[Check]:
        """Yield a check for each entry, and for each that ought to be there and is not."""
        for plan in self.artifact.plans:
            given = [entry for entry in plan.ledger if entry.status == "proved"]
            for entry in given:
                opinion = self._again(entry, plan)
                yield Check("ledger", opinion.status, f"{plan.stack}: {entry.rewrite}, {opinion.text}")
            named = {entry.rewrite for entry in plan.ledger}
            needed = [entry.rewrite for entry in self.module.ledger.get(plan.stack, ())]
            for rewrite in dict.fromkeys([*needed, *_moves(plan, self.artifact)]):
                if rewrite not in named:
                    yield Check("ledger", "refuted", f"{plan.stack}: {rewrite}, which was done, and is not there")

    def _again(self, entry: LedgerEntry, plan: Plan) -> _Opinion:
        """Return what becomes of an entry when it is derived anew."""
        noted = self.module.ledger.get(plan.stack, ())
        known: list[LedgerEntry] | _Opinion = [e for e in noted if e.rewrite == entry.rewrite]
        if not known and (found := _MOVE.fullmatch(entry.rewrite)):
            known = self._moved(plan, (found[1], found[2], found[3]))
        elif not known and (found := _SWAP.fullmatch(entry.rewrite)):
            known = self._swapped(plan, (found[1], found[3], found[2]))
        return known if isinstance(known, _Opinion) else self._compared(entry, known)

    def _compared(self, entry: LedgerEntry, known: list[LedgerEntry]) -> _Opinion:
        if not known:
            return _Opinion("refuted", "which does not follow from the specification")
        if entry in known or all(e.by == "effects" and e.equivalence == entry.equivalence for e in known):
            return _Opinion("holds", f"by {entry.by if entry in known else 'effects'}")
        if all((e.by, e.equivalence) == (entry.by, entry.equivalence) for e in known):
            return self._otherwise([e.certificate for e in known if e.certificate is not None])
        return _Opinion("refuted", f"which is so by {known[0].by} only, {known[0].equivalence}: {known[0].detail}")

    def _moved(self, plan: Plan, names: tuple[str, str, str]) -> list[LedgerEntry] | _Opinion:
        """Return the ground on which one op of a direction runs behind another."""
        graph = self._graph(plan, names[0])
        order = [o.id for o in graph.chain()] if graph is not None else []
        if graph is None or not {*names[1:]} <= set(order) or order.index(names[1]) > order.index(names[2]):
            return _Opinion("refuted", "which are no two ops in this order")
        ground = self.grounds.of(graph.op(names[1]), graph.op(names[2]), graph)
        if ground.may_not is not None:
            why = ground.objection()
            return _Opinion("unsettled" if "not settled by z3" in why else "refuted", why)
        return [ground.entry(graph)]

    def _swapped(self, plan: Plan, names: tuple[str, str, str]) -> list[LedgerEntry] | _Opinion:
        """Return the ground on which two chunnels of the ends have traded places."""
        graph = self._graph(plan, names[0])
        direction = direction_of(graph, self.artifact) if graph is not None else None
        if graph is None or direction is None:
            return _Opinion("refuted", "which is no direction")
        pair = next((p for p in swapped_pairs(graph, plan, direction) if (p[0].id, p[1].id) == names[1:]), None)
        if pair is None:
            return _Opinion("refuted", "which the plan's order has not done")
        swaps = Swaps(Rewrites(self.artifact.specification), plan.stack, direction)
        if why := swaps.may_not(*pair):
            return _Opinion("refuted", why)
        swaps.note(*pair)
        self.grounds.certificates.update(swaps.rewrites.certificates)
        return swaps.rewrites.ledger[plan.stack]

    def _graph(self, plan: Plan, direction: str) -> Graph | None:
        return next((g for g in self.artifact.graphs if (g.stack, g.direction) == (plan.stack, direction)), None)

    def _otherwise(self, names: list[str]) -> _Opinion:
        """Return what cvc5 says of the questions that this version of z3 and of Bertha ask."""
        texts = {**self.module.certificates, **self.grounds.certificates}
        if all(self._answer(texts[name]).status == "holds" for name in names):
            return _Opinion("holds", "by z3, with another certificate than this one")
        return _Opinion("unsettled", "by z3, with another certificate than this one, which cvc5 does not settle")

    def certificates(self, progress: Callable[[int, int], None]) -> Iterator[Check]:
        """Yield a check for each certificate that an entry names, by name."""
        names = sorted(
            {e.certificate for plan in self.artifact.plans for e in plan.ledger if e.certificate is not None}
        )
        for number, name in enumerate(names):
            progress(number, len(names))
            text = self.artifact.certificates.get(name)
            if text is None:
                yield Check("certificate", "refuted", f"{name[:12]} is missing")
                continue
            digest = hashlib.sha256(text.encode()).hexdigest()
            if digest != name:
                yield Check("certificate", "refuted", f"{name[:12]} is another text: its hash is {digest[:12]}")
                continue
            opinion = self._answer(text)
            yield Check("certificate", opinion.status, f"{name[:12]}: {opinion.text}")
        progress(len(names), len(names))

    def _answer(self, text: str) -> _Opinion:
        try:
            answer = recheck(text, self.timeout_s)
        except UnreadableError as error:
            return _Opinion("refuted", f"is no question: {error}")
        except NoSecondSolverError as error:
            return _Opinion("unsettled", str(error))
        status: dict[str, Status] = {"unsat": "holds", "sat": "refuted", "unknown": "unsettled"}
        return _Opinion(status[answer], f"cvc5 answers {answer}")


def _moves(plan: Plan, artifact: Opened) -> Iterator[str]:
    """Yield each move that the placement made: below what lies between an op and the wire, and of ops that run behind
    those that they were written above.
    """
    for graph in (g for g in artifact.graphs if g.stack == plan.stack):
        bound = {b.op for b in plan.bindings if b.direction == graph.direction}
        for op in graph.chain():
            if op.side == "path" and op.derived_from is None and op.id in bound:
                yield from (f"{graph.direction}: {op.id} after {other.id}" for other in crossed(op, graph))
        yield from _traded(plan, graph, artifact)
        if (direction := direction_of(graph, artifact)) is not None:
            pairs = swapped_pairs(graph, plan, direction)
            yield from (swapped(graph.direction, upper.id, lower.id) for upper, lower in pairs)


def _traded(plan: Plan, graph: Graph, artifact: Opened) -> Iterator[str]:
    placed = placed_of(plan, graph.direction, artifact.programs)
    written = [o.id for o in graph.chain()]
    name = f"{graph.stack}_{graph.direction}"
    run = [
        op
        for program in (*placed.frames, *((placed.datagram,) if placed.datagram else ()))
        for block in program.blocks
        if name in block.name
        for op in block.ops
        if op in written
    ]
    for position, op in enumerate(run):
        for later in run[position + 1 :]:
            if written.index(later) < written.index(op):
                yield f"{graph.direction}: {later} after {op}"
