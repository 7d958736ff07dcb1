"""`select` in a stack: every way through its branches is a stack of its own."""

from __future__ import annotations

from itertools import islice, product
from math import prod
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.frontend import tree
from bertha_ir.frontend.codes import CH073BadPreference, CH090TooManyAlternatives
from bertha_ir.frontend.suggest import nearest_or_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertha_ir.diagnostics import Collector

MAX_ALTERNATIVES = 8


@frozen
class Way:
    """A way through the selects of a direction. `branches`: the branch taken of each, as text; `rank`: how many of them
    are not the one that is preferred; `stages`: the direction's, without selects.
    """

    direction: tree.Direction
    branches: tuple[str, ...]
    rank: int
    stages: tuple[tree.Use | tree.Fork, ...]

    @property
    def uses(self) -> tuple[tree.Use, ...]:
        """The uses on this way."""
        return tuple(use for stage in self.stages for use in tree.uses_of(stage))


def alternatives(
    stack: tree.Stack, directions: Sequence[tree.Direction], collector: Collector
) -> tuple[tuple[Way, ...], ...]:
    """Return the ways through a stack, one for each of its directions, those of the least rank first, else in the order
    of the text. Of more than `MAX_ALTERNATIVES`, which are reported, the first.
    """
    count = prod(len(stage.branches) for d in directions for stage in d.stages if isinstance(stage, tree.Select))
    if count > MAX_ALTERNATIVES:
        message = f"the selects of `{stack.name.text}` have {count} ways through them, and {MAX_ALTERNATIVES} may be"
        hint = "each of them is planned: split the stack, or leave branches out"
        collector.add(CH090TooManyAlternatives, message, stack.name.span, hint)
    rows = product(*(_ways(direction, collector) for direction in directions))
    return tuple(sorted(islice(rows, MAX_ALTERNATIVES), key=lambda row: sum(way.rank for way in row)))


def _ways(direction: tree.Direction, collector: Collector) -> tuple[Way, ...]:
    """Return the ways through a direction, at most one more than there may be."""
    return tuple(islice(_all_ways(direction, collector), MAX_ALTERNATIVES + 1))


def _all_ways(direction: tree.Direction, collector: Collector) -> Iterator[Way]:
    selects = [stage for stage in direction.stages if isinstance(stage, tree.Select)]
    preferred = [_preferred(select, collector) for select in selects]
    for row in product(*(range(len(select.branches)) for select in selects)):
        taken = [select.branches[at] for select, at in zip(selects, row, strict=True)]
        branches = tuple(f"{direction.name.text}: {_text(branch)}" for branch in taken)
        rank = sum(best is not None and at != best for at, best in zip(row, preferred, strict=True))
        left = iter(taken)
        stages = (next(left) if isinstance(s, tree.Select) else (s,) for s in direction.stages)
        yield Way(direction, branches, rank, tuple(stage for part in stages for stage in part))


def _preferred(select: tree.Select, collector: Collector) -> int | None:
    """Return the number of the branch that is preferred: the one that begins with the chunnel."""
    if select.prefer is None:
        return None
    begins = [branch[0].chunnel.text if branch else "none" for branch in select.branches]
    word = select.prefer
    if begins.count(word.text) == 1:
        return begins.index(word.text)
    if word.text in begins:
        message, hint = f"more than one branch begins with `{word.text}`", "prefer a word that one branch begins with"
    else:
        message, hint = f"no branch begins with `{word.text}`", nearest_or_all(word.text, sorted(set(begins)), "word")
    collector.add(CH073BadPreference, message, word.span, hint)
    return None


def _text(branch: tuple[tree.Use, ...]) -> str:
    if not branch:
        return "none"
    text = branch[0].span.source.text[branch[0].span.start : branch[-1].span.end]
    return " ".join(text.split())
