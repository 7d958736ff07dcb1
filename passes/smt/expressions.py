"""What an expression means, as a term: the same rows as in `bertha_ir/interpreter/evaluate.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3
from attrs import frozen

from bertha_ir import expr as e
from bertha_ir.passes.smt.context import all_of, any_of, bits, no, truth, variable, word, yes
from bertha_ir.passes.smt.path import BeyondProofError, MeaninglessError, Path, Value, World
from bertha_ir.passes.smt.terms import Lookup, Text, joined, text_of, text_of_bits
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.types import BOOL, BYTES, Bits, Bytes, EndpointType, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertha_ir.message import Message
    from bertha_ir.program import Entry, Table

SPELLED_ENTRIES = 64
"""A table with more entries than this is an uninterpreted function of its key."""


@frozen(eq=False)
class Evaluator:
    """Evaluates the expressions of one op's body."""

    world: World
    op: str
    tables: Mapping[str, Table]

    def value(self, node: e.Expr, path: Path) -> Value:  # noqa: C901, PLR0911, PLR0912  (one row a node)
        """Return the value of an expression at a point of a path. A read of state may change that state's history."""
        match node:
            case e.Const(value, type_):
                return constant(value, type_)
            case e.Local(name):
                return path.locals[name]
            case e.Param(name):
                return self.world.parameters[name]
            case e.Secret(name, type_):
                return self.world.secrets.setdefault(name, variable(f"secret {name}", width_of(type_)))
            case e.Field():
                return self.field(node, path)
            case e.Address(which):
                return getattr(path.packet, which)
            case e.Part(of, part):
                return self.value(of, path)[part == "port"]
            case e.MakeEndpoint(ip, port):
                return self.value(ip, path), self.value(port, path)
            case e.Payload():
                return path.packet.data
            case e.Value(message):
                if path.packet.value is None:
                    msg = f"`{message}` of a message that has only bytes"
                    raise MeaninglessError(msg)
                return path.packet.value
            case e.Unary(op, of):
                return _UNARY[op](self.value(of, path))
            case e.Binary():
                return self._binary(node, path)
            case e.Cast(of, type_):
                return _cast(self.value(of, path), width_of(type_))
            case e.Choose(condition, yes, no):
                decided = self.value(condition, path)
                return self._choose(decided, self._maybe(yes, path), self._maybe(no, path))
            case e.Size(of):
                found = self.value(of, path)
                return found.size() if isinstance(found, Text) else bits(found.size() // 8, 32)
            case e.Call():
                return self._call(node, path)
            case e.Element(table, index):
                return self._find(self.tables[table], (self.value(index, path),), node.type)[1]
            case e.Match(table, key, default):
                hit, found = self._find(self.tables[table], _flat(self.value(key, path)), node.type)
                return self._choose(hit, found, self._maybe(default, path))
            case e.Contains(container, key):
                return self._contains(container, _flat(self.value(key, path)), path)
            case e.Get(state, key, type_):
                return self._get(state, () if key is None else self.flat(self.value(key, path)), type_, path)
        raise BeyondProofError(type(node).__name__)

    def field(self, node: e.Field, path: Path) -> z3.BitVecRef:
        """Return a field of a header: of one taken off, of the network's, or of the message where it lies."""
        packet = path.packet
        if node.header in packet.popped:
            return packet.popped[node.header][node.name]
        if node.header in packet.outside and node.header not in packet.at:
            return packet.outside[node.header][node.name]
        return read_bits(packet.data, *self.place(node, path))

    def place(self, node: e.Field, path: Path) -> tuple[int, int]:
        """Return the first bit of a field in the message, and its width."""
        message = self.world.messages[node.header]
        if node.header not in path.packet.at:
            msg = "a field of a message whose bytes were taken off or replaced"
            raise BeyondProofError(msg)
        return 8 * path.packet.at[node.header] + message.bit_offset(node.name), width_of(message.field(node.name).type)

    def flat(self, value: Value) -> tuple[z3.ExprRef, ...]:
        """Return the components of a value that is stored."""
        return tuple(self.world.facts.term(v) if isinstance(v, Text) else v for v in _flat(value))

    def _binary(self, node: e.Binary, path: Path) -> Value:
        left = self.value(node.left, path)
        right = self._maybe(node.right, path) if node.op in e.LOGIC else self.value(node.right, path)
        match node.op:
            case "==":
                return self.same(left, right)
            case "!=":
                return z3.Not(self.same(left, right))
            case "and":
                return all_of(left, right)
            case "or":
                return any_of(left, right)
            case "<<" | ">>":
                return _shift(node.op, left, right)
        return _BINARY[node.op](left, right)

    def _maybe(self, node: e.Expr, path: Path) -> Value:
        """Return the value of an expression that is evaluated only sometimes, and so must leave state as it is, and
        take nothing from outside, which is told by how often it was asked.
        """
        before, draws = dict(path.memories), dict(path.draws)
        value = self.value(node, path)
        if path.draws != draws:
            msg = "whether an op asks for time or chance depends on a value"
            raise BeyondProofError(msg)
        if any(path.memories[name] is not memory for name, memory in before.items()):
            msg = "whether an entry of a map that evicts is read depends on a value"
            raise BeyondProofError(msg)
        return value

    def same(self, left: Value, right: Value) -> z3.BoolRef:
        """Return when two values of one type are equal."""
        match left, right:
            case (Text(), Text()):
                return left.same(right, self.world.facts)
            case (tuple(), tuple()):
                return all_of(*(a == b for a, b in zip(left, right, strict=True)))
            case (dict(), dict()):
                return all_of(*(self.same(left[name], right[name]) for name in left))
        return left == right

    def _choose(self, condition: z3.BoolRef, yes: Value, no: Value) -> Value:
        match yes, no:
            case (Text(), Text()):
                facts = self.world.facts
                return facts.opaque(z3.If(condition, facts.term(yes), facts.term(no)))
            case (tuple(), tuple()):
                return tuple(z3.If(condition, a, b) for a, b in zip(yes, no, strict=True))
            case (dict(), dict()):
                return {name: self._choose(condition, yes[name], no[name]) for name in yes}
        return z3.If(condition, yes, no)

    def _call(self, node: e.Call, path: Path) -> Value:
        primitive = PRIMITIVES[node.primitive]
        if "input" in primitive.laws:
            return self.world.drawn(path, self.op, node.primitive, width_of(node.type))
        values = self._given(node, path)
        if node.primitive == "pack":
            return pack(values[0], self.world.messages[node.arguments[0].type.message])  # type: ignore[union-attr]  # a record
        if isinstance(values[-1], Text):
            return self.world.facts.apply(node.primitive, tuple(values[:-1]), values[-1])
        whole = z3.ZeroExt(-values[0].size() % 8, values[0])
        return self.world.facts.digest(node.primitive, whole)

    def _given(self, node: e.Call, path: Path) -> list[Value]:
        """Return a call's arguments; bytes of a known size are a byte string where any size is taken."""
        pairs = zip(node.arguments, PRIMITIVES[node.primitive].arguments, strict=True)
        return [as_text(self.value(a, path)) if wanted == BYTES else self.value(a, path) for a, wanted in pairs]

    def attempt(self, node: e.Call, path: Path) -> tuple[z3.BoolRef, Value]:
        """Return when a call that may fail does not, and its value then."""
        values = self._given(node, path)
        if node.primitive == "unpack":
            return unpack(values[0], self.world.messages[node.type.message])  # type: ignore[union-attr]  # a record
        return self.world.facts.attempt(node.primitive, tuple(values[:-1]), values[-1])

    def _get(self, state: str, key: tuple[z3.ExprRef, ...], type_: Type, path: Path) -> Value:
        memory, there, row = path.memories[state].get(key, self.world.facts)
        path.memories[state] = memory
        if not row:
            msg = f"`{state}`, whose values no state can hold"
            raise MeaninglessError(msg)
        if isinstance(type_, EndpointType):
            return tuple(z3.If(there, part, bits(0, part.size())) for part in row)
        if type_ == Bytes():
            return self.world.facts.opaque(row[0])
        return z3.If(there, row[0], bits(0, row[0].size()))

    def _contains(self, container: str, key: tuple[z3.ExprRef, ...], path: Path) -> z3.BoolRef:
        if container in path.memories:
            memory, there, _ = path.memories[container].get(key, self.world.facts)
            path.memories[container] = memory
            return there
        table = self.tables[container]
        if table.kind == "array":
            rows = (all_of(*(k == v for k, v in zip(key, entry.values, strict=True))) for entry in table.entries)
            return any_of(*rows)
        return self._find(table, key, BOOL)[0]

    def _find(self, table: Table, key: tuple[z3.ExprRef, ...], type_: Type) -> tuple[z3.BoolRef, Value]:
        """Return whether a key hits a table, and the row that it hits."""
        widths = [v.width for v in table.values]
        if len(table.entries) > SPELLED_ENTRIES:
            given = joined(key)
            sort = given.sort()
            hit = z3.Function(f"{table.name}.hit", sort, truth())(given)
            row = [z3.Function(f"{table.name}.{i}", sort, word(w))(given) for i, w in enumerate(widths)]
            hit = yes() if table.kind == "array" else hit
            self.world.facts.lookups.append(Lookup(table, key, hit, tuple(row)))
        else:
            hit, row = no(), [bits(0, w) for w in widths]
            entries: Sequence[Entry] = table.entries[::-1]  # of those that match, the first has the last word
            if table.kind == "lpm":
                entries = sorted(entries, key=lambda x: x.match[1])
            for entry in entries:
                here = _hits(table, entry.match, key)
                hit = any_of(hit, here)
                row = [z3.If(here, bits(v, w), old) for v, w, old in zip(entry.values, widths, row, strict=True)]
        if not row:
            return hit, None
        return hit, tuple(row) if isinstance(type_, EndpointType) else row[0]


def width_of(type_: Type) -> int:
    """Return the bits of a value of a fixed width."""
    if isinstance(type_, Bits):
        return type_.width
    assert isinstance(type_, Bytes) and type_.size is not None, type_  # noqa: S101, PT018  INVARIANT: callers ask of such only
    return 8 * type_.size


def constant(value: e.Scalar, type_: Type) -> Value:
    """Return a literal as a term."""
    match value, type_:
        case bool(), _:
            return yes() if value else no()
        case (int(ip), int(port)), _:
            return bits(ip, 32), bits(port, 16)
        case bytes(), Bytes(None):
            return text_of(value)
        case bytes(), _:
            return bits(int.from_bytes(value, "big"), 8 * len(value))
    return bits(value, width_of(type_))  # type: ignore[arg-type]  # only an int is left


def as_text(value: Value) -> Text:
    """Return bytes of a known size, or of any, as a byte string."""
    return value if isinstance(value, Text) else text_of_bits(value)


def read_bits(data: Text, first: int, width: int) -> z3.BitVecRef:
    """Return the bits of a message from a bit offset, most significant first."""
    start, end = first // 8, (first + width + 7) // 8
    whole = joined([data.byte(i) for i in range(start, end)])
    low = 8 * end - first - width
    return whole if width == whole.size() else z3.simplify(z3.Extract(low + width - 1, low, whole))


def write_bits(data: Text, first: int, value: z3.BitVecRef) -> Text:
    """Return a message with some of its bits, from a bit offset on, replaced."""
    width = value.size()
    start, end = first // 8, (first + width + 7) // 8
    data = data.exposed(end)
    parts = [value]
    if first % 8:
        parts.insert(0, z3.Extract(7, 8 - first % 8, data.head[start]))
    if (first + width) % 8:
        parts.append(z3.Extract(8 * end - first - width - 1, 0, data.head[end - 1]))
    new = text_of_bits(joined(parts)).head
    return Text(data.head[:start] + new + data.head[end:], data.base, data.cut)


def pack(record: Mapping[str, Value], message: Message) -> Text:
    """Return a record as it lies on the wire."""
    fixed = joined([record[f.name] for f in message.fixed_fields])
    head = text_of_bits(fixed).head
    tail = record[message.fields[-1].name] if message.has_tail else Text()
    return Text(head + tail.head, tail.base, tail.cut)


def unpack(data: Text, message: Message) -> tuple[z3.BoolRef, dict[str, Value]]:
    """Return when bytes are a message, and its record then."""
    size = data.size()
    fits = z3.UGE(size, message.size) if message.has_tail else size == message.size
    if data.base is None and len(data.head) < message.size:
        return no(), {}
    record: dict[str, Value] = {
        f.name: read_bits(data, message.bit_offset(f.name), width_of(f.type)) for f in message.fixed_fields
    }
    if message.has_tail:
        record[message.fields[-1].name] = data.dropped(message.size)
    return fits, record


def _flat(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def _hits(table: Table, match: tuple[int, ...], key: tuple[z3.ExprRef, ...]) -> z3.BoolRef:
    first = key[0]
    match table.kind:
        case "range":
            return all_of(z3.ULE(match[0], first), z3.ULE(first, match[1]))
        case "lpm":
            prefix, length = match
            rest = first.size() - length
            return yes() if not length else z3.LShR(first, rest) == z3.LShR(bits(prefix, first.size()), rest)
    return all_of(*(k == v for k, v in zip(key, match, strict=True)))


def _cast(value: Value, width: int) -> z3.BitVecRef:
    if width > value.size():
        return z3.ZeroExt(width - value.size(), value)
    return value if width == value.size() else z3.Extract(width - 1, 0, value)


def _shift(op: str, value: z3.BitVecRef, by: z3.BitVecRef) -> z3.BitVecRef:
    """A shift by the width or more gives 0, whatever the width of the amount."""
    width = max(value.size(), by.size())
    wide, amount = _cast(value, width), _cast(by, width)
    return _cast(wide << amount if op == "<<" else z3.LShR(wide, amount), value.size())


_UNARY: dict[str, Callable[[Value], Value]] = {"not": z3.Not, "~": lambda a: ~a, "-": lambda a: -a}
_BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: z3.If(b == 0, bits(0, a.size()), z3.UDiv(a, b)),
    "%": lambda a, b: z3.If(b == 0, a, z3.URem(a, b)),
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<": z3.ULT,
    "<=": z3.ULE,
    ">": z3.UGT,
    ">=": z3.UGE,
}
