"""Workloads: what the traffic of a stack's directions is like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from bertha_ir.diagnostics import Label
from bertha_ir.frontend import facts, tree
from bertha_ir.frontend.codes import (
    CH011Duplicate,
    CH012UnknownName,
    CH072BadDirection,
    CH087BadFact,
    CH088NotInDirection,
)
from bertha_ir.frontend.names import Names, unknown
from bertha_ir.frontend.stacks import DIRECTIONS
from bertha_ir.frontend.suggest import counted, nearest_or_all, shown
from bertha_ir.source import Span
from bertha_ir.spec import Workload

if TYPE_CHECKING:
    from collections.abc import Collection

    from bertha_ir.frontend import ast

ALONE = "no file declares a stack; a workload goes with a specification: name its file, too"
ITEMS = {"size": "64..1500 mean 200", "rate": "200000 per second"}
SHARES = ("drops", "hits", "to")
MAX_EXPONENT = 10_000  # in thousandths; at 10, all but one of a thousand messages have the commonest value


def resolve_workloads(names: Names) -> tuple[Workload, ...]:
    """Return the workloads, at most one for each direction; what has an error is reported."""
    first: dict[tuple[str, str], Span] = {}
    found = []
    for node in names.workloads:
        stack, direction = node.stack, node.direction
        place = Span(stack.span.source, stack.span.start, direction.span.end)
        before = first.setdefault((stack.text, direction.text), place)
        if before is not place:
            message = f"`{stack.text}.{direction.text}` has a workload already"
            labels = (Label(before, "declared here"),)
            names.collector.add(CH011Duplicate, message, place, "write both into one", labels)
        found.append(_workload(node, place, names))
    return tuple(found)


def _workload(node: facts.Workload, place: Span, names: Names) -> Workload:
    known = _distinct(node.facts, names)
    used = _used(node, names)
    sizes = [_size(f, names) for f in known if isinstance(f, facts.Size) and _measures("size", f, names)]
    rates = [f.number.value for f in known if isinstance(f, facts.Rate) and _measures("rate", f, names)]
    for fact in (f for f in known if isinstance(f, facts.Share)):
        _check_share(fact, node, used, names)
    drops, hits, shrinks = (_shares(word, known, names) for word in SHARES)
    return Workload(
        node.stack.text,
        cast("Literal['request', 'response']", node.direction.text),
        sizes[0] if sizes else None,
        rates[0] if rates else None,
        drops,
        hits,
        shrinks,
        tuple(_skew(f, names) for f in known if isinstance(f, facts.Skew)),
        place,
    )


def _distinct(found: tuple[facts.Fact, ...], names: Names) -> tuple[facts.Fact, ...]:
    """Return the facts, of those that are repeated the first, and report the others."""
    first: dict[tuple[str, ...], facts.Fact] = {}
    for fact in found:
        match fact:
            case facts.Share(chunnel, word):
                key: tuple[str, ...] = ("share", chunnel.text, word.text)
            case facts.Skew(layout, name):
                key = ("skew", layout.text, name.text)
            case facts.Size(word) | facts.Rate(word):
                key = (word.text,)
        if first.setdefault(key, fact) is not fact:
            message = f"`{shown(fact)}` is the second of its kind"
            names.collector.add(CH087BadFact, message, fact.span, "remove one of the two")
    return tuple(first.values())


def _used(node: facts.Workload, names: Names) -> Collection[str] | None:
    """Return the chunnels of the direction; None when there is no such direction, which is reported."""
    stack, word = names.stacks.get(node.stack.text), node.direction
    if word.text not in DIRECTIONS:
        hint = nearest_or_all(word.text, DIRECTIONS, "direction")
        names.collector.add(CH072BadDirection, f"no direction is called `{word.text}`", word.span, hint)
    if stack is None:
        hint = nearest_or_all(node.stack.text, names.stacks, "stack") if names.stacks else ALONE
        names.collector.add(CH012UnknownName, f"no stack is called `{node.stack.text}`", node.stack.span, hint)
        return None
    directions = {i.name.text: i for i in stack.items if isinstance(i, tree.Direction)}
    if word.text in directions:
        return [u.chunnel.text for u in directions[word.text].uses]
    if word.text in DIRECTIONS:
        hint = nearest_or_all(word.text, directions, "direction")
        names.collector.add(CH072BadDirection, f"`{node.stack.text}` has no `{word.text}`", word.span, hint)
    return None


def _measures(what: str, fact: facts.Size | facts.Rate, names: Names) -> bool:
    """Whether the fact, of the form of a `size` or a `rate`, is one; each that is neither is reported, once."""
    word = fact.word
    if word.text not in ITEMS:
        unknown("item of a workload", word.text, word.span, ITEMS, names.collector)
    elif word.text != what:
        takes = ITEMS[word.text]
        message, hint = f"`{word.text}` takes a value such as `{takes}`", f"write `{word.text} {takes};`"
        names.collector.add(CH087BadFact, message, fact.span, hint)
    return word.text == what


def _size(fact: facts.Size, names: Names) -> tuple[int, int, int]:
    least = fact.least.value
    size = (least, fact.mean.value if fact.mean else least, fact.most.value if fact.most else least)
    if list(size) != sorted(size):
        message, hint = f"`{shown(fact)}` is upside down", "write the least, the most, and a mean between them"
        names.collector.add(CH087BadFact, message, fact.span, hint)
    return size


def _shares(word: str, known: tuple[facts.Fact, ...], names: Names) -> tuple[tuple[str, int], ...]:
    return tuple(
        (f.chunnel.text, _thousandths(f.percent, 10, 1000, "a share is from 0 to 100 %", names))
        for f in known
        if isinstance(f, facts.Share) and f.word.text == word
    )


def _check_share(fact: facts.Share, node: facts.Workload, used: Collection[str] | None, names: Names) -> None:
    name, collector = fact.chunnel, names.collector
    if fact.word.text not in SHARES:
        unknown("share", fact.word.text, fact.word.span, SHARES, collector)
    if name.text not in names.chunnels:
        unknown("chunnel", name.text, name.span, used or names.chunnels, collector)
    elif used is not None and name.text not in used:
        message = f"`{name.text}` is not in `{node.stack.text}.{node.direction.text}`"
        collector.add(CH088NotInDirection, message, name.span, nearest_or_all(name.text, used, "chunnel"))


def _skew(fact: facts.Skew, names: Names) -> tuple[str, str, int]:
    message, field = fact.message.text, fact.name.text
    if message not in names.messages:
        unknown("message", message, fact.message.span, names.messages, names.collector)
    elif (layout := names.layouts.get(message)) and not names.field(message, field):
        unknown(f"field of `{message}`", field, fact.name.span, (f.name for f in layout.fields), names.collector)
    bound = f"an exponent is from 0 to {MAX_EXPONENT // 1000}"
    return message, field, _thousandths(fact.exponent, 1000, MAX_EXPONENT, bound, names)


def _thousandths(node: ast.Number | ast.Decimal, factor: int, most: int, bound: str, names: Names) -> int:
    """Return the number times `factor`, which makes it thousandths; one that is not whole, or too much, is reported."""
    value = node.value * factor
    if value > most:
        names.collector.add(CH087BadFact, f"`{shown(node)}` is too much", node.span, bound)
    elif int(value) != value:
        hint = f"write at most {counted(len(str(factor)) - 1, 'digit')} behind the point"
        names.collector.add(CH087BadFact, f"`{shown(node)}` has too many digits", node.span, hint)
    return int(value)
