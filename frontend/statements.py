"""Typing of statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.frontend import access, ast, calls, operators
from bertha_ir.frontend.codes import (
    CH011Duplicate,
    CH012UnknownName,
    CH026BadRule,
    CH035BadOperand,
    CH037NotAssignable,
    CH041CannotFail,
    CH043NoMessage,
    CH044BadRepeat,
)
from bertha_ir.frontend.names import check_name, duplicate
from bertha_ir.frontend.suggest import nearest_or_all
from bertha_ir.frontend.types import TypeReader
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.types import BYTES, ENDPOINT, Bits, MapType, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bertha_ir.frontend.body import Body, Typer
    from bertha_ir.message import Message

MAX_REPEAT = 1024
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
    outside = dict(body.locals)
    typed = []
    for node in statements:
        statement = _statement(body, node)
        body.complete = body.complete and statement is not None
        if statement is not None:
            typed.append(statement)
    body.locals = outside
    return tuple(typed)


def _statement(body: Body, node: ast.Statement) -> s.Stmt | None:  # noqa: C901, PLR0911, PLR0912  (one row a node)
    if body.subject is None and isinstance(node, ast.Drop | ast.Bounce | ast.Reply | ast.Clone | ast.Push | ast.Pop):
        body.report(CH043NoMessage, "a timer has no message", node.span, "send one with `emit`")
        return None
    match node:
        case ast.Let():
            return _let(body, node)
        case ast.Assign():
            return _assign(body, node)
        case ast.Augment():
            return _augment(body, node)
        case ast.Delete():
            return _delete(body, node)
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
            return _push(body, node)
        case ast.Pop():
            otherwise = block(body, node.otherwise)
            return s.Pop(node.header.text, otherwise, node.span) if _header(body, node.header) else None


def bind(body: Body, name: ast.Name, type_: Type | None) -> e.Local | None:
    """Bring a local into sight, under a name that no other local of the body has."""
    check_name(name, body.names.collector)
    signature = body.signature
    if name.text in (*body.locals, *signature.parameters, *signature.states, body.subject):
        message = f"`{name.text}` already has a meaning here"
        body.report(
            CH011Duplicate, message, name.span, "choose another name; a local is changed with `=`, without `let`"
        )
    unique, number = name.text, 1
    while unique in body.taken:
        number += 1
        unique = f"{name.text}_{number}"
    body.taken.add(unique)
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


def _assign(body: Body, node: ast.Assign) -> s.Stmt | None:
    if node.otherwise is not None:
        return _attempt(body, node, node.otherwise)
    if state := _stored(body, node.target):
        keys, type_ = state
        value = body.want(node.value, type_)
        name = _state_name(node.target)
        return s.Store(name, keys, "set", (value,), node.span) if value and keys is not None else None
    target = _target(body, node.target)
    value = body.want(node.value, target.type if target else None) if target or not _loose(node.value) else None
    return s.Assign(target, value, node.span) if target and value else None


def _loose(node: ast.Expression) -> bool:
    """Whether typing the expression without a type to aim at would complain about that alone."""
    return operators.flexible(node) or isinstance(node, ast.OrElse)


def _attempt(body: Body, node: ast.Assign, otherwise: tuple[ast.Statement, ...]) -> s.Stmt | None:
    failed = block(body, otherwise)
    function = node.value.function.text if isinstance(node.value, ast.Call) else ""
    if not isinstance(node.value, ast.Call) or (function in PRIMITIVES and not PRIMITIVES[function].fallible):
        message = f"`{node.value.span.text}` cannot fail"
        body.report(CH041CannotFail, message, node.value.span, "remove the `else`")
        return None
    target = _target(body, node.target)
    value = calls.any_call(body, node.value, target.type if target else None)
    if target is None or value is None:
        return None
    if not body.fits(value.type, target.type):
        body.mismatch(node.value, value.type, target.type)
        return None
    return s.Attempt(target, value, failed, node.span)


def _augment(body: Body, node: ast.Augment) -> s.Stmt | None:
    if state := _stored(body, node.target):
        keys, type_ = state
        value = body.want(node.value, type_)
        if keys is None or value is None or type_ is None or not _integer(body, node, type_):
            return None
        name = _state_name(node.target)
        if node.op == "+":
            return s.Store(name, keys, "add", (value,), node.span)
        old = e.Get(name, keys[0] if keys else None, type_, node.target.span)
        return s.Store(name, keys, "set", (e.Binary(node.op, old, value, node.span),), node.span)
    target = _target(body, node.target)
    if target is None or not _integer(body, node, target.type):
        return None
    value = body.want(node.value, target.type)
    return s.Assign(target, e.Binary(node.op, target, value, node.span), node.span) if value else None


def _integer(body: Body, node: ast.Augment, type_: Type) -> bool:
    if isinstance(type_, Bits):
        return True
    body.report(CH035BadOperand, f"`{node.op}=` takes an integer, not {type_}", node.span, "assign with `=`")
    return False


def _state_name(node: ast.Expression) -> str:
    of = node.of if isinstance(node, ast.Index) else node
    return of.text if isinstance(of, ast.Name) else ""


def _stored(body: Body, node: ast.Expression) -> tuple[tuple[e.Expr, ...] | None, Type | None] | None:
    """Return the keys and the type of a state that is written, None when the target is no state.

    Inside, None stands for what is not known.
    """
    name = _state_name(node)
    if name not in body.signature.states or name in body.locals:
        return None
    type_ = body.signature.states[name]
    if isinstance(node, ast.Index):
        key = body.expr(node.index, type_.key) if isinstance(type_, MapType) else None
        if isinstance(type_, MapType):
            if key is not None and not body.fits(key.type, type_.key):
                body.mismatch(node.index, key.type, type_.key)
                key = None
            return ((key,) if key else None), type_.value
        if type_ is not None:
            body.report(CH035BadOperand, f"`{name}` has no elements", node.span, f"write `{name} = …`")
        return None if type_ is None else (None, None)
    if isinstance(type_, MapType):
        body.report(CH037NotAssignable, f"`{name}` is a whole map", node.span, f"write `{name}[key] = …`")
        return None, None
    return (), type_


def _target(body: Body, node: ast.Expression) -> s.Target | None:
    typed = body.expr(node)
    match typed:
        case None:
            return None
        case e.Field(header, name):
            if body.names.layouts[header].field(name).rule is not None:
                hint = "lengths, checksums and constants are kept right by the compiler"
                body.report(CH037NotAssignable, f"the layout decides what `{header}.{name}` holds", node.span, hint)
                return None
            return typed
        case e.Local() | e.ParamField() | e.Address() | e.Payload() | e.Value() | e.Part(e.Address()):
            return typed
    hint = "assign to a field, `m.src`, `m.dst`, `m.payload`, a local or a state"
    body.report(CH037NotAssignable, f"`{node.span.text}` cannot be assigned to", node.span, hint)
    return None


def _delete(body: Body, node: ast.Delete) -> s.Stmt | None:
    name = _state_name(node.target)
    state = body.signature.states.get(name)
    if isinstance(node.target, ast.Index) and (isinstance(state, MapType) or name in body.signature.states):
        key = body.want(node.target.index, state.key if isinstance(state, MapType) else None)
        return s.Delete(name, (key,), node.span) if key and isinstance(state, MapType) else None
    message = f"`{node.target.span.text}` is no entry of a map"
    body.report(CH037NotAssignable, message, node.target.span, "write `delete map[key];`")
    return None


def _repeat(body: Body, node: ast.Repeat) -> s.Stmt | None:
    inner = block(body, node.body)
    if not 1 <= node.count.value <= MAX_REPEAT:
        body.report(CH044BadRepeat, f"{node.count.value} rounds", node.count.span, f"write 1 to {MAX_REPEAT}")
        return None
    return s.Repeat(node.count.value, inner, node.span)


def _for_each(body: Body, node: ast.ForEach) -> s.Stmt | None:
    state = body.signature.states.get(node.state.text)
    if not isinstance(state, MapType) and (state is not None or node.state.text not in body.signature.states):
        message = f"no map of this chunnel is called `{node.state.text}`"
        hint = nearest_or_all(node.state.text, body.signature.states, "map")
        body.report(CH012UnknownName, message, node.state.span, hint)
    outside = dict(body.locals)
    key = bind(body, node.key, state.key if isinstance(state, MapType) else None)
    value = bind(body, node.value, state.value if isinstance(state, MapType) else None)
    inner = block(body, node.body)
    body.locals = outside
    return s.ForEach(node.state.text, key, value, inner, node.span) if key and value else None


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


def _push(body: Body, node: ast.Push) -> s.Stmt | None:
    layout = _header(body, node.header)
    fields, first = [], dict[str, ast.Name]()
    for name, value in node.fields:
        duplicate(name, first.get(name.text), "field", body.names.collector)
        first.setdefault(name.text, name)
        field = next((f for f in layout.fields if f.name == name.text), None) if layout else None
        if layout and field is None:
            hint = nearest_or_all(name.text, (f.name for f in layout.fields), "field")
            body.report(CH012UnknownName, f"`{layout.name}` has no field `{name.text}`", name.span, hint)
        if field and field.rule is not None:
            hint = "leave it out: it is filled in"
            body.report(CH026BadRule, f"the layout decides what `{name.text}` holds", name.span, hint)
        typed = body.want(value, field.type) if field else None
        if typed is not None:
            fields.append((name.text, typed))
    done = layout is not None and len(fields) == len(node.fields)
    return s.Push(node.header.text, tuple(fields), node.span) if done else None
