"""Typing of what is assigned, added to, stored and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.frontend import ast, calls, operators
from bertha_ir.frontend.codes import CH035BadOperand, CH037NotAssignable, CH041CannotFail
from bertha_ir.frontend.suggest import shown
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.types import Bits, MapType, Type

if TYPE_CHECKING:
    from bertha_ir.frontend.body import Body


def assign(body: Body, node: ast.Assign) -> s.Stmt | None:
    """`target = value;`: into the message, a local or a state."""
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


def attempt(body: Body, node: ast.Assign, failed: s.Body) -> s.Stmt | None:
    """`target = call(…) else { … }`."""
    function = node.value.function.text if isinstance(node.value, ast.Call) else ""
    if not isinstance(node.value, ast.Call) or (function in PRIMITIVES and not PRIMITIVES[function].fallible):
        message = f"`{shown(node.value)}` cannot fail"
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


def augment(body: Body, node: ast.Augment) -> s.Stmt | None:
    """`target += value;`: adding to a state is one step, which no other packet comes between."""
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
        case e.Field(header) if header in body.popped:
            message = f"`{header}` was taken off the message"
            body.report(CH037NotAssignable, message, node.span, f"push a new one: `push {header} {{ … }}`")
            return None
        case e.Field(header, name):
            field = body.names.field(header, name)
            if field is not None and field.rule is not None:
                hint = "lengths, checksums and constants are kept right by the compiler"
                body.report(CH037NotAssignable, f"the layout decides what `{header}.{name}` holds", node.span, hint)
                return None
            return typed
        case e.Local() | e.ParamField() | e.Address() | e.Payload() | e.Value() | e.Part(e.Address()):
            return typed
    hint = "assign to a field, `m.src`, `m.dst`, `m.payload`, a local or a state"
    body.report(CH037NotAssignable, f"`{shown(node)}` cannot be assigned to", node.span, hint)
    return None


def delete(body: Body, node: ast.Delete) -> s.Stmt | None:
    """`delete map[key];`."""
    name = _state_name(node.target)
    state = body.signature.states.get(name)
    if isinstance(node.target, ast.Index) and (isinstance(state, MapType) or name in body.signature.states):
        key = body.want(node.target.index, state.key if isinstance(state, MapType) else None)
        return s.Delete(name, (key,), node.span) if key and isinstance(state, MapType) else None
    message = f"`{shown(node.target)}` is no entry of a map"
    body.report(CH037NotAssignable, message, node.target.span, "write `delete map[key];`")
    return None
