"""Random device programs on frames: every expression, statement and kind of table that kernel and process both run."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from attrs import define, field
from samples import header

from bertha_ir import expr as e
from bertha_ir.primitives import expand_fnv1a
from bertha_ir.program import Block, DeviceProgram, Entry, ParseState, State, Table, Transition
from bertha_ir.stmt import Assign, Bounce, Delete, Drop, FixChecksum, If, Let, Lookup, Repeat, Store
from bertha_ir.types import BOOL, U8, U16, U32, U64, Bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.stmt import Body, Stmt

ETHERNET = header("ethernet", ("dst", 48), ("src", 48), ("ethertype", 16))
TAG = header("tag", ("priority", 3), ("id", 13), ("ethertype", 16))
FIRST = header(
    "first", ("kind", 8), ("bit", 1), ("seven", 7), ("three", 3), ("thirteen", 13), ("byte", 8), ("half", 16),
    ("odd", 24), ("word", 32), ("address", 32), ("forty", 40), ("mac", 48), ("nine", 9), ("most", 55), ("even", 8),
    ("sum", 16), ("udp_sum", 16),
)  # fmt: skip
SECOND = header("second", ("wide", 64), ("six", 6), ("fifty", 50), ("small", 8), ("last", 56))
HEADERS = (ETHERNET, TAG, FIRST, SECOND)
EXPERIMENT, TAGGED = 0x88B5, 0x8100
PARSER = (
    ParseState(
        "ethernet",
        (Transition((("ethertype", EXPERIMENT),), "first"), Transition((("ethertype", TAGGED),), "tag")),
    ),
    ParseState("tag", (Transition((("priority", 5),), "first"), Transition((("ethertype", EXPERIMENT),), "first"))),
    ParseState("first", (Transition((("kind", 1), ("three", 7)), "second"), Transition((("kind", 2),), "second"))),
    ParseState("second"),
)
SUMS = (e.Field("first", "sum", U16), e.Field("first", "udp_sum", U16))
WIDTHS = (1, 2, 3, 7, 8, 9, 13, 15, 16, 17, 24, 31, 32, 33, 40, 48, 55, 63, 64)
TRUE = e.Const(value=True, type=BOOL)


def frames(seed: int, count: int) -> list[bytes]:
    """Frames that reach every parse state, with edges and chance in their fields; some end too early or have a tail."""
    source = random.Random(seed)
    made = []
    for _ in range(count):
        size = FIRST.size + SECOND.size
        body = source.choice((source.randbytes(size), source.randbytes(size), bytes(size), b"\xff" * size))
        tag = source.choice((b"", b"", b"\x81\0" + source.choice((b"\xa0\1\0\0", b"\0\1\x88\xb5"))))
        kind = source.choice((b"\1", b"\2", b"\2", b"\3"))
        kind += bytes([body[1], source.choice((0xE0, 0xFF, body[2]))])
        front = source.randbytes(12) + (tag or b"\x88\xb5")
        data = front + kind + body[3:] + source.randbytes(source.randrange(20))
        made.append(data[: source.randrange(15, len(data))] if source.random() < 0.15 else data)
    return made


@define
class Programs:
    """Makes one program from a seed; everything in it comes from `random`."""

    seed: int
    random: random.Random = field(init=False)
    tables: tuple[Table, ...] = ()
    states: tuple[State, ...] = ()
    headers: tuple[str, ...] = ()
    count: int = 0

    def __attrs_post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def program(self) -> DeviceProgram:
        """A program of two blocks, one behind both headers and one behind the first."""
        self.tables = tuple(self._tables())
        self.states = (
            State("cell", (), (U64, Bits(13))),
            State("pairs", (Bits(3), Bits(5)), (Bits(40), U8), 256),
            State("words", (U8,), (U32,), 256),
            State("wide", (Bits(33),), (U16,), 4096),
        )
        blocks = tuple(
            self._block(name, needs)
            for name, needs in (("deep", ("ethernet", "first", "second")), ("flat", ("ethernet", "first")))
        )
        return DeviceProgram(
            f"random_{self.seed}", "h1", "frame", "ingress", HEADERS, PARSER, self.tables, self.states, blocks
        )

    def _block(self, name: str, needs: tuple[str, ...]) -> Block:
        self.headers = needs
        guard = TRUE if name == "flat" else self.random.choice((TRUE, self.truth(2, {})))
        body = self.body(self.random.randrange(4, 9), 2, {})
        return Block(name, needs, guard, body, (f"{name}.packet",))

    def _tables(self) -> Iterator[Table]:
        chance = self.random
        bits = chance.choice((8, 16, 24, 32, 48, 64))
        lengths = sorted({0, 1, bits // 2, bits - 1, bits})
        prefixes = {(chance.getrandbits(bits) >> (bits - n) << (bits - n), n) for n in lengths}
        yield Table(
            "prefixes", "lpm", (Bits(bits),), (U16,), 64, tuple(Entry(p, (chance.getrandbits(16),)) for p in prefixes)
        )
        low = chance.randrange(100)
        rows = ((0, low), (low + 1, low + 9), (low + 20, 255))
        yield Table("ranges", "range", (U8,), (Bits(33), Bits(5)), 8, tuple(Entry(r, (r[1], r[0] % 32)) for r in rows))
        exact = tuple(Entry((i, i % 8), (chance.getrandbits(40),)) for i in range(12))
        yield Table("exact", "exact", (U8, Bits(3)), (Bits(40),), 16, exact)
        many = tuple(Entry((i * 257 % 512,)) for i in range(300))
        yield Table("many", "exact", (Bits(9),), (), 512, many)
        yield Table(
            "rows", "array", (U32,), (U64,), 16, tuple(Entry((i,), (chance.getrandbits(64),)) for i in range(5))
        )

    # Statements

    def body(self, count: int, depth: int, known: dict[str, Bits]) -> Body:
        """Some statements. What they bind, further ones may read."""
        known, made = dict(known), []
        for _ in range(count):
            made += self.statement(depth, known)
        if depth < 2 and self.random.random() < 0.15:
            made.append(self.random.choice((Drop(), Bounce())))
        return tuple(made)

    def statement(self, depth: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        """One statement, or a look-up in a list with the index it needs."""
        kinds = [self._let, self._let, self._assign, self._assign, self._fix, self._look_up, self._store]
        kinds += [self._if, self._if, self._if_parsed, self._repeat] if depth else []
        return self.random.choice(kinds)(depth, known)

    def _fresh(self) -> str:
        self.count += 1
        return f"x{self.count}"

    def _let(self, _: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        if known and self.random.random() < 0.3:
            name = self.random.choice(tuple(known))
            value = self.bits(known[name], 3, known)
            again = Let(name, value) if self.random.random() < 0.5 else Assign(e.Local(name, known[name]), value)
            return (again,)
        type_, name = self._type(), self._fresh()
        value = self.bits(type_, 3, known)
        known[name] = type_
        return (Let(name, value),)

    def _assign(self, _: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        target = self.random.choice(self._fields())
        assert isinstance(target.type, Bits)
        return (Assign(target, self.bits(target.type, 3, known)),)

    def _fix(self, _: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        type_ = self.random.choice((U16, U32))
        old, new = self.bits(type_, 1, known), self.bits(type_, 1, known)
        if self.random.random() < 0.5:
            return (FixChecksum(SUMS[0], old, new, optional=False),)
        part = self.random.choice(("address", "content"))
        return (FixChecksum(SUMS[1], old, new, optional=True, part=part),)

    def _if(self, depth: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        then = self.body(self.random.randrange(1, 4), depth - 1, known)
        otherwise = self.body(self.random.randrange(3), depth - 1, known)
        return (If(self.truth(2, known), then, otherwise),)

    def _if_parsed(self, depth: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        """What a header allows that not every message has."""
        before, self.headers = self.headers, ("ethernet", "first", "second")
        then = self.body(self.random.randrange(1, 4), depth - 1, known)
        self.headers = before
        return (If(e.Binary("and", e.Parsed("second"), self.truth(1, known)), then),)

    def _repeat(self, _: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        total, type_ = self._fresh(), self._type()
        start = Let(total, self.bits(type_, 1, known))
        inner = known | {total: type_}
        step = Assign(e.Local(total, type_), self.bits(type_, 2, inner))
        known[total] = type_
        return start, Repeat(self.random.randrange(1, 5), (step, *self._assign(0, inner), *self._fix(0, inner)))

    def _look_up(self, _: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        container = self.random.choice((*self.tables, *self.states))
        keys = tuple(self._key(container, k, known) for k in container.keys)
        into = tuple(e.Local(self._fresh(), v) for v in container.values)
        hit = self._fresh() if getattr(container, "kind", "") != "array" and self.random.random() < 0.7 else None
        known |= {local.name: local.type for local in into if isinstance(local.type, Bits)}
        found = Lookup(container.name, keys, hit, into)
        if hit is None:
            return (found,)
        then, otherwise = self.body(1, 0, known), self.body(1, 0, known)
        return found, If(e.Local(hit, BOOL), then, otherwise)

    def _store(self, _: int, known: dict[str, Bits]) -> tuple[Stmt, ...]:
        state = self.random.choice(self.states)
        keys = tuple(self._key(state, k, known) for k in state.keys)
        if self.random.random() < 0.2:
            return (Delete(state.name, keys),)
        values = tuple(self.bits(v, 2, known) for v in state.values if isinstance(v, Bits))
        return (Store(state.name, keys, self.random.choice(("set", "add")), values),)

    def _key(self, container: Table | State, type_: Bits, known: dict[str, Bits]) -> e.Expr:
        """A key that is often there, in every kind of table."""
        key = self.bits(type_, 1, known)
        if container.name == "rows":
            return e.Binary("%", key, e.Const(len(self.tables[-1].entries), type_))
        if container.name == "wide":
            return e.Binary("&", key, e.Const((1 << 32) + 7, type_))
        if container.name == "prefixes" and self.random.random() < 0.7:
            value, length = self.random.choice(self.tables[0].entries).match
            noise = e.Const(self.random.getrandbits(type_.width - length) if length < type_.width else 0, type_)
            return e.Binary("|", e.Const(value, type_), noise)
        return key

    # Expressions

    def _type(self) -> Bits:
        return Bits(self.random.choice(WIDTHS))

    def _fields(self) -> list[e.Field]:
        found = [e.Field(h.name, f.name, f.type) for h in HEADERS if h.name in self.headers for f in h.fields]
        return [f for f in found if f not in SUMS]

    def bits(self, type_: Bits, depth: int, known: dict[str, Bits]) -> e.Expr:  # noqa: PLR0911  (one row a kind)
        """A word of the type."""
        kind = self.random.choice(("binary", "binary", "shift", "divide", "cast", "choose", "unary", "hash", "leaf"))
        if depth == 0 or kind == "leaf":
            return self._leaf(type_, known)
        one = self.bits(type_, depth - 1, known)
        match kind:
            case "shift":
                amount = self.bits(self._type(), 0, known)
                small = e.Const(self.random.randrange(70), U8)
                return e.Binary(self.random.choice(e.SHIFTS), one, self.random.choice((amount, small)))
            case "cast":
                return e.Cast(self.bits(self._type(), depth - 1, known), type_)
            case "choose":
                return e.Choose(self.truth(depth - 1, known), one, self.bits(type_, depth - 1, known))
            case "unary":
                return e.Unary(self.random.choice(("~", "-")), one)
            case "hash":
                return e.Cast(expand_fnv1a(self._leaf(Bits(self.random.choice((8, 24, 64))), known)), type_)
            case _:
                ops = "/%" if kind == "divide" else "+-*&|^"
                return e.Binary(self.random.choice(ops), one, self.bits(type_, depth - 1, known))

    def truth(self, depth: int, known: dict[str, Bits]) -> e.Expr:
        """A truth value."""
        kind = self.random.choice(("order", "equality", "logic", "not")) if depth else "order"
        if kind == "logic":
            op = self.random.choice((*e.LOGIC, *e.EQUALITY))
            return e.Binary(op, self.truth(depth - 1, known), self.truth(depth - 1, known))
        if kind == "not":
            return e.Unary("not", self.truth(depth - 1, known))
        type_ = self._type()
        op = self.random.choice(e.ORDER if kind == "order" else e.EQUALITY)
        return e.Binary(op, self.bits(type_, depth, known), self.bits(type_, 0, known))

    def _leaf(self, type_: Bits, known: dict[str, Bits]) -> e.Expr:
        fields = self._fields()
        exact: list[e.Expr] = [f for f in fields if f.type == type_]
        exact += [e.Local(n, t) for n, t in known.items() if t == type_]
        exact += [e.FrameSize(), e.HeaderOffset("first")] if type_ == U32 else []
        other: list[e.Expr] = [*fields, *(e.Local(n, t) for n, t in known.items())]
        if exact and self.random.random() < 0.6:
            return self.random.choice(exact)
        if self.random.random() < 0.6:
            return e.Cast(self.random.choice(other), type_)
        edges = (0, 1, (1 << type_.width) - 1, self.random.getrandbits(type_.width))
        return e.Const(self.random.choice(edges), type_)
