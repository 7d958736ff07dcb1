"""The reference meaning of expressions and statements. Everything else (proofs, backends) is checked against it.

Values are ints (Bits), bools, bytes, (ip, port) pairs (endpoints) and dicts of fields (records).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.packet import Packet, copied
from bertha_ir.interpreter.store import StateStore, find
from bertha_ir.primitives import PRIMITIVES, as_bytes
from bertha_ir.program import ADDRESS, Header, Table
from bertha_ir.runtime.primitives import PrimitiveError
from bertha_ir.types import Bits, Bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.message import Message

Value = Any


class EndBody(Exception):  # noqa: N818  (control flow, not an error)
    """The body ended with a verdict."""

    def __init__(self, verdict: str) -> None:
        super().__init__(verdict)
        self.verdict = verdict


@define
class Environment:
    """All that a body can see: the packet, locals, tables, state, and the inputs from outside.

    `inputs` gives the value of `now` (ns), `random` and `nonce` each time one is asked for. `sent` collects what the
    body made besides its message: ("reply" | "emit", payload) and ("clone", packet). `instead` has other
    implementations of primitives, for who wants to see what is left when one of them is replaced.
    """

    packet: Packet
    tables: Mapping[str, Table]
    states: StateStore
    inputs: Callable[[str], int]
    headers: Mapping[str, Header] = Factory(dict)
    messages: Mapping[str, Message] = Factory(dict)
    secrets: Mapping[str, bytes] = Factory(dict)
    locals: dict[str, Value] = Factory(dict)
    popped: dict[str, dict[str, int | bytes]] = Factory(dict)
    sent: list[tuple[str, Any]] = Factory(list)
    instead: Mapping[str, Callable[..., Any]] = Factory(dict)


def evaluate(node: e.Expr, env: Environment) -> Value:  # noqa: C901, PLR0911, PLR0912  (one row a node)
    """Return the value of an expression."""
    match node:
        case e.Const(value):
            return value
        case e.Local(name):
            return env.locals[name]
        case e.Field(header, name):
            if header in env.popped:
                return env.popped[header][name]
            return env.packet.read(header, name)
        case e.Secret(name):
            return env.secrets[name]
        case e.Address(which):
            return getattr(env.packet, which)
        case e.Part(of, part):
            return evaluate(of, env)[part == "port"]
        case e.MakeEndpoint(ip, port):
            return evaluate(ip, env), evaluate(port, env)
        case e.Payload():
            return bytes(env.packet.data)
        case e.Value():
            return env.packet.value
        case e.Unary(op, of):
            return _unary(op, evaluate(of, env), of)
        case e.Binary():
            return _binary(node, env)
        case e.Cast(of, type_):
            return _cast(evaluate(of, env), type_)
        case e.Choose(condition, yes, no):
            return evaluate(yes if evaluate(condition, env) else no, env)
        case e.Size(of):
            return len(evaluate(of, env))
        case e.Call():
            return _call(node, env)
        case e.Element(table, index):
            return _compose(find(env.tables[table], (evaluate(index, env),)))
        case e.Match(table, key, default):
            found = find(env.tables[table], _key(evaluate(key, env)))
            return evaluate(default, env) if found is None else _compose(found)
        case e.Contains(container, key):
            return _contains(container, _key(evaluate(key, env)), env)
        case e.Get(state, key, type_):
            row = env.states.get(state, () if key is None else _key(evaluate(key, env)))
            return _zero(type_) if row is None else _compose(row)
        case e.FrameSize():
            return len(env.packet.data)
        case e.HeaderOffset(header):
            return env.packet.at[header]
        case e.Parsed(header):
            return header in env.packet.at
        case e.Param() | e.ParamField() | e.Count():
            msg = f"{node} is left from before expansion"
            raise TypeError(msg)


def constant(node: e.Expr) -> Value:
    """Return the value of an expression that reads nothing from outside."""
    return evaluate(node, Environment(Packet(bytearray()), {}, StateStore({}), _no_input))


def _no_input(name: str) -> int:
    msg = f"`{name}` is no constant"
    raise LookupError(msg)


def execute(body: s.Body, env: Environment) -> None:
    """Run statements in order; `EndBody` when one of them ends the body."""
    for statement in body:
        _execute(statement, env)


def _execute(node: s.Stmt, env: Environment) -> None:  # noqa: C901, PLR0912  (one row a node)
    match node:
        case s.Let(name, value):
            env.locals[name] = evaluate(value, env)
        case s.Assign(target, value):
            _assign(target, evaluate(value, env), env)
        case s.Attempt(target, value, otherwise):
            try:
                result = evaluate(value, env)
            except PrimitiveError:
                execute(otherwise, env)
            else:
                _assign(target, result, env)
        case s.If(condition, then, otherwise):
            execute(then if evaluate(condition, env) else otherwise, env)
        case s.Repeat(count, body):
            for _ in range(count):
                execute(body, env)
        case s.ForEach(state, entry_key, entry_value, body):
            for key, row in tuple(env.states.rows[state].items()):
                env.locals[entry_key.name] = _compose(key)
                env.locals[entry_value.name] = _compose(row)
                execute(body, env)
        case s.Store(state, keys, mode, values):
            key = tuple(v for k in keys for v in _key(evaluate(k, env)))
            row = tuple(v for x in values for v in _key(evaluate(x, env)))
            (env.states.add if mode == "add" else env.states.set)(state, key, row)
        case s.Delete(state, keys):
            env.states.delete(state, tuple(v for k in keys for v in _key(evaluate(k, env))))
        case s.Drop():
            raise EndBody("drop")  # noqa: EM101  (a verdict, not a message)
        case s.Bounce():
            raise EndBody("bounce")  # noqa: EM101  (a verdict, not a message)
        case s.Reply(payload):
            env.sent.append(("reply", evaluate(payload, env)))
        case s.Emit(payload):
            env.sent.append(("emit", evaluate(payload, env)))
        case s.Clone(to):
            now = env.packet
            copy = Packet(bytearray(now.data), now.src, evaluate(to, env), outside=copied(now.outside))
            env.sent.append(("clone", copy))
        case s.Push():
            _push(node, env)
        case s.Pop():
            _pop(node, env)
        case s.Lookup():
            _lookup(node, env)
        case s.FixChecksum():
            _fix_checksum(node, env)


def _unary(op: str, value: Value, of: e.Expr) -> Value:
    if op == "not":
        return not value
    assert isinstance(of.type, Bits)  # noqa: S101  INVARIANT: checked when the node was built
    mask = (1 << of.type.width) - 1
    return (~value if op == "~" else -value) & mask


def _binary(node: e.Binary, env: Environment) -> Value:
    left = evaluate(node.left, env)
    if node.op in e.LOGIC:
        return evaluate(node.right, env) if left == (node.op == "and") else left
    right = evaluate(node.right, env)
    if node.op in e.EQUALITY:
        return (left == right) == (node.op == "==")
    if node.op in e.ORDER:
        return _ORDER[node.op](left, right)
    assert isinstance(node.left.type, Bits)  # noqa: S101  INVARIANT: checked when the node was built
    width = node.left.type.width
    if node.op in e.SHIFTS and right >= width:
        return 0
    return _ARITHMETIC[node.op](left, right) & ((1 << width) - 1)


_ORDER: dict[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b if b else 0,
    "%": lambda a, b: a % b if b else a,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
}


def _cast(value: Value, type_: Any) -> Value:  # noqa: ANN401
    if isinstance(type_, Bytes):
        return value if isinstance(value, bytes) else value.to_bytes(type_.size, "big")
    number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
    return number & ((1 << type_.width) - 1)


def _call(node: e.Call, env: Environment) -> Value:
    primitive = PRIMITIVES[node.primitive]
    if "input" in primitive.laws:
        return env.inputs(node.primitive)
    if node.primitive == "pack":
        return _pack(node.arguments[0], env)
    if node.primitive == "unpack":
        return _unpack(node, env)
    assert primitive.reference is not None  # noqa: S101  INVARIANT: the others were handled above
    values = [evaluate(a, env) for a in node.arguments]
    if "any" in primitive.arguments:
        values = [as_bytes(v, a.type) for v, a in zip(values, node.arguments, strict=True)]
    return env.instead.get(node.primitive, primitive.reference)(*values)


def _pack(argument: e.Expr, env: Environment) -> bytes:
    record = evaluate(argument, env)
    message = env.messages[argument.type.message]  # type: ignore[union-attr]  # a record, by the primitive's type
    view = Packet(bytearray(message.size))
    view.extract(env.headers[message.name], 0)
    for field in message.fixed_fields:
        view.write(message.name, field.name, record[field.name])
    return bytes(view.data) + (record[message.fields[-1].name] if message.has_tail else b"")


def _unpack(node: e.Call, env: Environment) -> dict[str, int | bytes]:
    data = evaluate(node.arguments[0], env)
    message = env.messages[node.type.message]  # type: ignore[union-attr]  # a record, by the primitive's type
    view = Packet(bytearray(data))
    exact = message.has_tail or len(data) == message.size
    if not exact or not view.extract(env.headers[message.name], 0):
        msg = f"not the size of a {message.name}"
        raise PrimitiveError(msg)
    record = {f.name: view.read(message.name, f.name) for f in message.fixed_fields}
    if message.has_tail:
        record[message.fields[-1].name] = data[message.size :]
    return record


def _key(value: Value) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _compose(row: tuple[Any, ...] | None) -> Value:
    assert row is not None  # noqa: S101  INVARIANT: an index is in range
    return row[0] if len(row) == 1 else row


def _zero(type_: Any) -> Value:  # noqa: ANN401
    match type_:
        case Bits():
            return 0
        case Bytes(size):
            return bytes(size or 0)
        case _:
            return (0, 0)


def _contains(container: str, key: tuple[Any, ...], env: Environment) -> bool:
    if container in env.states.declared:
        return env.states.get(container, key) is not None
    table = env.tables[container]
    if table.kind == "array":
        return any(entry.values == key for entry in table.entries)
    return find(table, key) is not None


def _assign(target: s.Target, value: Value, env: Environment) -> None:
    packet = env.packet
    match target:
        case e.Local(name):
            env.locals[name] = value
        case e.Field(header, name):
            packet.write(header, name, value)
        case e.Address(which):
            setattr(packet, which, value)
        case e.Part(e.Address(which), part):
            packet.write(ADDRESS, f"{which}_{part}", value)
        case e.Payload():
            packet.data[:] = value
        case e.Value():
            packet.value = value
        case _:
            msg = f"cannot assign to {target}"
            raise TypeError(msg)


def _push(node: s.Push, env: Environment) -> None:
    given = {field: evaluate(value, env) for field, value in node.fields}
    env.packet.push(env.headers[node.header], env.packet.end(node.behind))
    env.popped.pop(node.header, None)
    for field, value in given.items():
        env.packet.write(node.header, field, value)


def _pop(node: s.Pop, env: Environment) -> None:
    packet = env.packet
    if not packet.extract(env.headers[node.header], packet.end(node.behind)):
        execute(node.otherwise, env)
        return
    env.popped[node.header] = packet.pop(node.header)


def _lookup(node: s.Lookup, env: Environment) -> None:
    key = tuple(evaluate(k, env) for k in node.keys)
    in_state = node.container in env.states.declared
    row = env.states.get(node.container, key) if in_state else find(env.tables[node.container], key)
    if node.hit is not None:
        env.locals[node.hit] = row is not None
    values = row if row and node.into else (0,) * len(node.into)
    for local, value in zip(node.into, values, strict=True):
        env.locals[local.name] = value


def _fix_checksum(node: s.FixChecksum, env: Environment) -> None:
    field = node.checksum
    current = int(env.packet.read(field.header, field.name))
    if node.optional and current == 0:
        return
    assert isinstance(node.old.type, Bits)  # noqa: S101  INVARIANT: checked when the node was built
    result = update_checksum(current, evaluate(node.old, env), evaluate(node.new, env), node.old.type.width)
    env.packet.write(field.header, field.name, result or (0xFFFF if node.optional else 0))


def update_checksum(checksum: int, old: int, new: int, width: int) -> int:
    """Return an Internet checksum after a `width`-bit value (16 or 32) that it covers changed (RFC 1624, eqn. 3)."""
    total = ~checksum & 0xFFFF
    for shift in range(0, width, 16):
        total += (~(old >> shift) & 0xFFFF) + (new >> shift & 0xFFFF)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
