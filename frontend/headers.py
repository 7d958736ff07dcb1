"""Typing of headers that a body pushes and pops, and where their fields may be read."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.frontend import ast
from bertha_ir.frontend.codes import CH012UnknownName, CH026BadRule, CH035BadOperand, CH045GoesOn
from bertha_ir.frontend.names import duplicate
from bertha_ir.frontend.suggest import nearest_or_all
from bertha_ir.message import Fixed
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertha_ir.frontend.body import Body
    from bertha_ir.message import Message


def own_headers(statements: Iterable[ast.Statement]) -> frozenset[str]:
    """Return the headers that statements push or pop: they are there only behind that statement."""
    found: set[str] = set()
    todo = list(statements)
    while todo:
        match todo.pop():
            case ast.Push(header):
                found.add(header.text)
            case ast.Pop(header, otherwise):
                found.add(header.text)
                todo += otherwise
            case ast.If(_, then, otherwise):
                todo += (*then, *otherwise)
            case ast.Assign(_, _, tuple() as otherwise):
                todo += otherwise
            case ast.Repeat(_, body) | ast.ForEach(_, _, _, body):
                todo += body
    return frozenset(found)


def pop(body: Body, node: ast.Pop, otherwise: s.Body) -> s.Stmt | None:
    """`pop header else { … }`: behind it the header is there, so the other branch must not get there."""
    if node.otherwise and not _ends(node.otherwise):
        hint = "end it with `drop;` or `bounce;`"
        body.report(CH045GoesOn, f"the body goes on without `{node.header.text}`", node.otherwise[-1].span, hint)
    elif not node.otherwise:
        hint = "write `else drop;`"
        body.report(CH045GoesOn, f"the body goes on without `{node.header.text}`", node.span, hint)
    layout = _header(body, node.header)
    body.present |= {node.header.text}
    body.popped |= {node.header.text}
    return s.Pop(node.header.text, otherwise, node.span) if layout else None


def _ends(statements: tuple[ast.Statement, ...]) -> bool:
    """Whether every way through the statements ends the body."""
    match statements[-1:]:
        case (ast.Drop() | ast.Bounce(),):
            return True
        case (ast.If(_, then, otherwise),):
            return _ends(then) and _ends(otherwise)
        case _:
            return False


def _header(body: Body, name: ast.Name) -> Message | None:
    if name.text not in body.names.messages:
        hint = nearest_or_all(name.text, body.names.messages, "message")
        body.report(CH012UnknownName, f"no message is called `{name.text}`", name.span, hint)
        return None
    layout = body.names.layouts.get(name.text)
    if layout is not None and layout.has_tail:
        message = f"`{name.text}` has a variable tail"
        body.report(CH035BadOperand, message, name.span, "push and pop headers of a fixed size")
        return None
    return layout


def demanded(body: Body, node: s.Stmt | None) -> tuple[s.If, ...]:
    """Return what follows a pop: the other branch, for a header that does not hold what its layout demands. What that
    sends is the message as it was.
    """
    layout = body.names.layouts.get(node.header) if isinstance(node, s.Pop) else None
    if layout is None or not isinstance(node, s.Pop):
        return ()
    fields = {f.name: e.Field(layout.name, f.name, f.type, node.span) for f in layout.fields}
    broken = [e.Binary("!=", fields[name], value, node.span) for name, value in _fixed(layout)]
    if not broken:
        return ()
    seen = any(isinstance(n, s.Bounce | s.Clone | e.Payload) for n in walk(node.otherwise))
    back = (s.Push(layout.name, tuple(fields.items()), node.span),) if seen else ()
    condition = reduce(lambda a, b: e.Binary("or", a, b, node.span), broken[1:], broken[0])
    return (s.If(condition, (*back, *node.otherwise), span=node.span),)


def _fixed(layout: Message) -> tuple[tuple[str, e.Const], ...]:
    return tuple((f.name, e.Const(f.rule.value, f.type)) for f in layout.fields if isinstance(f.rule, Fixed))


def push(body: Body, node: ast.Push) -> s.Stmt | None:
    """`push header { field = value }`."""
    layout = _header(body, node.header)
    fields, first = [], dict[str, ast.Name]()
    for name, value in node.fields:
        duplicate(name, first.get(name.text), "field", body.names.collector)
        first.setdefault(name.text, name)
        field = body.names.field(layout.name, name.text) if layout else None
        if layout and field is None:
            hint = nearest_or_all(name.text, (f.name for f in layout.fields), "field")
            body.report(CH012UnknownName, f"`{layout.name}` has no field `{name.text}`", name.span, hint)
        if field and field.rule is not None:
            hint = "leave it out: it is filled in"
            body.report(CH026BadRule, f"the layout decides what `{name.text}` holds", name.span, hint)
        typed = body.want(value, field.type) if field else None
        if typed is not None:
            fields.append((name.text, typed))
    body.present |= {node.header.text}
    body.popped -= {node.header.text}
    if layout is None or len(fields) != len(node.fields):
        return None
    return s.Push(node.header.text, (*_fixed(layout), *fields), node.span)
