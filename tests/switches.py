"""Device programs for switches: state that registers can hold, and arithmetic of every kind."""

import random

from attrs import evolve
from samples import HEADERS, PARSER, filter_count_limit, header, ipv4

from bertha_ir.expr import (
    ARITHMETIC,
    EQUALITY,
    LOGIC,
    ORDER,
    SHIFTS,
    Binary,
    Call,
    Cast,
    Choose,
    Const,
    Expr,
    Field,
    FrameSize,
    HeaderOffset,
    Local,
    Unary,
)
from bertha_ir.program import Block, DeviceProgram, Entry, ParseState, State, Table, Transition
from bertha_ir.stmt import Assign, Bounce, Delete, Drop, If, Let, Lookup, Stmt, Store
from bertha_ir.types import BOOL, U8, U16, U32, U64, Bits
from bertha_ir.walk import transform

TRUE = Const(value=True, type=BOOL)


def counted() -> DeviceProgram:
    """`filter_count_limit`, counting by the low half of the source's address: every key has a place."""
    program = filter_count_limit()
    address, low = ipv4("src"), Cast(ipv4("src"), U16)

    def narrow(node: object) -> object:
        match node:
            case Store(state="hits", keys=(key,)) | Lookup(container="hits", keys=(key,)) if key == address:
                return evolve(node, keys=(low,))
            case _:
                return node

    (block,) = program.blocks
    hits, total = program.states
    states = (evolve(hits, keys=(U16,)), total)
    return evolve(program, name="counted", states=states, blocks=(evolve(block, body=transform(block.body, narrow)),))


def remembered() -> DeviceProgram:
    """A frame's command sets, reads, adds to or deletes what is remembered under a key of two parts."""
    ethernet = header("ethernet", ("dst", 48), ("src", 48), ("ethertype", 16))
    command = header("command", ("verb", 8), ("high", 3), ("low", 5), ("value", 40), ("flag", 8), ("count", 16))
    verb, high, low = Field("command", "verb", U8), Field("command", "high", Bits(3)), Field("command", "low", Bits(5))
    value, flag, count = (
        Field("command", "value", Bits(40)),
        Field("command", "flag", U8),
        Field("command", "count", U16),
    )
    keys = (high, Binary("+", low, Const(1, Bits(5))))
    found = (Local("stored", Bits(40)), Local("times", U16))
    body = (
        If(Binary("==", verb, Const(0, U8)), (Store("memory", keys, "set", (value, Const(1, U16))),)),
        If(Binary("==", verb, Const(1, U8)), (Store("memory", keys, "add", (value, Const(0xFFFF, U16))),)),
        If(Binary("==", verb, Const(2, U8)), (Delete("memory", keys),)),
        If(Binary("==", verb, Const(3, U8)), (Store("last", (), "set", (value,)), Drop())),
        Lookup("memory", keys, "there", found),
        Lookup("last", (), "always", (Local("latest", Bits(40)),)),
        Assign(value, Binary("^", Local("stored", Bits(40)), Local("latest", Bits(40)))),
        Assign(count, Local("times", U16)),
        Assign(flag, Choose(Binary("==", Local("there", BOOL), Local("always", BOOL)), Const(1, U8), Const(0, U8))),
        If(Binary(">", verb, Const(100, U8)), (Delete("last", ()), Bounce())),
    )
    states = (State("memory", (Bits(3), Bits(5)), (Bits(40), U16), 256), State("last", (), (Bits(40),)))
    parser = (ParseState("ethernet", (Transition((("ethertype", 0x88B5),), "command"),)), ParseState("command"))
    block = Block("command", ("ethernet", "command"), TRUE, body, ("memory.packet",))
    return DeviceProgram("remembered", "tor", "frame", "pipeline", (ethernet, command), parser, (), states, (block,))


def looked_up() -> DeviceProgram:
    """Every kind of table, twice each in one block, and inside an `If`."""
    probe = header("probe", ("address", 32), ("small", 8), ("index", 32), *((f"out{i}", 16) for i in range(8)))
    ethernet = header("ethernet", ("dst", 48), ("src", 48), ("ethertype", 16))
    address, small, index = (Field("probe", n, Bits(w)) for n, w in (("address", 32), ("small", 8), ("index", 32)))
    lpm = (
        Entry((0, 0), (1,)),
        Entry((0x0A000000, 8), (2,)),
        Entry((0x0A0100FF, 16), (3,)),
        Entry((0x0A010203, 32), (4,)),
    )
    ranges = (Entry((0, 0), (10,)), Entry((1, 99), (11,)), Entry((200, 255), (12,)))
    tables = (
        Table("prefixes", "lpm", (U32,), (U16,), 16, lpm),
        Table("ranges", "range", (U8,), (U16,), 16, ranges),
        Table("pairs", "exact", (U32, U8), (U16, U16), 16, (Entry((0x0A000001, 7), (5, 6)), Entry((1, 0), (7, 8)))),
        Table("rows", "array", (U32,), (U16,), 4, tuple(Entry((i,), (i * 1000,)) for i in range(4))),
    )
    kinds = (("prefixes", (address,)), ("ranges", (small,)), ("pairs", (address, small)))
    lookups: list[Stmt] = []
    for number, (table, keys) in enumerate(kinds):
        bound = tuple(Local(f"{table}{i}", U16) for i in range(2 if table == "pairs" else 1))
        again = tuple(Binary("+", k, Const(1, k.type)) for k in keys)
        out, hit = Field("probe", f"out{number}", U16), f"hit{number}"
        missed = (Assign(out, Const(0xFFFF, U16)), Lookup(table, again, hit, bound))
        lookups += [Lookup(table, keys, hit, bound), Assign(out, bound[-1]), If(Unary("not", Local(hit, BOOL)), missed)]
        lookups.append(Assign(Field("probe", f"out{number + 3}", U16), bound[0]))
    lookups += [Lookup("ranges", (Cast(index, U8),), "in_range", ()), Lookup("pairs", (address, small), "paired", ())]
    both = Binary("==", Local("in_range", BOOL), Local("paired", BOOL))
    lookups.append(Assign(Field("probe", "out7", U16), Choose(both, Const(1, U16), Const(2, U16))))
    row = Binary("%", index, Const(4, U32))
    lookups += [
        Lookup("rows", (row,), None, (Local("row", U16),)),
        Assign(Field("probe", "out6", U16), Local("row", U16)),
    ]
    parser = (ParseState("ethernet", (Transition((), "probe"),)), ParseState("probe"))
    block = Block("probe", ("probe",), TRUE, tuple(lookups), ("probe.packet",))
    return DeviceProgram("looked_up", "tor", "frame", "pipeline", (ethernet, probe), parser, tables, (), (block,))


def inputs() -> DeviceProgram:
    """Writes the time and a random number into every frame."""
    frame = header("frame", ("kept", 80), ("time", 64), ("chance", 32))
    body = (
        Assign(Field("frame", "time", U64), Call("now", (), U64)),
        Assign(Field("frame", "chance", U32), Call("random", (), U32)),
    )
    block = Block("inputs", ("frame",), TRUE, body)
    return DeviceProgram("inputs", "tor", "frame", "pipeline", (frame,), (ParseState("frame"),), (), (), (block,))


INPUTS = {"bit": 1, "seven": 7, "byte": 8, "word": 16, "long": 32, "mac": 48, "wide": 64, "widest": 128}


def arithmetic(seed: int, count: int) -> DeviceProgram:
    """`count` random expressions of the fields of a header, each written to a field of another."""
    make = _Expressions(random.Random(seed))
    widths = [make.random.choice((8, 16, 32, 48, 64, 128)) for _ in range(count)]
    results = header("results", *((f"r{i}", w) for i, w in enumerate(widths)))
    inputs = header("inputs", *INPUTS.items())
    body = tuple(
        s
        for i, w in enumerate(widths)
        for s in (
            Let(f"x{i}", make.bits(Bits(w), 4)),
            Assign(Field("results", f"r{i}", Bits(w)), Local(f"x{i}", Bits(w))),
        )
    )
    parser = (ParseState("inputs", (Transition((), "results"),)), ParseState("results"))
    block = Block("arithmetic", ("inputs", "results"), TRUE, body)
    return DeviceProgram("arithmetic", "tor", "frame", "pipeline", (inputs, results), parser, (), (), (block,))


class _Expressions:
    def __init__(self, source: random.Random) -> None:
        self.random = source

    def bits(self, type_: Bits, depth: int) -> Expr:  # noqa: PLR0911  (one row a kind)
        """A word of the type."""
        if depth == 0:
            return self._leaf(type_)
        kind = self.random.choice(("binary", "binary", "shift", "divide", "cast", "choose", "unary", "crc"))
        if kind == "shift":
            amount: Expr = self.bits(Bits(self.random.choice(tuple(INPUTS.values()))), depth - 1)
            return Binary(self.random.choice(SHIFTS), self.bits(type_, depth - 1), amount)
        if kind == "divide":
            bound = min(1 << type_.width, 1 << self.random.randrange(1, 129))
            divisor = Const(self.random.randrange(bound), type_)
            return Binary(self.random.choice(("/", "%")), self.bits(type_, depth - 1), divisor)
        if kind == "cast":
            return Cast(self.bits(Bits(self.random.choice(tuple(INPUTS.values()))), depth - 1), type_)
        if kind == "choose":
            return Choose(self.truth(depth - 1), self.bits(type_, depth - 1), self.bits(type_, depth - 1))
        if kind == "unary":
            return Unary(self.random.choice(("~", "-")), self.bits(type_, depth - 1))
        if kind == "crc" and self.random.random() < 0.5:
            key = self.bits(Bits(self.random.choice((8, 16, 32, 48, 64))), depth - 1)
            return Cast(self.random.choice((Call("crc32", (key,), U32), Call("fnv1a", (key,), U64))), type_)
        op = self.random.choice(tuple(o for o in ARITHMETIC if o not in "/%"))
        return Binary(op, self.bits(type_, depth - 1), self.bits(type_, depth - 1))

    def truth(self, depth: int) -> Expr:
        """A truth value."""
        kind = self.random.choice(("order", "equality", "logic", "not")) if depth else "order"
        if kind == "logic":
            return Binary(self.random.choice((*LOGIC, *EQUALITY)), self.truth(depth - 1), self.truth(depth - 1))
        if kind == "not":
            return Unary("not", self.truth(depth - 1))
        type_ = Bits(self.random.choice(tuple(INPUTS.values())))
        op = self.random.choice(ORDER if kind == "order" else EQUALITY)
        return Binary(op, self.bits(type_, max(depth - 1, 0)), self.bits(type_, max(depth - 1, 0)))

    def _leaf(self, type_: Bits) -> Expr:
        fitting = [Field("inputs", n, type_) for n, w in INPUTS.items() if w == type_.width]
        number = Const(self.random.choice((0, 1, (1 << type_.width) - 1, self.random.getrandbits(type_.width))), type_)
        measures = [FrameSize(), HeaderOffset("results")] if type_ == U32 else []
        return self.random.choice([*fitting, *fitting, *measures, number])


def hostile() -> DeviceProgram:
    """A program in which every name tries to be something else, and some are the same once they are harmless."""
    names = (
        "apply",
        'x; } control evil() { "',
        "hdr",
        "a-b",
        "a_b",
        "a b",
        "\\",
        "..",
        "table",
        "register",
        "__LINE__",
        "",
    )
    tricks = header("*/ #include </etc/passwd>\n", *((name, 8) for name in names))
    other = header("hdr", ("isValid", 8), ("key", 8))
    fields = [Field(tricks.name, name, U8) for name in names]
    sets = Table('t"\n}', "exact", (U8,), (U8,), 4, (Entry((1,), (2,)),))
    body = (
        Let("standard", fields[0]),
        Let("standard_metadata_t", Binary("+", Local("standard", U8), fields[1])),
        Lookup(sets.name, (Local("standard_metadata_t", U8),), "packet", (Local("step", U8),)),
        Store("taken", (), "add", (Cast(Local("step", U8), U64),)),
        *(Assign(f, Binary("+", f, Local("step", U8))) for f in fields),
        Assign(Field("hdr", "isValid", U8), Choose(Local("packet", BOOL), Const(1, U8), Const(0, U8))),
    )
    parser = (ParseState(tricks.name, (Transition((("apply", 1),), "hdr"),)), ParseState("hdr"))
    block = Block("Pipeline", (tricks.name, "hdr"), TRUE, body, ("op\n#error evil", "*/ \\"))
    states = (State("taken", (), (U64,)),)
    return DeviceProgram(
        "../evil\n#error", "sw\\", "frame", "pipeline", (tricks, other), parser, (sets,), states, (block,)
    )


__all__ = ["HEADERS", "PARSER", "arithmetic", "counted", "hostile", "inputs", "looked_up", "remembered"]
