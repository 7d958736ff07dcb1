"""Walking and rewriting trees of IR nodes, whatever their class."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import evolve, fields, has

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator

    from attrs import AttrsInstance

    from bertha_ir.source import Span

T = TypeVar("T")


@cache
def _children(cls: Hashable) -> tuple[str, ...]:
    return tuple(a.name for a in fields(cast("type[AttrsInstance]", cls)) if a.eq and a.init)


def walk(node: object) -> Iterator[Any]:
    """Yield every node of a tree (a node or a tuple of nodes), parents first, in source order."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif has(type(node)):
        yield node
        for name in _children(cast("Hashable", type(node))):
            yield from walk(getattr(node, name))


def spanned(tree: object, span: Span | None, leaves: Collection[type] = ()) -> Iterator[tuple[Any, Span | None]]:
    """Yield every node of a tree with its place in the source: its own span, or that of the nearest node around it.

    Does not go below a node whose class is one of `leaves`.
    """
    if isinstance(tree, tuple):
        for item in tree:
            yield from spanned(item, span, leaves)
    elif has(type(tree)):
        span = getattr(tree, "span", None) or span
        yield tree, span
        if type(tree) not in leaves:
            for name in _children(cast("Hashable", type(tree))):
                yield from spanned(getattr(tree, name), span, leaves)


def transform(node: T, change: Callable[[Any], Any]) -> T:
    """Rebuild a tree bottom-up: `change` is given each node, its children already rebuilt, and returns its successor.

    Unchanged parts are shared with the old tree.
    """
    if isinstance(node, tuple):
        items = tuple(transform(item, change) for item in node)
        same = all(a is b for a, b in zip(items, node, strict=True))
        return node if same else items  # type: ignore[return-value]  # a tuple of the same kind
    if not has(type(node)):
        return node
    new = {}
    for name in _children(cast("Hashable", type(node))):
        old = getattr(node, name)
        child = transform(old, change)
        if child is not old:
            new[name] = child
    rebuilt = evolve(node, **new) if new else node  # type: ignore[misc]  # `has` said it is attrs
    return change(rebuilt)  # type: ignore[no-any-return]
