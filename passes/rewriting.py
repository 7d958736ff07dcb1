"""What the passes that rewrite stacks share: asking for a verdict, and noting in the ledger what it rests on."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from bertha_ir.plan import LedgerEntry

if TYPE_CHECKING:
    from bertha_ir.passes.base import Module
    from bertha_ir.passes.smt.obligations import Obligation, Prover, Verdict
    from bertha_ir.spec import Specification, Stack


@frozen
class Rewrites:
    """The rewrites of a run: entries of the ledger by stack, and the certificates that they name."""

    specification: Specification
    ledger: dict[str, list[LedgerEntry]] = field(factory=dict)
    certificates: dict[str, str] = field(factory=dict)

    @cached_property
    def prover(self) -> Prover:
        """A prover that remembers answers; made when it is first needed, as most stacks need none."""
        from bertha_ir.passes.smt.cache import Cache, default_folder  # noqa: PLC0415  (start-up time: z3)
        from bertha_ir.passes.smt.obligations import Prover  # noqa: PLC0415

        return Prover(self.specification, solver=Cache(default_folder()))

    def note(self, stack: str, what: str, verdict: Verdict) -> None:
        """Note a rewrite: an entry for each part of its verdict that was asked."""
        for part in (p for p in verdict.parts if p.question is not None):
            self.ledger.setdefault(stack, []).append(self._entry(what, verdict, part))

    def _entry(self, what: str, verdict: Verdict, part: Obligation) -> LedgerEntry:
        from bertha_ir.passes.smt.answer import Proved  # noqa: PLC0415  (as in `prover`)

        answer = part.answer
        assert isinstance(answer, Proved)  # noqa: S101  INVARIANT: all parts of a proved verdict are
        if answer.name is not None and answer.certificate is not None:
            self.certificates[answer.name] = answer.certificate
        detail = f"{part.part}: {answer.reason}"
        return LedgerEntry(what, verdict.equivalence, "proved", answer.by, detail, answer.name)

    def onto(self, module: Module, stacks: tuple[Stack, ...]) -> Module:
        """Return a module with rewritten stacks and what was noted, behind what earlier passes noted."""
        if not self.ledger:
            return module
        ledger = {name: (*module.ledger.get(name, ()), *entries) for name, entries in self.ledger.items()}
        return evolve(
            module,
            specification=evolve(module.specification, stacks=stacks),
            ledger={**module.ledger, **ledger},
            certificates={**module.certificates, **self.certificates},
        )
