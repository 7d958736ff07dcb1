"""What is printed parses back to an equal value, and what was not printed is refused in one way."""

import random
from contextlib import suppress

import pytest
import samples
from generators import Programs
from hypothesis import given
from hypothesis import strategies as st

from bertha_ir import api, program, text
from bertha_ir.expr import Binary, Const
from bertha_ir.text import TextError, parse_ir, print_ir
from bertha_ir.types import U8, Bits, Bytes, Record

assert api  # registers the node classes
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_values_come_back(value):
    """Words, numbers, strings of any characters, bytes and tuples of them."""
    assert parse_ir(print_ir(value)) == value


@pytest.mark.parametrize("seed", range(40))
def test_programs_come_back(seed):
    """Random programs of every statement, expression and kind of table."""
    made = Programs(seed).program()
    assert parse_ir(print_ir(made)) == made


@pytest.mark.parametrize("value", [Bits(1), Bits(128), Bytes(), Bytes(7), Record("Kv"), Const(b"\0", Bytes(1))])
def test_types_come_back(value):
    """A type of a value prints as in the language."""
    assert parse_ir(print_ir(value)) == value


def test_defaults_at_the_end_are_left_out():
    """`(state …)` without the fields that hold their defaults."""
    assert print_ir(program.State("n", (), (U8,))) == '(state "n" [] [u8])\n'


@pytest.mark.parametrize("seed", range(300))
def test_broken_text_is_a_text_error(seed):
    """A mutated text parses to some value, or is refused in one way: no other exception gets out."""
    source = random.Random(seed)
    whole = print_ir(samples.kv_egress())
    start, length = source.randrange(len(whole)), source.randrange(1, 12)
    junk = source.choice(["", "(", ")", "[", '"', "u999", 'x"0', "none", "-", "\\", "7", "(binary"])
    with suppress(TextError):
        parse_ir(whole[:start] + junk + whole[start + length :])


@pytest.mark.parametrize(
    "broken",
    ["(" * 500, "[" * 500 + "]" * 500, "", "u8 u8", "(nothing)", '(binary "+")', '(binary "+" "x" (const 1 u8))'],
)
def test_hopeless_text_is_a_text_error(broken):
    """Too deep, empty, two values, unknown nodes, missing fields, words where nodes belong."""
    with pytest.raises(TextError):
        parse_ir(broken)


def test_ill_typed_text_is_a_text_error():
    """The constructors' checks hold for what is read, too."""
    printed = print_ir(Binary("+", Const(1, U8), Const(2, U8)))
    with pytest.raises(TextError):
        parse_ir(printed.replace("(const 2 u8)", "(const 2 u16)"))


def test_two_classes_of_one_name_are_refused():
    """A printed name means one class."""

    class Stranger:
        __name__ = "stranger"

    with pytest.raises(TypeError, match="no IR node"):
        text.print_ir(Stranger())
