"""What has to be proved before a plan may differ from what was written, and how each becomes a question.

`wire`: the sending half and the receiving half are equal, each on its own. `end-to-end`: the two halves together are;
and the link shows no more than before, carries no larger messages than it can, and no guarantee is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import evolve, field, frozen

from bertha_ir.expr import Const
from bertha_ir.passes.expand import chain_of
from bertha_ir.passes.smt.answer import Answer, Proved, Refuted, Status
from bertha_ir.passes.smt.limits import fits_still
from bertha_ir.passes.smt.question import Question, ask, pipeline, under
from bertha_ir.passes.smt.secrecy import shows_no_more
from bertha_ir.passes.smt.solve import TIMEOUT_MS, solve
from bertha_ir.spec import Instance
from bertha_ir.types import U16, SecretType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bertha_ir.passes.smt.question import Observed
    from bertha_ir.spec import Handler, Rule, Specification
    from bertha_ir.stack import Graph, Layout, Op

Equivalence = Literal["wire", "end-to-end"]
Chain = tuple["Instance", ...]
Part = Literal["sending", "receiving", "whole", "secrecy", "size", "guarantees"]


@frozen
class Obligation:
    """One part of what has to be proved; `question` is None for guarantees, which the declarations settle."""

    part: Part
    question: Question | None
    answer: Answer


@frozen
class Verdict:
    """The answer for a rewrite: that of its parts. `relies`: guarantees that it takes what is below to give."""

    equivalence: Equivalence
    parts: tuple[Obligation, ...]
    relies: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """Refuted if a part is, else unknown if a part is, else proved."""
        found = {p.answer.status for p in self.parts}
        return "refuted" if "refuted" in found else "unknown" if "unknown" in found else "proved"

    @property
    def decisive(self) -> Obligation:
        """The part that the status is due to; the last one of a proved rewrite."""
        return next((p for p in self.parts if p.answer.status == self.status), self.parts[-1])


@frozen
class Prover:
    """Settles obligations. `solver` answers a question; one that remembers answers can stand in for `solve`.

    `max_size`: bytes of payload that the link carries, if it is known. `below`: the guarantees of what lies under the
    chunnels in question, if it is known; otherwise it is taken to give all that they require.
    """

    specification: Specification
    timeout_ms: int = TIMEOUT_MS
    max_size: int | None = None
    below: frozenset[str] | None = None
    solver: Callable[[str, Question, Callable[[], Answer]], Answer] = lambda _, __, ask_now: ask_now()
    _ops: dict[tuple[Instance, Handler], Op] = field(factory=dict, init=False, eq=False, repr=False)

    def commute(self, first: Chain, second: Chain, equivalence: Equivalence) -> Verdict:
        """Return whether `first |> second` may become `second |> first`."""
        return self.rewrite((*first, *second), (*second, *first), equivalence)

    def rewrite(self, left: Chain, right: Chain, equivalence: Equivalence, observed: Observed = "all") -> Verdict:
        """Return whether one chain may become another, whose instances of the same id share their state."""
        return self._rewrite(left, right, equivalence, lambda a, b: ask(a, b, self.specification, observed))

    def refines(self, one: Chain, other: Chain, equivalence: Equivalence = "wire") -> Verdict:
        """Return whether `one` may stand in for `other`: it does the same to messages and to the state both have."""
        return self.rewrite(other, matched(one, other), equivalence, "shared")

    def rule(self, rule: Rule) -> Verdict:
        """Return whether a user's rule holds, for all values of its parameters that its condition admits."""
        open_ = tuple(p for p in rule.parameters if not isinstance(p.type, SecretType))  # a key is unknown anyway

        def question(left: Graph, right: Graph) -> Question:
            return under(ask(left, right, self.specification), open_, rule.condition)

        return self._rewrite(rule.left, matched(rule.right, rule.left), rule.equivalence, question)

    def law(self, instance: Instance) -> Verdict:
        """Return whether a codec's `recv` gives back every message that its `send` was given."""
        whole = pipeline(self._chain((instance,)))
        question = ask(whole, pipeline(()), self.specification, "message")
        return Verdict("wire", (self._settled("whole", question),))

    def _chain(self, chain: Chain) -> tuple[tuple[Op, Layout], ...]:
        ends = chain and chain[-1].chunnel.transport is not None
        return chain_of(self.specification, chain if ends else (*chain, _datagrams(self.specification)), self._ops)

    def _rewrite(
        self, left: Chain, right: Chain, equivalence: Equivalence, question: Callable[[Graph, Graph], Question]
    ) -> Verdict:
        before, after = self._chain(left), self._chain(right)
        halves = [question(*(pipeline(half(c)) for c in (before, after))) for half in (_sending, _receiving)]
        names: tuple[Part, Part] = ("sending", "receiving")
        parts = self._all_of(zip(names, halves, strict=True))
        wire = Verdict("wire", tuple(parts))
        if equivalence == "wire" or wire.status == "proved":
            return Verdict(equivalence, (*parts, *self._promised(left, right, equivalence)), self._relies(right))
        conceals = any("confidential" in i.chunnel.provides for i in left)
        whole = question(pipeline(before), pipeline(after))
        asked: list[tuple[Part, Question]] = [("whole", whole)]
        asked += [("secrecy", halves[0])] if conceals else []
        asked += [("size", halves[0])] if self.max_size is not None else []
        parts = [*self._promised(left, right, equivalence), *self._all_of(asked)]
        return Verdict("end-to-end", tuple(parts), self._relies(right))

    def _all_of(self, asked: Iterable[tuple[Part, Question]]) -> list[Obligation]:
        """Settle one part after the other, up to the first where the behaviour is refuted."""
        parts: list[Obligation] = []
        for part, question in asked:
            if question.left.ops or question.right.ops:
                parts.append(self._settled(part, question))
                if parts[-1].answer.status == "refuted" and part != "secrecy":
                    break
        return parts

    def _settled(self, part: Part, question: Question) -> Obligation:
        def ask_now() -> Answer:
            if part == "secrecy":
                return shows_no_more(question, self.timeout_ms)
            if part == "size" and self.max_size is not None:
                return fits_still(question, self.max_size, self.timeout_ms)
            return solve(question, self.timeout_ms)

        kind = f"size {self.max_size}" if part == "size" else "secrecy" if part == "secrecy" else "same"
        return Obligation(part, question, self.solver(kind, question, ask_now))

    def _promised(self, left: Chain, right: Chain, equivalence: Equivalence) -> tuple[Obligation, ...]:
        """Return what becomes of guarantees: those that the chain gives, and those that its chunnels rely on."""
        lost = sorted(_provided(left) - _provided(right))
        reasons = [f"`{name}` is no longer provided" for name in lost]
        reasons += sorted(set(self._lacking(right)) - set(self._lacking(left)))
        if reasons:
            return (Obligation("guarantees", None, Refuted("; ".join(reasons), None)),)
        return () if equivalence == "wire" else (Obligation("guarantees", None, _KEPT),)

    def _lacking(self, chain: Chain) -> Iterable[str]:
        """Yield each requirement that nothing below provides, when it is known what lies below."""
        if self.below is None:
            return
        for above, name in _unmet(chain):
            if name not in self.below:
                yield f"`{above}` requires `{name}` of what is below it"

    def _relies(self, chain: Chain) -> tuple[str, ...]:
        return tuple(sorted({name for _, name in _unmet(chain)})) if self.below is None else ()


_KEPT = Proved("effects", "every guarantee is still provided and every requirement met")


def _unmet(chain: Chain) -> Iterable[tuple[str, str]]:
    """Yield each chunnel's requirements that the chain itself does not meet."""
    for position, instance in enumerate(chain):
        under_it = _provided(chain[position + 1 :])
        for name in instance.chunnel.requires:
            if name not in under_it:
                yield instance.chunnel.name, name


def _sending(chain: tuple[tuple[Op, Layout], ...]) -> tuple[tuple[Op, Layout], ...]:
    return tuple((op, layout) for op, layout in chain if op.side != "receiver")


def _receiving(chain: tuple[tuple[Op, Layout], ...]) -> tuple[tuple[Op, Layout], ...]:
    return tuple((op, layout) for op, layout in chain if op.side == "receiver")


def _provided(chain: Chain) -> frozenset[str]:
    return frozenset(name for instance in chain for name in instance.chunnel.provides)


def matched(chain: Chain, other: Chain) -> Chain:
    """Return a chain whose instances have the ids of the other's that are the same chunnel with the same arguments, so
    that they stand for the same state.
    """
    free = list(other)
    found = []
    for instance in chain:
        twin = next((o for o in free if (o.chunnel, o.arguments) == (instance.chunnel, instance.arguments)), None)
        if twin is not None:
            free.remove(twin)
        found.append(evolve(instance, id=twin.id) if twin is not None else instance)
    return tuple(found)


def _datagrams(specification: Specification) -> Instance:
    """Return the transport under chunnels that are asked about without one: datagrams."""
    udp = next(c for c in specification.chunnels if c.name == "udp" and c.transport is not None)
    return Instance("udp", udp, (("port", Const(0, U16)),))
