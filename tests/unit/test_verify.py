"""The verifier refuses each way in which a device program can be malformed, and passes what is well formed."""

from pathlib import Path

import pytest
import samples
from attrs import evolve
from compiling import examples

from bertha_ir import api
from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.legality import LEGAL, check_stage
from bertha_ir.program import Block, Entry, Header, HeaderField, ParseState, State, Table, Transition
from bertha_ir.types import BOOL, U8, U16, U32, U64, Bits, Bytes
from bertha_ir.verify import VerifyError, verify_program

GOOD = samples.filter_count_limit()
N = e.Local("n", U32)
ONE = e.Const(1, U32)
ROOTS = ("frame", "datagram", "send", "recv")


def with_body(*body: s.Stmt):
    return evolve(GOOD, blocks=(evolve(GOOD.blocks[0], body=body),))


def with_table(table: Table):
    return evolve(GOOD, tables=(*GOOD.tables, table))


def with_parser(*states: ParseState):
    return evolve(GOOD, parser=states, blocks=())


BROKEN = {
    "not whole bytes": evolve(GOOD, headers=(*GOOD.headers, Header("h", (HeaderField("x", Bits(7)),)))),
    "two headers have one name": evolve(GOOD, headers=(*GOOD.headers, GOOD.headers[0])),
    "two tables or states": with_table(Table("hits", "array", (U32,), (U8,), 1, ())),
    "two blocks": evolve(GOOD, blocks=GOOD.blocks * 2),
    "the parser extracts the unknown header": with_parser(ParseState("nothing")),
    "the parser goes to the unknown state": with_parser(ParseState("udp", (Transition((), "ipv4"),))),
    "the parser compares": with_parser(
        ParseState("udp", (Transition((("dst_port", 1 << 16),), "ipv4"),)), ParseState("ipv4")
    ),
    "the parser comes back": with_parser(
        ParseState("udp", (Transition((), "ipv4"),)), ParseState("ipv4", (Transition((), "udp"),))
    ),
    "entries in a table of": with_table(Table("t", "array", (U32,), (U8,), 1, (Entry((0,), (1,)), Entry((1,), (1,))))),
    "the values": with_table(Table("t", "array", (U32,), (U8,), 1, (Entry((0,), (256,)),))),
    "a gap in an array": with_table(Table("t", "array", (U32,), (U8,), 4, (Entry((1,), (1,)),))),
    "ranges that overlap": with_table(Table("t", "range", (U8,), (), 4, (Entry((0, 5)), Entry((5, 9))))),
    "the match": with_table(Table("t", "lpm", (U32,), (), 4, (Entry((1, 24)),))),
    "keys in an lpm table": with_table(Table("t", "lpm", (U32, U32), (), 4, ())),
    "the block needs": evolve(GOOD, blocks=(Block("b", ("KvRequest",), e.Const(value=True, type=BOOL), ()),)),
    "read before it is bound": with_body(s.Let("m", N)),
    "as another type": with_body(s.Let("n", e.Const(1, U64)), s.Let("m", N)),
    "bound in one branch only": with_body(s.If(e.Const(value=True, type=BOOL), (s.Let("n", ONE),)), s.Let("m", N)),
    "no table or state is called": with_body(s.Lookup("nothing", (ONE,), None, ())),
    "keys of `hits`": with_body(s.Lookup("hits", (e.Const(1, U64),), None, ())),
    "values of `hits`": with_body(s.Lookup("hits", (ONE,), None, (N,))),
    "keys of `total`": with_body(s.Store("total", (ONE,), "set", (e.Const(1, U64),))),
    "values of `total`": with_body(s.Store("total", (), "set", (ONE,))),
    "no header is called": with_body(s.Let("n", e.Field("nothing", "x", U32))),
    "is no field of type": with_body(s.Let("n", e.Field("udp", "dst_port", U32))),
    "a statement follows the end": with_body(s.Drop(), s.Let("n", ONE)),
    "is not legal at the stage": with_body(s.Assign(e.Address("dst"), e.Const((1, 2), e.ENDPOINT))),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_malformed_is_refused(what):
    """One program for each rule."""
    with pytest.raises(VerifyError) as caught:
        verify_program(BROKEN[what])
    said = "read before it is bound" if what in {"as another type", "bound in one branch only"} else what
    assert said in str(caught.value)
    assert str(caught.value).startswith("h1/guard")


@pytest.mark.parametrize("name", samples.__all__)
def test_what_is_well_formed_passes(name):
    """The programs that other tests rely on."""
    verify_program(getattr(samples, name)())


@pytest.mark.parametrize("folder", examples(), ids=lambda p: Path(p).name)
def test_compiled_programs_pass(folder):
    """All of them, of each example."""
    programs = api.build(sorted(folder.glob("*.chunnel")), verify=False).programs
    assert len(programs) >= 3
    for placed in programs:
        verify_program(placed.program)


def test_every_node_is_legal_somewhere():
    """A class that no stage's row names would be illegal everywhere."""
    named = set().union(*LEGAL.values())
    nodes = {*e.Expr.__args__, *s.Stmt.__args__}
    assert named == nodes


@pytest.mark.parametrize("stage", ["expanded", *ROOTS])
def test_parameters_end_with_expansion(stage):
    """No later stage has them."""
    for node in (e.Param("p", U8), e.ParamField("p", U8), e.Count("p")):
        with pytest.raises(VerifyError):
            check_stage(stage, node, "here")


@pytest.mark.parametrize("stage", ROOTS)
def test_tables_are_read_by_statements_once_lowered(stage):
    """Look-ups inside expressions are gone."""
    for node in (e.Element("t", ONE, U8), e.Contains("t", ONE), e.Get("s", ONE, U16), e.Match("t", ONE, ONE)):
        with pytest.raises(VerifyError):
            check_stage(stage, node, "here")


def test_states_of_bytes_compare_by_being_bytes():
    """A byte string of fixed size may be stored where one of any size is declared."""
    state = State("waiting", (U32,), (Bytes(),), 4)
    body = (s.Store("waiting", (ONE,), "set", (e.Const(b"abc", Bytes(3)),)),)
    block = Block("b", (), e.Const(value=True, type=BOOL), body)
    verify_program(evolve(GOOD, root="datagram", states=(state,), tables=(), parser=(), blocks=(block,)))
