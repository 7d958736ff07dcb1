"""On what ground an op may trade places with another: by its effects, or by a proof; or why it may not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import Factory, define, field, frozen

from bertha_ir.passes.effects import effects, independent
from bertha_ir.plan import LedgerEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.passes.smt.answer import Answer
    from bertha_ir.passes.smt.question import Question
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph, Op


@frozen
class Ground:
    """Why `op` may be moved behind `over`: by `effects` or by `z3`, whose certificate is named; or why it `may_not`."""

    op: Op
    over: Op
    by: str
    detail: str
    certificate: str | None = None
    may_not: str | None = None
    objects: Callable[[], str] | None = field(default=None, eq=False, repr=False)

    def objection(self) -> str:
        """Return why `op` may not be moved, with what a message shows, which takes a while to make short."""
        return f"{self.may_not}; {self.objects()}" if self.objects is not None else self.may_not or ""

    def entry(self, graph: Graph) -> LedgerEntry:
        """Return the ledger's entry for a move that was made."""
        what = f"{graph.direction}: {self.op.id} after {self.over.id}"
        return LedgerEntry(what, "wire", "proved", self.by, self.detail, self.certificate)


@define
class Grounds:
    """The grounds of a run, each found once. `certificates`: the texts that z3's grounds rest on, by their sha256."""

    specification: Specification
    certificates: dict[str, str] = Factory(dict)
    _known: dict[tuple[str, str, str, str], Ground] = Factory(dict)

    def of(self, op: Op, over: Op, graph: Graph) -> Ground:
        """Return the ground for moving an op behind the one below it."""
        key = (graph.stack, graph.direction, op.id, over.id)
        if key not in self._known:
            self._known[key] = self._found(op, over, graph)
        return self._known[key]

    def _found(self, op: Op, over: Op, graph: Graph) -> Ground:
        ours, theirs = (effects(o.body, self.specification.messages) for o in (op, over))
        why = independent(ours, theirs)
        if why is not None:
            return self._proved(op, over, graph, why)
        touches = f"reads {_list(ours.reads)}, writes {_list(ours.writes)}"
        return Ground(op, over, "effects", f"{op.id} {touches}; {over.id} writes {_list(theirs.writes)}")

    def _proved(self, op: Op, over: Op, graph: Graph, why: str) -> Ground:
        """Ask z3 what effects do not settle."""
        from bertha_ir.passes.smt.answer import Proved  # noqa: PLC0415  (start-up time: most stacks need no solver)
        from bertha_ir.passes.smt.cache import Cache, default_folder  # noqa: PLC0415
        from bertha_ir.passes.smt.question import ask, swapped  # noqa: PLC0415
        from bertha_ir.passes.smt.solve import solve  # noqa: PLC0415

        question = ask(*swapped(op, over, graph), self.specification)
        answer = Cache(default_folder())("same", question, lambda: solve(question))
        if not isinstance(answer, Proved):
            return Ground(op, over, "z3", why, may_not=why, objects=partial(_objection, question, answer))
        if answer.name is not None and answer.certificate is not None:
            self.certificates[answer.name] = answer.certificate
        detail = f"{op.id} before or behind {over.id}: {answer.reason}"
        return Ground(op, over, answer.by, detail, answer.name)


def _objection(question: Question, answer: Answer) -> str:
    """Return what speaks against a move, in a line."""
    from bertha_ir.passes.smt.answer import Refuted  # noqa: PLC0415  (as in `_proved`)
    from bertha_ir.passes.smt.show import outcome_rows  # noqa: PLC0415
    from bertha_ir.passes.smt.shrink import shrunk  # noqa: PLC0415

    if not isinstance(answer, Refuted) or answer.start is None:
        return f"not settled by z3: {answer.reason}"
    row = next(r for r in outcome_rows(question, shrunk(question, answer.start)) if r.differs)
    return (
        f"there is a message for which {row.name} is {row.left or 'not there'}, and would be {row.right or 'not there'}"
    )


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
