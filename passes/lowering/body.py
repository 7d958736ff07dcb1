"""Lowers the body of one op to the statements of a device program: words only, look-ups as statements, addresses as
the fields that hold them on this device, checksums kept right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, evolve

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.passes.lowering.room import pushed_at_once
from bertha_ir.passes.lowering.wire import fix_checksums, word_type
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.program import Entry, State, Table
from bertha_ir.types import BOOL, ENDPOINT, U16, U32, Bits, Bytes, Type, bit_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.passes.lowering.sight import Sight

Words = tuple[e.Expr, ...]


@define
class BodyLowering:
    """Lowers one op for one device. `sight` says how the device sees addresses, headers and checksums.

    `out` collects statements; `tables` the tables that the body turns out to need; `prefix` keeps the locals of
    different ops apart.
    """

    sight: Sight
    prefix: str
    tables: dict[str, Table]
    states: Mapping[str, State]
    out: list[s.Stmt] = Factory(list)
    used: dict[str, Table] = Factory(dict)
    _count: int = 0

    def body(self, body: s.Body) -> s.Body:
        """Return the lowered statements."""
        outer, self.out = self.out, []
        rest = list(body)
        while rest:
            if pushes := pushed_at_once(rest):
                self._push(pushes)
            else:
                self._statement(rest[0])
            del rest[: max(1, len(pushes))]
        lowered, self.out = tuple(self.out), outer
        return lowered

    def _statement(self, node: s.Stmt) -> None:  # noqa: C901, PLR0912  (one row a node)
        match node:
            case s.Let(name, value):
                for part, word in zip(self._parts(name, value.type), self.words(value), strict=True):
                    self.out.append(s.Let(part.name, word, node.span))
            case s.Assign(target, value):
                self._assign(target, value, node)
            case s.Attempt(target, value, otherwise):
                (place,) = self.words(target)
                self.out.append(s.Attempt(place, self._call(value), self.body(otherwise), node.span))  # type: ignore[arg-type]
            case s.If(condition, then, otherwise):
                test = self.word(condition)
                self.out.append(s.If(test, self.body(then), self.body(otherwise), node.span))
            case s.Repeat(count, body):
                self.out.append(s.Repeat(count, self.body(body), node.span))
            case s.ForEach(state, key, value, body):
                ((key,), (value,)) = self._parts(key.name, key.type), self._parts(value.name, value.type)
                self.out.append(s.ForEach(state, key, value, self.body(body), node.span))
            case s.Store(state, keys, mode, values):
                self.out.append(s.Store(state, self._all(keys), mode, self._all(values), node.span))
            case s.Delete(state, keys):
                self.out.append(s.Delete(state, self._all(keys), node.span))
            case s.Bounce():
                self.out += [*self.sight.turn_around(self.fresh), node]
            case s.Reply(payload) | s.Emit(payload):
                self.out.append(evolve(node, payload=self.word(payload)))
            case s.Pop():
                self._pop(node)
            case _:
                self.out.append(node)

    def _assign(self, target: s.Target, value: e.Expr, node: s.Assign) -> None:
        for place, word in zip(self.words(target), self.words(value), strict=True):
            if isinstance(place, e.Field):
                covering = self.sight.checksums(place)
                if covering and not isinstance(word, e.Const | e.Local):
                    word = self.bind(word)  # noqa: PLW2901  (read once, used by every checksum)
                self.out += fix_checksums(place, word, covering)
            self.out.append(s.Assign(place, word, node.span))  # type: ignore[arg-type]  # words of a target are targets

    def _push(self, nodes: tuple[s.Push, ...]) -> None:
        """Lower pushes of which none needs to know what another did, the payload's own first."""
        rooms = tuple(self.sight.room(node.header) for node in nodes)
        if None in rooms and len(nodes) > 1:
            for node in nodes:
                self._push((node,))
            return
        given = tuple(tuple((name, self.word(value)) for name, value in node.fields) for node in nodes)
        room = rooms[0]
        if room is None:
            self.out.append(s.Push(nodes[0].header, given[0], nodes[0].span))
            return
        # what a value is made of may be moved, or be of a header of the same name
        kept = tuple(tuple((name, self._kept(word)) for name, word in fields) for fields in given)
        own = [one for one in rooms if one is not None]
        size = sum(one.size for one in own)
        self.out += room.opened(size, nodes)
        for one, fields, node in zip(own, kept, nodes, strict=True):
            self.out += one.filled(fields, node)
        self.out += room.resized(size, self.fresh)

    def _kept(self, word: e.Expr) -> e.Expr:
        return word if isinstance(word, e.Const) else self.bind(word)

    def _pop(self, node: s.Pop) -> None:
        otherwise, room = self.body(node.otherwise), self.sight.room(node.header)
        if room is None:
            self.out.append(s.Pop(node.header, otherwise, node.span))
            return
        self.out += [*room.popped(otherwise, node), *room.resized(-room.size, self.fresh)]

    def _all(self, values: tuple[e.Expr, ...]) -> Words:
        return tuple(word for value in values for word in self.words(value))

    def word(self, node: e.Expr) -> e.Expr:
        """Lower an expression that fits one word."""
        (word,) = self.words(node)
        return word

    def words(self, node: e.Expr) -> Words:  # noqa: C901, PLR0911, PLR0912  (one row a node)
        """Lower an expression to one word, or to two for an endpoint; look-ups go to `out` first."""
        match node:
            case e.Const((ip, port)):
                return e.Const(ip, U32, node.span), e.Const(port, U16, node.span)
            case e.Const(bytes(text)) if isinstance(kind := self._kind(node.type), Bits):
                return (e.Const(int.from_bytes(text, "big"), kind, node.span),)
            case e.Local(name, type_):
                return tuple(evolve(part, span=node.span) for part in self._parts(name, type_))
            case e.Address(which):
                return self.sight.address(which, "ip"), self.sight.address(which, "port")
            case e.Part(e.Address(which), part):
                return (self.sight.address(which, part),)
            case e.Part(of, part):
                return (self.words(of)[part == "port"],)
            case e.MakeEndpoint(ip, port):
                return self.word(ip), self.word(port)
            case e.Field(header, name, type_):
                return (e.Field(header, name, self._kind(type_), node.span),)
            case e.Unary(_, of) | e.Size(of):
                return (evolve(node, of=self.word(of)),)
            case e.Cast(of, type_):
                return (self._cast(self.word(of), self._kind(type_), node),)
            case e.Binary(op, left, right):
                return (self._binary(op, self.words(left), self.words(right), node),)
            case e.Choose(condition, yes, no):
                test, pairs = self.word(condition), zip(self.words(yes), self.words(no), strict=True)
                return tuple(e.Choose(test, a, b, node.span) for a, b in pairs)
            case e.Call():
                return (self._call(node),)
            case e.Element(table, index):
                return self._element(table, index, node)
            case e.Match(table, key, default):
                return self._match(table, key, default, node)
            case e.Contains(container, key):
                return (self._contains(container, key, node),)
            case e.Get(state, key, type_):
                return self._look_up(state, self.words(key) if key is not None else (), None, type_, node)
            case _:
                return (node,)

    def _kind(self, type_: Type) -> Type:
        return word_type(type_) if self.sight.words and isinstance(type_, Bits | Bytes) else type_

    def _parts(self, name: str, type_: Type) -> tuple[e.Local, ...]:
        """Return the local, or the two locals, that hold a source-level local."""
        if type_ == ENDPOINT:
            return e.Local(f"{self.prefix}_{name}_ip", U32), e.Local(f"{self.prefix}_{name}_port", U16)
        return (e.Local(f"{self.prefix}_{name}", self._kind(type_)),)

    def fresh(self, hint: str, type_: Type) -> e.Local:
        """Return a local that no other has the name of."""
        self._count += 1
        return e.Local(f"{self.prefix}_{hint}_{self._count}", type_)

    def bind(self, word: e.Expr, hint: str = "value") -> e.Local:
        """Compute a word once and return the local that holds it."""
        local = self.fresh(hint, word.type)
        self.out.append(s.Let(local.name, word, word.span))
        return local

    @staticmethod
    def _cast(word: e.Expr, type_: Type, node: e.Cast) -> e.Expr:
        return word if word.type == type_ else e.Cast(word, type_, node.span)

    @staticmethod
    def _binary(op: str, left: Words, right: Words, node: e.Binary) -> e.Expr:
        first, *rest = (e.Binary(op, a, b, node.span) for a, b in zip(left, right, strict=True))
        for other in rest:
            first = e.Binary("and" if op == "==" else "or", first, other, node.span)
        return first

    def _call(self, node: e.Expr) -> e.Expr:
        assert isinstance(node, e.Call)  # noqa: S101  INVARIANT: attempts hold calls
        arguments = tuple(self.word(a) for a in node.arguments)
        expand = PRIMITIVES[node.primitive].expand
        if expand is None or not self.sight.words:
            return e.Call(node.primitive, arguments, node.type, node.span)
        (key,) = arguments
        return _spread(expand(key if isinstance(key, e.Const | e.Local) else self.bind(key, "key")), node)

    def _table(self, name: str) -> Table:
        return self.used.setdefault(name, self.tables[name])

    def _look_up(self, name: str, keys: Words, hit: str | None, type_: Type, node: e.Expr) -> Words:
        kinds: tuple[Type, ...] = (U32, U16) if type_ == ENDPOINT else (self._kind(type_),)
        into = tuple(self.fresh("found", kind) for kind in kinds)
        self.out.append(s.Lookup(name, keys, hit, into, node.span))
        return into

    def _element(self, table: str, index: e.Expr, node: e.Expr) -> Words:
        key = self.word(index)
        key = key if key.type == U32 else e.Cast(key, U32, node.span)
        return self._look_up(self._table(table).name, (self.bind(key, "index"),), None, node.type, node)

    def _match(self, table: str, key: e.Expr, default: e.Expr, node: e.Expr) -> Words:
        hit = self.fresh("hit", BOOL)
        otherwise = self.words(default)
        found = self._look_up(self._table(table).name, (self.word(key),), hit.name, node.type, node)
        return tuple(e.Choose(hit, a, b, node.span) for a, b in zip(found, otherwise, strict=True))

    def _contains(self, container: str, key: e.Expr, node: e.Expr) -> e.Expr:
        hit = self.fresh("hit", BOOL)
        keys = self.words(key)
        if container not in self.states:
            container = self._set_of(self._table(container), keys).name
        self.out.append(s.Lookup(container, keys, hit.name, (), node.span))
        return hit

    def _set_of(self, table: Table, keys: Words) -> Table:
        """Return the table itself, or for a list the set of its elements."""
        if table.kind != "array":
            return table
        kinds = tuple(Bits(bit_width(k.type) or 1) for k in keys)
        rows = tuple(dict.fromkeys(Entry(entry.values) for entry in table.entries))
        name = f"{table.name}_set"
        return self.used.setdefault(name, Table(name, "exact", kinds, (), table.size, rows, table.span))


def _spread(expanded: e.Expr, node: e.Call) -> e.Expr:
    """Give an expanded primitive the place of its call."""
    return evolve(expanded, span=node.span)
