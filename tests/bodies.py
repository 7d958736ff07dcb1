"""Random bodies over few bits, so that what is said of them can be tried on many of the messages there are.

An op is of one of several shapes: it reads and writes fields, pushes or pops a header, replaces the payload, packs or
unpacks a record. Each may remember, send further messages, drop, and ask for time or chance.
"""

from random import Random

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.trace import Start
from bertha_ir.message import Fixed, Message, MessageField
from bertha_ir.passes.smt.question import Question, pipeline
from bertha_ir.program import Entry, State, Table
from bertha_ir.stack import Layout, Op
from bertha_ir.types import BYTES, ENDPOINT, U8, U16, U32, U64, Bits, Bytes, Record

FIELDS = {"a": Bits(3), "b": Bits(2), "c": Bits(3), "d": Bytes(1)}
SMALL = Message("Small", (), tuple(MessageField(n, t) for n, t in FIELDS.items()))
MARKED = Message("Marked", (), tuple(MessageField(n, t, Fixed(1) if n == "b" else None) for n, t in FIELDS.items()))
TAILED = Message("Tailed", (), (MessageField("x", U8), MessageField("rest", BYTES)))
PUSHED = Message("Pushed", (), (MessageField("x", U8),))
OUTER = Message("Outer", (), (MessageField("n", Bits(3)), MessageField("rest", Bits(5))))
MESSAGES = {m.name: m for m in (SMALL, MARKED, TAILED, PUSHED, OUTER)}
NETWORK = (e.Field("Outer", "n", Bits(3)),)
ENDS = ((1, 1), (2, 2))
CELL = State("cell", (), (Bits(3),))
PLAIN = State("plain", (Bits(2),), (Bits(3),), 3)
EVICTS = State("evicts", (Bits(2),), (Bits(3),), 2, evicts=True)
PAIRS = State("pairs", (U32, U16), (U32, U16), 2, evicts=True)
TEXTS = State("texts", (Bytes(1),), (BYTES,), 2)
STATES = (CELL, PLAIN, EVICTS, PAIRS, TEXTS)
NUMBERED = (CELL, PLAIN, EVICTS)
TABLES = (
    Table("row", "array", (Bits(3),), (Bits(3),), 8, tuple(Entry((i,), ((5 * i + 2) % 8,)) for i in range(8))),
    Table("some", "exact", (Bits(3),), (), 8, (Entry((1,)), Entry((6,)))),
    Table("span", "range", (Bits(3),), (Bits(3),), 8, (Entry((0, 2), (7,)), Entry((4, 5), (1,)))),
    Table("front", "lpm", (Bits(3),), (), 8, (Entry((4, 1)), Entry((2, 3)))),
)
ARITHMETIC = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")
INPUTS = {"now": U64, "random": U32}
SHAPES = ("fields",) * 6 + ("push", "pop", "replace", "unpack", "pack")
Known = dict[str, int]


class Bodies:
    """Makes the two ops of one question. `message` is laid over the bytes by both; if `record`, one comes in."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.names = 0
        self.message = MARKED if rng.random() < 0.15 else SMALL
        self.record = "Tailed" if rng.random() < 0.1 else None
        self.fields = True

    def question(self) -> Question:
        """Whether the two ops may trade places."""
        one, other = self.op("one"), self.op("other")
        return Question(laid(one, other), laid(other, one), MESSAGES, NETWORK, self.record)

    def op(self, name: str) -> Op:
        body = self.shaped(self.rng.choice(SHAPES))
        return Op(f"{name}.packet", name, name, "packet", "path", "anywhere", body, TABLES, STATES)

    def shaped(self, shape: str) -> s.Body:
        """One body; what follows a change of the payload reads no fields of what lay there."""
        first = () if shape == "pack" or self.rng.random() < 0.3 else self.body(2, {})
        if first and isinstance(first[-1], s.Drop | s.Bounce):
            return first
        if shape == "fields":
            return first or self.body(3, {})
        if shape == "push":
            pushed = s.Push("Pushed", (("x", self.number(8, 1, {})),) if self.rng.random() < 0.8 else ())
            return (*first, pushed, *self.body(1, {}))
        self.fields = False
        body = (*first, *self.ended(shape))
        self.fields = True
        return body

    def ended(self, shape: str) -> s.Body:
        match shape:
            case "pop":
                popped = e.Field("Pushed", "x", U8)
                seen = e.Binary(self.rng.choice(e.ORDER), popped, self.number(8, 1, {}))
                short = self.body(1, {})
                ends = (s.Drop(),) if not short or not isinstance(short[-1], s.Drop | s.Bounce) else ()
                return s.Pop("Pushed", (*short, *ends)), s.If(seen, self.body(1, {}))
            case "unpack":
                found = e.Call("unpack", (e.Payload(),), Record(self.rng.choice(("Small", "Tailed"))))
                return (s.Attempt(e.Value(found.type.message), found, self.body(1, {})),)
            case "pack" if self.record is not None:
                return (s.Assign(e.Payload(), e.Call("pack", (e.Value(self.record),), BYTES)), *self.body(1, {}))
        return (self.replaced(), *self.body(1, {}))

    def replaced(self) -> s.Stmt:
        """A statement that gives the message another payload."""
        match self.rng.randrange(5):
            case 0:
                value = e.Cast(self.number(8, 1, {}), Bytes(1))
            case 1:
                value = e.Get("texts", e.Cast(self.number(8, 1, {}), Bytes(1)), BYTES)
            case 2:
                value = e.Call("http2_frame", (e.Cast(self.number(3, 1, {}), U32), e.Payload()), BYTES)
            case 3:
                value = e.Call("zstd_compress", (e.Payload(),), BYTES)
            case _:
                undo = e.Call(self.rng.choice(("http2_unframe", "zstd_decompress")), (e.Payload(),), BYTES)
                return s.Attempt(e.Payload(), undo, (s.Drop(),))
        return s.Assign(e.Payload(), value)

    # Statements

    def body(self, depth: int, known: Known) -> s.Body:
        known = dict(known)
        found: list[s.Stmt] = []
        for _ in range(self.rng.randint(1, 2)):
            found.append(self.statement(depth, known))
            if isinstance(found[-1], s.Drop | s.Bounce):
                break
        return tuple(found)

    def statement(self, depth: int, known: Known) -> s.Stmt:  # noqa: PLR0911  (one row a kind)
        kind = self.rng.random()
        if kind < 0.25 and self.fields:
            name = self.rng.choice(list(FIELDS))
            value = self.number(8 if name == "d" else FIELDS[name].width, 2, known)
            return s.Assign(self.field(name), e.Cast(value, Bytes(1)) if name == "d" else value)
        if kind < 0.3:
            return s.Assign(NETWORK[0], self.number(3, 2, known))
        if kind < 0.4:
            return s.Assign(e.Part(e.Address("dst"), "port"), e.Cast(self.number(3, 2, known), U16))
        if kind < 0.62 and depth:
            otherwise = self.body(depth - 1, known) if self.rng.random() < 0.4 else ()
            return s.If(self.truth(2, known), self.body(depth - 1, known), otherwise)
        if kind < 0.64 and depth:
            return s.Repeat(2, self.body(0, known))
        if kind < 0.8:
            return self.store(known)
        if kind < 0.86:
            self.names += 1
            drawn = self.rng.random() < 0.25
            value = e.Cast(self.drawn(), Bits(3)) if drawn else self.number(3, 2, known)
            known[f"v{self.names}"] = 3
            return s.Let(f"v{self.names}", value)
        return self.rare(known)

    def drawn(self) -> e.Expr:
        name = self.rng.choice(list(INPUTS))
        return e.Call(name, (), INPUTS[name])

    def store(self, known: Known) -> s.Stmt:
        state = self.rng.choice((*NUMBERED, *STATES))
        deleted = state.keys and self.rng.random() < 0.25
        match state.name:
            case "pairs":
                key, value = e.Address("src"), self.end()
            case "texts":
                key, value = e.Cast(self.number(8, 1, known), Bytes(1)), e.Payload()
            case _:
                key, value = self.number(2, 1, known), self.number(3, 1, known)
        keys = (key,) if state.keys else ()
        if deleted:
            return s.Delete(state.name, keys)
        mode = self.rng.choice(("set", "add")) if state in NUMBERED else "set"
        return s.Store(state.name, keys, mode, (value,))

    def rare(self, known: Known) -> s.Stmt:
        match self.rng.randrange(8):
            case 0 | 1:
                return s.Drop()
            case 2:
                return s.Bounce()
            case 3:
                return s.Clone(self.end())
            case 4:
                return s.Reply(self.text(known))
            case 5 if self.record is None:  # a further message has no record
                return s.Emit(self.text(known))
        return s.Assign(e.Address(self.rng.choice(("src", "dst"))), self.end())

    # Expressions

    def end(self) -> e.Expr:
        match self.rng.randrange(6):
            case 0:
                return e.Address(self.rng.choice(("src", "dst")))
            case 1:
                return e.Get("pairs", e.Address("src"), ENDPOINT)
            case 2:
                return e.MakeEndpoint(e.Const(1, U32), e.Cast(self.number(3, 1, {}), U16))
        return e.Const(self.rng.choice(ENDS), ENDPOINT)

    def text(self, known: Known) -> e.Expr:
        match self.rng.randrange(4):
            case 0:
                return e.Payload()
            case 1:
                return e.Get("texts", e.Cast(self.number(8, 1, known), Bytes(1)), BYTES)
            case 2:
                return e.Const(self.rng.choice((b"", b"\1", b"\1\2")), BYTES)
        return e.Cast(self.number(8, 1, known), Bytes(1))

    def field(self, name: str) -> e.Field:
        return e.Field(self.message.name, name, FIELDS[name])

    def number(self, width: int, depth: int, known: Known) -> e.Expr:
        if depth and self.rng.random() < 0.5:
            match self.rng.randrange(8):
                case 0:
                    return e.Choose(self.truth(depth - 1, known), *(self.number(width, depth - 1, known) for _ in "ab"))
                case 1:
                    return e.Unary(self.rng.choice(("~", "-")), self.number(width, depth - 1, known))
                case 2:
                    return e.Cast(e.Element("row", self.number(3, depth - 1, known), Bits(3)), Bits(width))
                case 3:
                    return e.Cast(e.Match("span", *(self.number(3, depth - 1, known) for _ in "ab")), Bits(width))
            op = self.rng.choice(ARITHMETIC)
            right = self.rng.choice((2, 3, width)) if op in e.SHIFTS else width
            return e.Binary(op, self.number(width, depth - 1, known), self.number(right, depth - 1, known))
        return e.Cast(self.leaf(known), Bits(width))

    def leaf(self, known: Known) -> e.Expr:  # noqa: PLR0911  (one row a kind)
        kind = self.rng.random()
        if kind < 0.45 and self.fields:
            name = self.rng.choice(list(FIELDS))
            return e.Cast(self.field(name), U8) if name == "d" else self.field(name)
        if kind < 0.6:
            return e.Const(self.rng.randrange(8), Bits(3))
        if kind < 0.7:
            return e.Part(e.Address(self.rng.choice(("src", "dst"))), "port")
        if kind < 0.76 and known:
            name = self.rng.choice(list(known))
            return e.Local(name, Bits(known[name]))
        if kind < 0.8:
            return self.measured()
        if kind < 0.84:
            return NETWORK[0]
        state = self.rng.choice(NUMBERED)
        key = e.Cast(self.plain(), Bits(2)) if state.keys else None
        return e.Get(state.name, key, Bits(3))

    def measured(self) -> e.Expr:
        if self.rng.random() < 0.5:
            return e.Size(e.Payload())
        return e.Call("fnv1a", (self.field("d") if self.fields else e.Part(e.Address("src"), "port"),), U64)

    def plain(self) -> e.Expr:
        return self.field(self.rng.choice("abc")) if self.fields else e.Part(e.Address("src"), "port")

    def truth(self, depth: int, known: Known) -> e.Expr:  # noqa: PLR0911  (one row a kind)
        kind = self.rng.random()
        if depth and kind < 0.3:
            op = self.rng.choice(e.LOGIC)
            return e.Binary(op, self.truth(depth - 1, known), self.truth(depth - 1, known))
        if depth and kind < 0.4:
            return e.Unary("not", self.truth(depth - 1, known))
        if kind < 0.58:
            table = self.rng.choice(("some", "span", "front"))
            return e.Contains(table, self.number(3, depth, known))
        if kind < 0.7:
            return e.Contains(self.rng.choice(("plain", "evicts")), self.number(2, 0, known))
        if kind < 0.75:
            return e.Contains("pairs", e.Address("src"))
        if kind < 0.78:
            return e.Binary("==", self.end(), self.end())
        if kind < 0.8:
            return e.Binary("<", e.Cast(self.drawn(), Bits(3)), self.number(3, 0, known))
        op = self.rng.choice((*e.ORDER, *e.EQUALITY))
        return e.Binary(op, self.number(3, depth, known), self.number(3, depth, known))


def laid(*ops: Op):
    """Ops in this order, over bytes of the application's own."""
    return pipeline(tuple((op, Layout(raw=True)) for op in ops))


def start(rng: Random, record: str | None) -> Start:
    """One of the messages and states there are, each part uniformly."""

    def end() -> tuple[int, int]:
        return rng.randrange(3), rng.randrange(4)

    def text() -> bytes:
        size = rng.choice((0, 1, 2, 2, 2, 2, 2, 2, 3))
        return bytes(rng.choice((rng.randrange(256), rng.randrange(4))) for _ in range(size))

    def rows(most: int, key, value) -> tuple:
        return tuple({key(): value() for _ in range(rng.randrange(most + 1))}.items())

    number = rng.randrange
    states = {
        "cell": (((), (number(8),)),),
        "plain": rows(3, lambda: (number(4),), lambda: (number(8),)),
        "evicts": rows(2, lambda: (number(4),), lambda: (number(8),)),
        "pairs": rows(2, end, end),
        "texts": rows(2, lambda: (bytes([number(4)]),), lambda: (text(),)),
    }
    inputs = {(f"{op}.packet", name, n): number(8) for op in ("one", "other") for name in INPUTS for n in range(3)}
    value = {"x": number(4), "rest": text()} if record else None
    payload = b"" if record else text()
    return Start(payload, end(), end(), value, {"Outer": {"n": number(8)}}, states, inputs)
