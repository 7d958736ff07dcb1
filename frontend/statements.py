"""Typing of statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.frontend import access, ast, calls, headers, operators, targets
from bertha_ir.frontend.codes import (
    CH011Duplicate,
    CH012UnknownName,
    CH041CannotFail,
    CH043NoMessage,
    CH044BadRepeat,
)
from bertha_ir.frontend.names import check_name
from bertha_ir.frontend.suggest import nearest_or_all
from bertha_ir.frontend.types import TypeReader
from bertha_ir.types import BYTES, ENDPOINT, MapType, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bertha_ir.frontend.body import Body, Typer

MAX_REPEAT = 1024
MAX_ROUNDS = 65536
TYPERS: Mapping[type, Typer] = {
    ast.Number: operators.number,
    ast.Text: operators.text,
    ast.Truth: operators.truth,
    ast.Fixed: operators.fixed,
    ast.EndpointLiteral: operators.endpoint,
    ast.Prefix: operators.no_value,
    ast.Listing: operators.no_value,
    ast.RangeRow: operators.no_value,
    ast.Binary: lambda body, node, expected: (access.contains if node.op == "in" else operators.binary)(
        body, node, expected
    ),
    ast.Unary: operators.unary,
    ast.Cast: operators.convert,
    ast.Choose: operators.choose,
    ast.Name: access.name,
    ast.Member: access.member,
    ast.Index: access.index,
    ast.OrElse: access.or_else,
    ast.Call: calls.call,
}


def block(body: Body, statements: Iterable[ast.Statement]) -> s.Body:
    """Return a typed block; its locals are out of sight behind it. What cannot be typed makes `body` incomplete."""
    outside, present, popped = len(body.locals), body.present, body.popped
    typed = []
    for node in statements:
        statement = _statement(body, node)
        body.complete = body.complete and statement is not None
        if statement is not None:
            typed += [statement, *headers.demanded(body, statement)]
    _forget(body, outside)
    body.present, body.popped = present, popped
    return tuple(typed)


def _statement(body: Body, node: ast.Statement) -> s.Stmt | None:  # noqa: C901, PLR0911, PLR0912  (one row a node)
    if body.subject is None and isinstance(node, ast.Drop | ast.Bounce | ast.Reply | ast.Clone | ast.Push | ast.Pop):
        body.report(CH043NoMessage, "a timer has no message", node.span, "send one with `emit`")
        return None
    match node:
        case ast.Let():
            return _let(body, node)
        case ast.Assign():
            if node.otherwise is not None:
                return targets.attempt(body, node, block(body, node.otherwise))
            return targets.assign(body, node)
        case ast.Augment():
            return targets.augment(body, node)
        case ast.Delete():
            return targets.delete(body, node)
        case ast.If():
            condition = operators.condition(body, node.condition)
            then, otherwise = block(body, node.then), block(body, node.otherwise)
            return s.If(condition, then, otherwise, node.span) if condition else None
        case ast.Repeat():
            return _repeat(body, node)
        case ast.ForEach():
            return _for_each(body, node)
        case ast.Drop():
            return s.Drop(node.span)
        case ast.Bounce():
            return s.Bounce(node.span)
        case ast.Reply():
            payload = body.want(node.payload, BYTES)
            return s.Reply(payload, node.span) if payload else None
        case ast.Emit():
            payload = body.want(node.payload, BYTES)
            return s.Emit(payload, node.span) if payload else None
        case ast.Clone():
            to = body.want(node.to, ENDPOINT)
            return s.Clone(to, node.span) if to else None
        case ast.Push():
            return headers.push(body, node)
        case ast.Pop():
            return headers.pop(body, node, block(body, node.otherwise))


def _forget(body: Body, count: int) -> None:
    """Take the locals bound since there were `count` out of sight."""
    while len(body.locals) > count:
        body.locals.popitem()


def bind(body: Body, name: ast.Name, type_: Type | None) -> e.Local | None:
    """Bring a local into sight, under a name that no other local of the body has."""
    check_name(name, body.names.collector)
    signature = body.signature
    scopes = (body.locals, signature.parameters, signature.states)
    if name.text == body.subject or any(name.text in scope for scope in scopes):
        message = f"`{name.text}` already has a meaning here"
        body.report(
            CH011Duplicate, message, name.span, "choose another name; a local is changed with `=`, without `let`"
        )
    unique = name.text
    while unique in body.taken:
        body.taken[name.text] += 1
        unique = f"{name.text}_{body.taken[name.text]}"
    body.taken[unique] = 1
    body.locals[name.text] = local = e.Local(unique, type_, name.span) if type_ else None
    return local


def _let(body: Body, node: ast.Let) -> s.Stmt | None:
    wanted = TypeReader(body.names.collector, body.signature.fields).value(node.type) if node.type else None
    if node.otherwise is not None:
        hint = "bind it first, then assign with `else`"
        body.report(CH041CannotFail, "a `let` cannot fail", node.value.span, hint)
        block(body, node.otherwise)
    value = body.want(node.value, wanted) if node.type else body.expr(node.value)
    local = bind(body, node.name, wanted or (value.type if value else None))
    return s.Let(local.name, value, node.span) if local and value else None


def _repeat(body: Body, node: ast.Repeat) -> s.Stmt | None:
    outside, body.rounds = body.rounds, body.rounds * max(node.count.value, 1)
    total, inner = body.rounds, block(body, node.body)
    body.rounds = outside
    if total > MAX_ROUNDS and outside <= MAX_ROUNDS:
        message, hint = f"the loops run this {total} times in all", f"at most {MAX_ROUNDS} rounds are allowed"
        body.report(CH044BadRepeat, message, node.span, hint)
        return None
    if not 1 <= node.count.value <= MAX_REPEAT:
        body.report(
            CH044BadRepeat, f"`repeat` cannot run {node.count.value} times", node.count.span, f"write 1 to {MAX_REPEAT}"
        )
        return None
    return s.Repeat(node.count.value, inner, node.span)


def _for_each(body: Body, node: ast.ForEach) -> s.Stmt | None:
    state = body.signature.states.get(node.state.text)
    if not isinstance(state, MapType) and (state is not None or node.state.text not in body.signature.states):
        message = f"no map of this chunnel is called `{node.state.text}`"
        hint = nearest_or_all(node.state.text, body.signature.states, "map")
        body.report(CH012UnknownName, message, node.state.span, hint)
    outside = len(body.locals)
    key = bind(body, node.key, state.key if isinstance(state, MapType) else None)
    value = bind(body, node.value, state.value if isinstance(state, MapType) else None)
    inner = block(body, node.body)
    _forget(body, outside)
    return s.ForEach(node.state.text, key, value, inner, node.span) if key and value else None
