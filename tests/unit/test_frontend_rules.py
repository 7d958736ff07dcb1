"""Rules: two chains over parameters, typed as stacks are, printed and kept with the specification."""

import pytest

from bertha_ir import api
from bertha_ir.expr import Binary, Const, Param, Part
from bertha_ir.frontend.load import load
from bertha_ir.spec import Parameter, Rule, SecretArgument
from bertha_ir.text import parse_ir, print_ir
from bertha_ir.types import ENDPOINT, U32, Bits, Bytes, SecretType

TEXT = """
rule twice: compress |> compress => compress;
rule marks(low: u6, high: u6): tag(ipv4.dscp, low) |> tag(where = ipv4.dscp, mark = high) => tag(ipv4.dscp, high)
  over wire where low <= high and low != 0;
rule keys(one: secret[32], other: secret[32]): encrypt(one) |> encrypt(other) => encrypt(other) |> encrypt(one)
  over ends where one != other;
rule moves(first: endpoint, then: endpoint): rewrite(first, then) |> count(ipv4.dscp)
  => count(ipv4.dscp) |> rewrite(first, then) where first.ip == 10.0.0.1;
stack app(client, server) { request: compress |> udp(4242); response: compress |> udp(4242); }
stack other(client, server) { request: udp(4243); }
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "app.chunnel").write_text(TEXT)
    return [tmp_path / "app.chunnel"]


def rule(files, name: str) -> Rule:
    return {r.name: r for r in load(files).rules}[name]


def test_a_rule_says_nothing_of_the_wire_unless_it_is_written(files):
    """Without `over`, the ends must not be able to tell the chains apart; without `where`, there is no condition."""
    twice = rule(files, "twice")
    assert (twice.parameters, twice.equivalence, twice.condition) == ((), "end-to-end", None)
    assert [r.equivalence for r in load(files).rules] == ["end-to-end", "wire", "end-to-end", "end-to-end"]


def test_ids_are_unique_in_each_chain(files):
    """What is on both sides has one id, so that its states can be compared."""
    twice, moves = rule(files, "twice"), rule(files, "moves")
    assert ([i.id for i in twice.left], [i.id for i in twice.right]) == (["compress", "compress_2"], ["compress"])
    assert ([i.id for i in moves.left], [i.id for i in moves.right]) == (["rewrite", "count"], ["count", "rewrite"])


def test_an_argument_may_be_a_parameter(files):
    """By position or by name, of the parameter's own type; of a secret, its name."""
    marks, keys = rule(files, "marks"), rule(files, "keys")
    assert marks.parameters == (Parameter("low", Bits(6)), Parameter("high", Bits(6)))
    assert [i.argument("mark") for i in marks.left] == [Param("low", Bits(6)), Param("high", Bits(6))]
    assert keys.parameters[0] == Parameter("one", SecretType(32))
    assert [i.argument("key") for i in keys.right] == [SecretArgument("other"), SecretArgument("one")]
    assert rule(files, "moves").left[0].argument("new") == Param("then", ENDPOINT)


def test_a_condition_is_over_the_parameters(files):
    """It is typed like a body's condition: literals take their width, secrets are bytes, endpoints have parts."""
    low, high, zero = Param("low", Bits(6)), Param("high", Bits(6)), Const(0, Bits(6))
    assert rule(files, "marks").condition == Binary("and", Binary("<=", low, high), Binary("!=", low, zero))
    one, other = Param("one", Bytes(32)), Param("other", Bytes(32))
    assert rule(files, "keys").condition == Binary("!=", one, other)
    address = Part(Param("first", ENDPOINT), "ip")
    assert rule(files, "moves").condition == Binary("==", address, Const(0x0A000001, U32))


def test_the_printed_form_parses_back(files):
    """Rules are a part of the textual IR; a specification without rules prints as it did before there were any."""
    specification = load(files)
    assert parse_ir(print_ir(specification)) == specification
    assert "(rule " in print_ir(specification)
    assert "(rule " not in print_ir(load(()))


def test_choosing_a_stack_keeps_the_rules(files):
    """A rule belongs to no stack."""
    specification = load(files)
    assert api.select(specification, ["other"]).rules == specification.rules
    built = api.build(files, stacks=["other"])
    assert built.specification.rules == specification.rules


def test_the_chunnels_of_a_rule_may_be_words_of_it(tmp_path):
    """`rule`, `over`, `where` and `ends` are no keywords elsewhere: chunnels and parameters may be called so."""
    file = tmp_path / "words.chunnel"
    file.write_text(
        "chunnel over(rule: u32) { place: path; on packet(m) { if m.src.ip == rule { drop; } } }\n"
        "rule ends(where: u32): over(where) |> over(rule = where) => over(where) over wire where where > 5;\n"
    )
    (ends,) = load([file]).rules
    assert ends.condition == Binary(">", Param("where", U32), Const(5, U32))
    assert [i.id for i in ends.left] == ["over", "over_2"]
