"""Random bodies over few bits, so that what is said of them can be tried on many of the messages there are."""

from random import Random

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.trace import Start
from bertha_ir.message import Message, MessageField
from bertha_ir.program import Entry, State, Table
from bertha_ir.stack import Layout, Op
from bertha_ir.types import BOOL, U8, U16, U64, Bits, Bytes

FIELDS = {"a": 3, "b": 2, "c": 3, "d": 8}
SMALL = Message("Small", (), tuple(MessageField(n, Bits(w)) for n, w in FIELDS.items()))
PUSHED = Message("Pushed", (), (MessageField("x", Bits(8)),))
MESSAGES = {m.name: m for m in (SMALL, PUSHED)}
ENDS = ((1, 1), (2, 2))
CELL = State("cell", (), (Bits(3),))
PLAIN = State("plain", (Bits(2),), (Bits(3),), 3)
EVICTS = State("evicts", (Bits(2),), (Bits(3),), 2, evicts=True)
STATES = {state.name: state for state in (CELL, PLAIN, EVICTS)}
TABLES = (
    Table("row", "array", (Bits(3),), (Bits(3),), 8, tuple(Entry((i,), ((5 * i + 2) % 8,)) for i in range(8))),
    Table("some", "exact", (Bits(3),), (), 8, (Entry((1,)), Entry((6,)))),
    Table("span", "range", (Bits(3),), (Bits(3),), 8, (Entry((0, 2), (7,)), Entry((4, 5), (1,)))),
    Table("front", "lpm", (Bits(3),), (), 8, (Entry((4, 1)), Entry((2, 3)))),
)
ARITHMETIC = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")


class Bodies:
    """Makes ops whose bodies may read and write the same message and the same state."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.names = 0

    def op(self, name: str) -> Op:
        body = self.body(3, {})
        return Op(f"{name}.packet", name, name, "packet", "path", "anywhere", body, TABLES, tuple(STATES.values()))

    def body(self, depth: int, known: dict[str, int]) -> s.Body:
        known = dict(known)
        found: list[s.Stmt] = []
        for _ in range(self.rng.randint(1, 2)):
            found.append(self.statement(depth, known))
            if isinstance(found[-1], s.Drop | s.Bounce):
                break
        return tuple(found)

    def statement(self, depth: int, known: dict[str, int]) -> s.Stmt:
        kind = self.rng.random()
        if kind < 0.3:
            name = self.rng.choice(list(FIELDS))
            return s.Assign(self.field(name), self.number(FIELDS[name], 2, known))
        if kind < 0.4:
            return s.Assign(e.Part(e.Address("dst"), "port"), e.Cast(self.number(3, 2, known), U16))
        if kind < 0.65 and depth:
            otherwise = self.body(depth - 1, known) if self.rng.random() < 0.4 else ()
            return s.If(self.truth(2, known), self.body(depth - 1, known), otherwise)
        if kind < 0.8:
            return self.store(known)
        if kind < 0.86:
            self.names += 1
            value = self.number(3, 2, known)
            known[f"v{self.names}"] = 3
            return s.Let(f"v{self.names}", value)
        return self.rare(known)

    def store(self, known: dict[str, int]) -> s.Stmt:
        state = self.rng.choice(list(STATES.values()))
        key = (self.number(2, 1, known),) if state.keys else ()
        if state.keys and self.rng.random() < 0.25:
            return s.Delete(state.name, key)
        return s.Store(state.name, key, self.rng.choice(("set", "add")), (self.number(3, 1, known),))

    def rare(self, known: dict[str, int]) -> s.Stmt:
        match self.rng.randrange(6):
            case 0 | 1:
                return s.Drop()
            case 2:
                return s.Bounce()
            case 3:
                return s.Clone(e.Const(self.rng.choice(ENDS), e.ENDPOINT))
            case 4:
                return s.Reply(e.Cast(self.number(8, 1, known), Bytes(1)))
        return s.Assign(e.Address(self.rng.choice(("src", "dst"))), e.Const(self.rng.choice(ENDS), e.ENDPOINT))

    def field(self, name: str) -> e.Field:
        return e.Field("Small", name, Bits(FIELDS[name]))

    def number(self, width: int, depth: int, known: dict[str, int]) -> e.Expr:
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

    def leaf(self, known: dict[str, int]) -> e.Expr:
        kind = self.rng.random()
        if kind < 0.45:
            return self.field(self.rng.choice(list(FIELDS)))
        if kind < 0.6:
            return e.Const(self.rng.randrange(8), Bits(3))
        if kind < 0.7:
            return e.Part(e.Address(self.rng.choice(("src", "dst"))), "port")
        if kind < 0.76 and known:
            name = self.rng.choice(list(known))
            return e.Local(name, Bits(known[name]))
        if kind < 0.8:
            return e.Call("fnv1a", (self.field("d"),), U64)
        state = self.rng.choice(list(STATES.values()))
        key = e.Cast(self.field(self.rng.choice("abc")), Bits(2)) if state.keys else None
        return e.Get(state.name, key, Bits(3))

    def truth(self, depth: int, known: dict[str, int]) -> e.Expr:
        kind = self.rng.random()
        if depth and kind < 0.3:
            op = self.rng.choice(e.LOGIC)
            return e.Binary(op, self.truth(depth - 1, known), self.truth(depth - 1, known))
        if depth and kind < 0.4:
            return e.Unary("not", self.truth(depth - 1, known))
        if kind < 0.6:
            table = self.rng.choice(("some", "span", "front"))
            return e.Contains(table, self.number(3, depth, known))
        if kind < 0.75:
            return e.Contains(self.rng.choice(("plain", "evicts")), self.number(2, 0, known))
        op = self.rng.choice((*e.ORDER, *e.EQUALITY))
        made = e.Binary(op, self.number(3, depth, known), self.number(3, depth, known))
        assert made.type == BOOL
        return made


def laid(ops: tuple[Op, ...]) -> tuple[tuple[Op, Layout], ...]:
    return tuple((op, Layout(raw=True)) for op in ops)


def start(rng: Random) -> Start:
    """One of the messages and states there are, each part uniformly."""
    plain = {(rng.randrange(4),): (rng.randrange(8),) for _ in range(rng.randrange(4))}
    evicts = {(rng.randrange(4),): (rng.randrange(8),) for _ in range(rng.randrange(3))}
    states = {"cell": (((), (rng.randrange(8),)),), "plain": tuple(plain.items()), "evicts": tuple(evicts.items())}
    payload = rng.randbytes(rng.choice((0, 1, 2, 2, 2, 2, 2, 2, 3)))
    return Start(payload, (rng.randrange(3), rng.randrange(4)), (rng.randrange(3), rng.randrange(4)), states=states)


assert U8.width == FIELDS["d"]
