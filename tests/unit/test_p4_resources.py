"""What P4 programs take of a switch, against numbers made by hand; and that what takes too much is refused, by name."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from samples import HEADERS, PARSER, header, ipv4, udp
from switches import TRUE, counted, inputs, looked_up, remembered

from bertha_ir.backends.base import Unit
from bertha_ir.backends.p4.chip import Chip
from bertha_ir.backends.p4.model import Register
from bertha_ir.backends.p4.resources import carried, estimate
from bertha_ir.backends.p4.target import P4Backend
from bertha_ir.cost_models.figures import load_profile
from bertha_ir.expr import Binary, Call, Const, Expr, Field, Local
from bertha_ir.program import Block, DeviceProgram, ParseState, State, Table
from bertha_ir.source import SourceFile, Span
from bertha_ir.stmt import Assign, Drop, If, Let, Lookup, Stmt, Store
from bertha_ir.types import BOOL, U8, U16, U32, U64, Bits, Bytes

TOFINO = load_profile("tofino-1").limits
ONE = Const(1, U32)


def running(*body: Stmt, tables=(), states=(), ops=("op.packet",)) -> DeviceProgram:
    """A program that runs `body` on every UDP frame."""
    block = Block("b", ("ethernet", "ipv4", "udp"), TRUE, body, ops)
    return DeviceProgram("p", "tor", "frame", "pipeline", HEADERS, PARSER, tables, states, (block,))


def takes(program: DeviceProgram, limits=TOFINO) -> dict[str, int]:
    return {use.name: use.needs for use in estimate(program, limits)}


def stages(*body: Stmt, tables=(), states=(), limits=TOFINO) -> int:
    return takes(running(*body, tables=tables, states=states), limits)["stages"]


def exact(name: str, size=16) -> Table:
    return Table(name, "exact", (U32,), (U32,), size, ())


def prefixes(name: str, size=16, span=None) -> Table:
    return Table(name, "lpm", (U32,), (), size, (), span)


def found(name: str, key: Expr, *, hit: str | None = None, span: Span | None = None, value=True) -> Lookup:
    """A look-up that gives the local `NAME_value`."""
    return Lookup(name, (key,), hit, (Local(f"{name}_value", U32),) if value else (), span)


def at(text: str) -> Span:
    return Span(SourceFile("a.chunnel", text), 0, len(text))


def refused(program: DeviceProgram, limits=TOFINO) -> list[tuple[str, str, str | None]]:
    """Each diagnostic's code, message, and the text it underlines."""
    diagnostics = P4Backend().validate(Unit(program, limits=limits))
    assert all(d.help for d in diagnostics)
    return [(d.code.number(), d.message, d.span.text if d.span else None) for d in diagnostics]


# Stages


def chain(length: int) -> tuple[tuple[Stmt, ...], tuple[Table, ...]]:
    """Look-ups of which each asks for what the one before gave."""
    keys = (ipv4("src"), *(Local(f"t{n}_value", U32) for n in range(length)))
    body = tuple(found(f"t{n}", keys[n], span=at(f"look-up {n}")) for n in range(length))
    return body, tuple(exact(f"t{n}") for n in range(length))


@pytest.mark.parametrize("length", [1, 2, 7, 12])
def test_a_chain_of_tables_takes_a_stage_each(length):
    """A match needs what another's action gave, a stage later (match dependency)."""
    body, tables = chain(length)
    assert stages(*body, tables=tables) == length
    assert stages(*body, tables=tables, limits=()) == length


def test_tables_that_do_not_depend_on_each_other_share_a_stage():
    """Eight exact tables have a hash each and four blocks of 80; a ninth has no hash left. So with tables in TCAM."""
    for make in (exact, prefixes):
        for count, expected in ((1, 1), (8, 1), (9, 2), (16, 2), (17, 3)):
            tables = tuple(make(f"t{n}") for n in range(count))
            body = tuple(found(t.name, ipv4("src"), value=bool(t.values)) for t in tables)
            assert stages(*body, tables=tables) == expected


def test_a_table_goes_on_in_the_next_stage():
    """20480 prefixes are 40 blocks of TCAM, of which a stage has 24; what asks for the result comes behind both."""
    tables = (Table("wide", "lpm", (U32,), (U32,), 20480, ()), exact("t"))
    body = (found("wide", ipv4("src")), found("t", Local("wide_value", U32)))
    assert takes(running(*body, tables=tables))["tcam"] == 40
    assert stages(*body[:1], tables=tables) == 2
    assert stages(*body, tables=tables) == 3


def test_what_lies_behind_a_level_has_no_room_before_it():
    """Nine tables of TCAM whose key is there from the second stage on: the second, and one more."""
    tables = (exact("first"), *(prefixes(f"t{n}") for n in range(9)))
    key = Local("first_value", U32)
    body = (found("first", ipv4("src")), *(found(f"t{n}", key, value=False) for n in range(9)))
    assert stages(*body, tables=tables) == 3


HIT = Local("hit", BOOL)
SAME = Binary("==", Local("t_value", U32), ONE)
SUM = Binary("+", ipv4("src"), ONE)
CASES = (
    ("nothing", (), 0),
    ("a field is set", (Assign(ipv4("dst"), ONE),), 1),
    ("two fields are set", (Assign(ipv4("dst"), ONE), Assign(ipv4("src"), ONE)), 1),
    ("a field is set twice (action)", (Assign(ipv4("dst"), ONE), Assign(ipv4("dst"), SUM)), 2),
    ("what was set is read", (Assign(ipv4("dst"), SUM), Assign(ipv4("src"), ipv4("dst"))), 2),
    ("a key is set that was matched (reverse-match)", (found("t", ipv4("src")), Assign(ipv4("src"), ONE)), 1),
    ("a hit decides (successor)", (found("t", ipv4("src"), hit="hit"), If(HIT, (Drop(),))), 1),
    ("what was found is compared", (found("t", ipv4("src")), If(SAME, (Drop(),))), 2),
    ("what is less than what varies", (If(Binary("<", ipv4("src"), ipv4("dst")), (Drop(),)),), 2),
    ("what is less than a constant", (If(Binary("<", ipv4("src"), ONE), (Drop(),)),), 1),
    ("a sum of a sum", (Let("x", SUM), Assign(ipv4("dst"), Binary("+", Local("x", U32), ONE))), 2),
    ("a hash, set", (Assign(ipv4("dst"), Call("crc32", (ipv4("src"),), U32)),), 1),
    ("times 5: two shifts, a sum", (Assign(ipv4("dst"), Binary("*", ipv4("src"), Const(5, U32))),), 2),
    ("a quotient by 8: a shift", (Assign(ipv4("dst"), Binary("/", ipv4("src"), Const(8, U32))),), 1),
    ("behind a state", (Lookup("cell", (), None, (Local("v", U32),)), Assign(ipv4("dst"), Local("v", U32))), 2),
)  # fmt: skip


@pytest.mark.parametrize(("name", "body", "expected"), CASES, ids=[c[0] for c in CASES])
def test_stages_by_hand(name, body, expected):
    """One dependency at a time."""
    assert stages(*body, tables=(exact("t"),), states=(State("cell", (), (U32,)),)) == expected, name


def test_a_key_is_not_written_before_it_is_matched():
    """A table that waits for another half of its key keeps the first half from being written until then."""
    pair = Table("pair", "exact", (U32, U32), (), 16, ())
    late = Lookup("pair", (ipv4("src"), Local("t_value", U32)), None, ())
    body = (found("t", ipv4("src")), late, Assign(ipv4("src"), ONE), Assign(ipv4("dst"), SUM))
    assert stages(*body, tables=(exact("t"), pair)) == 3
    assert stages(*body[2:]) == stages(body[0], *body[2:], tables=(exact("t"),)) == 2


def test_branches_run_beside_each_other():
    """Of two branches that set a field, one runs, in the stage of the condition."""
    either = If(Binary("==", udp("src_port"), Const(1, U16)), (Assign(ipv4("dst"), ONE),), (Assign(ipv4("dst"), SUM),))
    assert stages(either) == 1


def test_a_hash_multiplied_is_no_match_for_twelve_stages():
    """FNV-1a of four bytes multiplies 64-bit words four times, one after the other; crc32 is a unit's."""
    assert stages(Let("h", Call("fnv1a", (ipv4("src"),), U64))) > 12
    assert stages(Let("h", Call("crc32", (ipv4("src"),), U32))) == 1


# Memory

CHIP = Chip.of(TOFINO)


@pytest.mark.parametrize(
    ("table", "sram", "tcam"),
    [
        # 32 bits of key less 10 that the row tells, 16 of value, 4 of version, 6 of instruction: 48, two a row.
        (Table("t", "exact", (U32,), (U16,), 16, ()), 4, 0),
        (Table("t", "exact", (U32,), (U16,), 4 * 2048, ()), 4, 0),
        (Table("t", "exact", (U32,), (U16,), 4 * 2048 + 1, ()), 5, 0),
        # 128 + 64 - 10 + 10 = 192 bits: a row of two blocks.
        (Table("t", "exact", (U64, U64), (U64,), 4096, ()), 8, 0),
        (Table("t", "array", (U32,), (U16,), 5 * 1024, ()), 1, 0),
        # 512 prefixes a block of 44 bits; what they give has 6 bits of instruction: 8, of which five are in a row.
        (prefixes("t", 1024), 1, 2),
        (prefixes("t", 1025), 1, 3),
        (Table("t", "lpm", (U64,), (), 512, ()), 1, 2),
        # A range of 16 bits is at most 30 prefixes: 480 rows.
        (Table("t", "range", (U16,), (), 16, ()), 1, 1),
        (Table("t", "range", (U16,), (), 18, ()), 1, 2),
    ],
)
def test_blocks_of_tables_by_hand(table, sram, tcam):
    """Rows of 128 bits, 1024 a block of SRAM; of 44, 512 a block of TCAM."""
    demand = CHIP.table(table, with_values=bool(table.values))
    assert (demand.sram, demand.tcam) == (sram, tcam)


@pytest.mark.parametrize(("width", "size", "blocks"), [(32, 1, 2), (64, 65536, 33), (1, 65536, 2), (128, 1024, 4)])
def test_blocks_of_registers_by_hand(width, size, blocks):
    """Words of a power of two bits, beside each other in rows of 128, and a block to spare; 128 bits are two arrays."""
    demand = CHIP.register(Register("r", width, size))
    assert (demand.sram, demand.alus) == (blocks, 2 if width > 64 else 1)


def test_what_a_packet_carries():
    """Headers on the longest way, and the locals that are alive together: two, as the first is yet to be read."""
    frame = 8 * (14 + 4 + 20 + 8 + 26)
    body = (Let("x", SUM), Let("y", SUM), Assign(ipv4("src"), Local("x", U32)), Let("z", SUM))
    assert carried(running()) == frame
    assert carried(running(*body)) == frame + 64
    assert carried(running(*body, Assign(ipv4("dst"), Local("y", U32)), Let("w", Local("z", U32)))) == frame + 64
    assert carried(running(Let("flag", TRUE), If(Local("flag", BOOL), (Drop(),)))) == frame + 8


def test_the_parser():
    """A row for each way on and for none, and five headers one behind another."""
    found = takes(running())
    assert (found["parser_rows"], found["parser_depth"]) == (3 + 2 + 2 + 2 + 1, 5)


# Refusing


def test_a_table_too_large_names_its_op_and_the_figures():
    """200000 prefixes are 391 blocks of TCAM."""
    body = (found("t", ipv4("src"), value=False, span=at("in deny")),)
    program = running(*body, tables=(prefixes("t", 200_000),), ops=("firewall.packet",))
    message = "`firewall.packet` is too much: it takes 391 blocks of TCAM of 288"
    assert refused(program) == [("CH354", message, "in deny")]
    assert refused(evolve(program, tables=(prefixes("t", 288 * 512),))) == []


def test_the_first_step_past_the_limit_is_underlined():
    """The thirteenth of a chain of fifteen, under a condition or not; in a block of several ops none is blamed."""
    body, tables = chain(15)
    message = "`op.packet` is too much: it takes 15 stages of 12"
    assert refused(running(*body, tables=tables)) == [("CH354", message, "look-up 12")]
    nested = (body[0], If(Binary("==", udp("src_port"), Const(1, U16)), body[1:]))
    assert refused(running(*nested, tables=tables)) == [("CH354", message, "look-up 12")]
    merged = running(*body, tables=tables, ops=("a.packet", "b.packet"))
    assert refused(merged) == [("CH354", "it takes 15 stages of 12", "look-up 12")]


def test_the_second_blocks_op_is_named():
    """Blocks share the memory: what the first has taken, the second has not."""
    half = 200 * 512
    program = running(found("t", ipv4("src"), value=False), tables=(prefixes("t", half), prefixes("u", half)))
    second = Block("c", ("ethernet",), TRUE, (found("u", ipv4("dst"), value=False, span=at("u")),), ("late.packet",))
    message = "`late.packet` is too much: it takes 400 blocks of TCAM of 288"
    assert refused(evolve(program, blocks=(*program.blocks, second))) == [("CH354", message, "u")]


def test_headers_alone_are_too_much():
    """4096 bits are carried; no op is to blame for headers."""
    wide = header("wide", *((f"f{n}", 128) for n in range(32)), ("last", 8))
    program = evolve(running(), headers=(wide,), parser=(ParseState("wide"),), blocks=(), span=at("program"))
    message = "it takes 4104 bits of packet headers and values carried from stage to stage of 4096"
    assert refused(program) == [("CH354", message, "program")]


def test_a_register_array_is_in_one_stage():
    """2^20 words of 64 bits are 513 blocks of all 960, but a stage has map RAMs for 48."""
    state = State("seen", (Bits(20),), (U64,), 1 << 20)
    store = Store("seen", (Const(1, Bits(20)),), "add", (Const(1, U64),), at("seen"))
    (only,) = refused(running(store, states=(state,)))
    assert "it takes 513 blocks of SRAM for one register array" in only[1]
    assert only[1].endswith("of 48")


def test_a_profile_that_is_silent_sets_no_limit():
    """BMv2 has no stages; neither has a device without a profile. What a program takes is said all the same."""
    body, tables = chain(40)
    for limits in ((), load_profile("bmv2").limits):
        program = running(*body, tables=tables)
        assert refused(program, limits) == []
        assert takes(program, limits)["stages"] == 40
        assert {use.has for use in P4Backend().resources(Unit(program, limits=limits))} == {None}


def test_each_figure_limits_by_itself():
    """A profile with nothing but the number of stages limits nothing else."""
    body, tables = chain(13)
    assert refused(running(*body, tables=tables), (("stages", 12.0),))
    assert refused(running(tables=tables), (("stages", 12.0),)) == []


def test_tofinos_profiles_have_what_is_compared():
    """Each use of a program has its limit there, but the parser's depth; Tofino 2's headers are not known."""
    for name, silent in (("tofino-1", {"parser_depth"}), ("tofino-2", {"parser_depth", "phv_bits"})):
        assert {u.name for u in estimate(running(), load_profile(name).limits) if u.has is None} == silent


# Another op never takes less

FIELDS = (ipv4("src"), ipv4("dst"), ipv4("ttl", 8), udp("src_port"), Field("KvRequest", "key", U64))
WORDS = [f for f in FIELDS if f.type == U32]
NUMBERS = st.integers(1, 1 << 16)


@st.composite
def ops(draw, number: int):
    """An op: statements, tables and states whose names are its own or, for a state, shared."""
    one, other = draw(st.sampled_from(WORDS)), draw(st.sampled_from(WORDS))
    table, hit = f"t{number}", Local(f"hit{number}", BOOL)
    size = draw(st.sampled_from((1, 1000, 20_000, 300_000)))
    shape = draw(st.sampled_from(("exact", "lpm", "range")))
    tables = (Table(table, shape, (U32,), (U32,), size, ()),)
    state = State(f"s{number}", (U16,), (draw(st.sampled_from((U8, U64, Bytes(16)))),), 65536)
    value = state.values[0]
    zero = Const(bytes(16), value) if isinstance(value, Bytes) else Const(0, value)
    shared, seen, hashed = State("shared", (), (U32,)), Local(f"v{number}", U32), Local(f"h{number}", U32)
    bodies = (
        (Assign(one, other),),
        (Assign(one, Binary("+", other, ONE)),),
        (Assign(one, Binary("*", other, Const(draw(NUMBERS), U32))),),
        (found(table, one), Assign(other, Local(f"{table}_value", U32))),
        (found(table, one, hit=hit.name), If(hit, (Drop(),), (Assign(other, ONE),))),
        (Store(state.name, (udp("src_port"),), "set", (zero,)),),
        (Lookup("shared", (), None, (seen,)), Store("shared", (), "set", (one,))),
        (Let(hashed.name, Call("crc32", (one,), U32)), Assign(other, hashed)),
    )
    return draw(st.sampled_from(bodies)), tables, (state, shared)


def joined(parts, cut: int) -> DeviceProgram:
    """A program of ops, in two blocks."""
    bodies = [tuple(s for body, _, _ in some for s in body) for some in (parts[:cut], parts[cut:])]
    tables = tuple({t.name: t for _, tables, _ in parts for t in tables}.values())
    states = tuple({s.name: s for _, _, states in parts for s in states}.values())
    program = running(*bodies[0], tables=tables, states=states)
    return evolve(program, blocks=(*program.blocks, Block("c", ("ethernet", "ipv4"), TRUE, bodies[1])))


@given(data=st.data(), count=st.integers(0, 6))
def test_another_op_never_takes_less(data, count):
    """Wherever it is put, of any resource, on a chip that is known and on one that is not."""
    parts = [data.draw(ops(number)) for number in range(count)]
    place, cut = data.draw(st.integers(0, count)), data.draw(st.integers(0, count))
    more = [*parts[:place], data.draw(ops(count)), *parts[place:]]
    for limits in (TOFINO, ()):
        before, after = takes(joined(parts, cut), limits), takes(joined(more, cut + (place <= cut)), limits)
        assert all(after[name] >= needs for name, needs in before.items())


@pytest.mark.parametrize("make", [counted, inputs, looked_up, remembered])
def test_real_programs_fit_a_tofino_or_are_told_why(make):
    """Whatever is in a program, the estimate answers; one block has no fewer than each statement alone."""
    program = make()
    whole = takes(program)
    (block, *_) = program.blocks
    for statement in block.body:
        alone = takes(evolve(program, blocks=(evolve(block, body=(statement,)),)))
        assert all(alone[name] <= whole[name] for name in whole)
