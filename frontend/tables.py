"""Arguments that are tables: lists, prefixes, ranges, and the Maglev ring that is computed from a list."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from bertha_ir.diagnostics import Label
from bertha_ir.expr import Const
from bertha_ir.frontend import ast
from bertha_ir.frontend.arguments import constant, field_of, in_table, message_of, parameter_of, secret_of, wrong
from bertha_ir.frontend.codes import CH065OutOfBounds, CH066OverlappingRanges, CH067BadRing, CH068RepeatedEndpoint
from bertha_ir.frontend.suggest import shorten, shown
from bertha_ir.primitives import maglev
from bertha_ir.spec import ListArgument, PrefixesArgument, RangesArgument
from bertha_ir.types import (
    ENDPOINT,
    Bits,
    FieldType,
    ListType,
    MessageType,
    PrefixesType,
    RangesType,
    SecretType,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertha_ir.frontend import tree
    from bertha_ir.frontend.names import Names
    from bertha_ir.source import Span
    from bertha_ir.spec import Argument
    from bertha_ir.types import ParameterType

_IPV4 = 32
MAX_RING = 65537


def argument_of(  # noqa: PLR0911  (one row a kind of parameter)
    node: ast.Expression, type_: ParameterType, siblings: Mapping[str, ast.Expression], names: Names
) -> Argument | None:
    """Return the argument for a parameter of this type; `siblings` are what the other parameters are given."""
    if isinstance(node, ast.Name) and node.text in names.parameters:
        return parameter_of(node, type_, names)
    match type_:
        case ListType():
            return list_of(node, type_, siblings, names)
        case PrefixesType():
            return prefixes_of(node, type_, names)
        case RangesType():
            return ranges_of(node, type_, names)
        case SecretType():
            return secret_of(node, type_, names)
        case FieldType():
            return field_of(node, names)
        case MessageType():
            return message_of(node, names)
        case _:
            return constant(node, type_, names)


def default_of(node: tree.Parameter, type_: ParameterType | None, names: Names) -> Argument | None:
    """Return a parameter's default. A ring is computed from another argument, so that it is known only in a use."""
    ring = isinstance(node.default, ast.Call) and node.default.function.text == "maglev"
    if node.default is None or type_ is None or ring:
        return None
    return argument_of(node.default, type_, {}, names)


def list_of(
    node: ast.Expression, type_: ListType, siblings: Mapping[str, ast.Expression], names: Names
) -> ListArgument | None:
    """Return the elements of `[a, b]`, or of `maglev(list, size)` over another argument."""
    if isinstance(node, ast.Call) and node.function.text == "maglev":
        return _ring(node, type_, siblings, names)
    if not isinstance(node, ast.Listing):
        wrong(node, f"a list `[…]` of type {type_.element}", names)
        return None
    elements = [constant(item, type_.element, names) for item in node.items]
    known = tuple(e for e in elements if e is not None)
    if not _bounded(node, len(elements), type_.low, type_.high, names) or len(known) < len(elements):
        return None
    _check_repeated(node.items, known, names)
    return ListArgument(known)


def _check_repeated(items: Sequence[ast.Expression], elements: Sequence[Const], names: Names) -> None:
    """Report an endpoint that is in a list twice. Other elements may be repeated: they may be weights."""
    first: dict[Const, ast.Expression] = {}
    for item, element in zip(items, elements, strict=True):
        before = first.setdefault(element, item)
        if before is not item and element.type == ENDPOINT:
            message = f"`{shown(item)}` is in the list already"
            labels = (Label(before.span, "the same endpoint"),)
            names.collector.add(CH068RepeatedEndpoint, message, item.span, "correct it, or leave it out", labels)


def prefixes_of(node: ast.Expression, type_: PrefixesType, names: Names) -> PrefixesArgument | None:
    """Return the prefixes of `[10.0.0.0/8, 10.1.2.3]`; an address alone is a prefix of all its bits."""
    if not isinstance(node, ast.Listing) or type_.element.width != _IPV4:
        wrong(node, "a list of IPv4 prefixes: `[10.0.0.0/8, …]`", names)
        return None
    found = []
    for item in node.items:
        match item:
            case ast.Prefix(value, length):
                found.append((value, length))
            case ast.Fixed(value, width) if width == _IPV4:
                found.append((value, width))
            case _ if not in_table(item, names):
                wrong(item, "an IPv4 prefix such as `10.0.0.0/8`", names)
    whole = _bounded(node, len(node.items), 0, type_.limit, names) and len(found) == len(node.items)
    return PrefixesArgument(tuple(dict.fromkeys(found))) if whole else None


def ranges_of(node: ast.Expression, type_: RangesType, names: Names) -> RangesArgument | None:
    """Return the rows of `["A".."M" -> low, 32 -> other]`, ascending."""
    if not isinstance(node, ast.Listing):
        wrong(node, f"a list of ranges: `[low..high -> {type_.value}, …]`", names)
        return None
    rows: list[tuple[int, int, Const, Span]] = []
    for item in node.items:
        if not isinstance(item, ast.RangeRow):
            wrong(item, f"a range: `low..high -> {type_.value}`", names)
            continue
        low, high = (constant(n, type_.key, names) for n in (item.low, item.high or item.low))
        value = constant(item.value, type_.value, names)
        if low and high and value and isinstance(low.value, int) and isinstance(high.value, int):
            rows.append((low.value, high.value, value, item.span))
    rows.sort(key=lambda row: row[:2])
    whole = _bounded(node, len(node.items), 0, type_.limit, names) and len(rows) == len(node.items)
    disjoint = _disjoint(rows, names)
    return RangesArgument(tuple(row[:3] for row in rows)) if whole and disjoint else None


def _disjoint(rows: list[tuple[int, int, Const, Span]], names: Names) -> bool:
    good = True
    for low, high, _, span in rows:
        if low > high:
            good = False
            names.collector.add(
                CH066OverlappingRanges, f"`{shorten(span.text)}` is upside down", span, "write the low end first"
            )
    for (_, high, _, first), (low, _, _, second) in pairwise(rows):
        if low <= high:
            good = False
            message, label = f"`{shorten(second.text)}` overlaps another range", Label(first, "the other range")
            names.collector.add(CH066OverlappingRanges, message, second, "make them disjoint", (label,))
    return good


def _bounded(node: ast.Expression, count: int, low: int, high: int, names: Names) -> bool:
    if low <= count <= high:
        return True
    message = f"{count} entries are given, and the parameter takes {low} to {high}"
    names.collector.add(CH065OutOfBounds, message, node.span, "change the list, or the bound where it is declared")
    return False


def _ring(node: ast.Call, type_: ListType, siblings: Mapping[str, ast.Expression], names: Names) -> ListArgument | None:
    match node.arguments:
        case (ast.Argument(None, ast.Name(of)), ast.Argument(None, ast.Number(size))) if of in siblings:
            listing = siblings[of]
        case (ast.Argument(None, ast.Listing() as listing), ast.Argument(None, ast.Number(size))):
            pass
        case _:
            message, hint = "a ring is computed from a list and a size", "write `maglev(backends, 1021)`"
            names.collector.add(CH067BadRing, message, node.span, hint)
            return None
    count = len(listing.items) if isinstance(listing, ast.Listing) else 0
    element = type_.element
    if not count:
        return None  # the list's own error says why
    if not isinstance(element, Bits) or count > 1 << element.width:
        message = f"the numbers of {count} elements do not fit {element}"
        names.collector.add(CH067BadRing, message, node.span, "give the ring a wider element")
        return None
    if size > min(type_.high, MAX_RING) or size <= count or not _is_prime(size):
        hint = f"give a prime above {count} and at most {min(type_.high, MAX_RING)}, such as 251 or 1021"
        names.collector.add(CH067BadRing, f"a ring cannot have {size} rows", node.span, hint)
        return None
    return _rows(count, size, element)


@lru_cache(maxsize=16)
def _rows(count: int, size: int, element: Bits) -> ListArgument:
    return ListArgument(tuple(Const(row, element) for row in maglev(count, size)))


def _is_prime(number: int) -> bool:
    """Trial division: a ring's size is at most 65537."""
    return number > 1 and all(number % d for d in range(2, int(number**0.5) + 1))
