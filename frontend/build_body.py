"""From a rule's children to a node of the syntax tree: types, expressions, statements.

A maker takes the place of the rule and its children, which are already nodes (see `syntax`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bertha_ir.frontend import ast

if TYPE_CHECKING:
    from bertha_ir.source import Span

Maker = Callable[["Span", list[Any]], Any]


def node(cls: Callable[..., Any]) -> Maker:
    """Return the maker of a node whose fields are the rule's children."""
    return lambda span, children: cls(*children, span)


def only(_: Span, children: list[Any]) -> Any:  # noqa: ANN401  (any node)
    """The rule stands for its only child."""
    return children[0]


def together(_: Span, children: list[Any]) -> tuple[Any, ...]:
    """The rule is a sequence."""
    return tuple(children)


def pair(_: Span, children: list[Any]) -> tuple[Any, Any]:
    """The rule is a pair."""
    return children[0], children[1]


def type_(span: Span, children: list[Any]) -> ast.Type:
    """`name [inner -> second ; bound]`."""
    name, inner, second, bound = children
    size = inner.value if isinstance(inner, ast.Number) else None
    return ast.Type(name.text, span, None if isinstance(inner, ast.Number) else inner, size, second, bound)


def type_of(span: Span, children: list[Any]) -> ast.TypeOf | ast.Type:
    """`type(by)`; any other word in front is an unknown type."""
    word, parameter = children
    return ast.TypeOf(parameter, span) if word.text == "type" else ast.Type(f"{word.text}(…)", span)


def bound(_: Span, children: list[Any]) -> tuple[int | None, int]:
    """`; n` or `; low..high`."""
    first, second = children
    return (None, first.value) if second is None else (first.value, second.value)


def binary(span: Span, children: list[Any]) -> ast.Binary:
    """`left op right`."""
    left, op, right = children
    return ast.Binary({"&&": "and", "||": "or"}.get(op, op), left, right, span)


def call(span: Span, children: list[Any]) -> ast.Call:
    """`function(arguments)`."""
    return ast.Call(children[0], children[1] or (), span)


def block_of(statement: Any) -> tuple[ast.Statement, ...]:  # noqa: ANN401  (a block or `drop;`)
    """Return what stands behind `else` as a block."""
    return statement if isinstance(statement, tuple) else (statement,)


def let(span: Span, children: list[Any]) -> ast.Let:
    """`let name: type = value else …;`."""
    name, type_, value, *otherwise = children
    return ast.Let(name, type_, value, block_of(otherwise[0]) if otherwise else None, span)


def assign(span: Span, children: list[Any]) -> ast.Assign:
    """`target = value else …;`."""
    target, value, *otherwise = children
    return ast.Assign(target, value, block_of(otherwise[0]) if otherwise else None, span)


def if_(span: Span, children: list[Any]) -> ast.If:
    """`if condition { … } else { … }`, where the second may itself be an `if`."""
    condition, then, otherwise = children
    return ast.If(condition, then, block_of(otherwise or ()), span)


def for_each(span: Span, children: list[Any]) -> ast.ForEach:
    """`for (key, value) in state { … }`."""
    key, value, _, state, body = children
    return ast.ForEach(key, value, state, body, span)


def push(span: Span, children: list[Any]) -> ast.Push:
    """`push header { field = value }`."""
    return ast.Push(children[0], tuple(c for c in children[1:] if c), span)


MAKERS: dict[str, Maker] = {
    "type": type_,
    "type_of": type_of,
    "bound": bound,
    "name": only,
    "literal": only,
    "truth": only,
    "prefix": only,
    "member": node(ast.Member),
    "index": node(ast.Index),
    "call": call,
    "arguments": together,
    "argument": node(ast.Argument),
    "unary": node(ast.Unary),
    "binary": binary,
    "cast": node(ast.Cast),
    "choose": node(ast.Choose),
    "or_else": node(ast.OrElse),
    "range_row": node(ast.RangeRow),
    "list": lambda span, children: ast.Listing(tuple(c for c in children if c), span),
    "block": together,
    "let": let,
    "assign": assign,
    "augment": lambda span, children: ast.Augment(children[0], children[1][:-1], children[2], span),
    "delete": node(ast.Delete),
    "if_": if_,
    "repeat": node(ast.Repeat),
    "for_each": for_each,
    "drop": node(ast.Drop),
    "bounce": node(ast.Bounce),
    "reply": node(ast.Reply),
    "emit": node(ast.Emit),
    "clone": node(ast.Clone),
    "push": push,
    "pushed": pair,
    "pop": lambda span, children: ast.Pop(children[0], block_of(children[1]), span),
}
