"""The interpreter against plain formulas: it is the oracle for everything else, so it has its own."""

import ipaddress
import operator
import random

import pytest
import samples
from frames import checksum, frame
from hypothesis import given
from hypothesis import strategies as st

from bertha_ir.expr import Binary, Cast, Choose, Const, Unary
from bertha_ir.interpreter.evaluate import constant, update_checksum
from bertha_ir.interpreter.packet import get_bits, set_bits
from bertha_ir.interpreter.program import Machine
from bertha_ir.interpreter.store import StateStore, find
from bertha_ir.program import Entry, State, Table
from bertha_ir.runtime import state as deployed
from bertha_ir.types import BOOL, U16, U32, U64, Bits

WIDTHS = st.sampled_from([1, 3, 8, 13, 16, 32, 48, 64, 128])
PLAIN = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


@st.composite
def operands(draw):
    """A width and two numbers of it."""
    width = draw(WIDTHS)
    number = st.integers(0, (1 << width) - 1)
    return width, draw(number), draw(number)


@given(st.binary(min_size=1, max_size=24), st.data())
def test_bits_are_numbered_from_the_most_significant(data, draw):
    """Reading and writing agree with a string of zeros and ones."""
    offset = draw.draw(st.integers(0, 8 * len(data) - 1))
    width = draw.draw(st.integers(1, 8 * len(data) - offset))
    value = draw.draw(st.integers(0, (1 << width) - 1))
    string = "".join(f"{byte:08b}" for byte in data)
    assert get_bits(data, offset, width) == int(string[offset : offset + width], 2)
    changed = bytearray(data)
    set_bits(changed, offset, width, value)
    expected = string[:offset] + f"{value:0{width}b}" + string[offset + width :]
    assert "".join(f"{byte:08b}" for byte in changed) == expected


@given(operands(), st.sampled_from(sorted(PLAIN)))
def test_arithmetic_wraps_at_the_width(numbers, op):
    """Every result is the integer's, modulo two to the width."""
    width, a, b = numbers
    assert constant(Binary(op, Const(a, Bits(width)), Const(b, Bits(width)))) == PLAIN[op](a, b) % (1 << width)


@given(operands())
def test_division_is_total(numbers):
    """By zero, the quotient is 0 and the remainder the dividend."""
    width, a, b = numbers
    left, right = Const(a, Bits(width)), Const(b, Bits(width))
    assert constant(Binary("/", left, right)) == (a // b if b else 0)
    assert constant(Binary("%", left, right)) == (a % b if b else a)


@given(operands(), st.integers(0, 255))
def test_shifts_by_the_width_give_zero(numbers, amount):
    """Also by more; the amount may be of another width."""
    width, a, _ = numbers
    left, right = Const(a, Bits(width)), Const(amount, Bits(8))
    assert constant(Binary("<<", left, right)) == (a << amount) % (1 << width)
    assert constant(Binary(">>", left, right)) == a >> amount


@given(operands())
def test_comparisons_casts_and_negations(numbers):
    """Unsigned comparison; a cast keeps the low bits; `-` and `~` stay in the width."""
    width, a, b = numbers
    left, right = Const(a, Bits(width)), Const(b, Bits(width))
    assert constant(Binary("<", left, right)) == (a < b)
    assert constant(Binary(">=", left, right)) == (a >= b)
    assert constant(Binary("!=", left, right)) == (a != b)
    assert constant(Cast(left, Bits(7))) == a % 128
    assert constant(Unary("-", left)) == -a % (1 << width)
    assert constant(Unary("~", left)) == (1 << width) - 1 - a
    assert constant(Choose(Binary("==", left, right), left, right)) == b


def test_logic_decides_from_the_left():
    """What need not be evaluated is not: its constant would be refused."""
    yes, no = Const(value=True, type=BOOL), Const(value=False, type=BOOL)
    assert [constant(Binary(op, a, b)) for op in ("and", "or") for a in (yes, no) for b in (yes, no)] == [
        True, False, False, False, True, True, True, False,
    ]  # fmt: skip


@given(st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=12), st.data())
def test_a_checksum_update_equals_summing_anew(words, draw):
    """For 16- and 32-bit changes, up to the two forms of zero that one's complement has."""
    data = b"".join(w.to_bytes(2, "big") for w in words)
    size = draw.draw(st.sampled_from([2, 4]))
    at = 2 * draw.draw(st.integers(0, (len(data) - size) // 2))
    new = draw.draw(st.binary(min_size=size, max_size=size))
    changed = data[:at] + new + data[at + size :]
    old = int.from_bytes(data[at : at + size], "big")
    updated = update_checksum(checksum(data), old, int.from_bytes(new, "big"), 8 * size)
    assert updated % 0xFFFF == checksum(changed) % 0xFFFF


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (0xDD2F, 0x5555, 0x3285, 0x0000),  # the example of RFC 1624, section 4: equation 3 gives 0x0000
        (0xFFFF, 0xFFFF, 0x0000, 0xFFFF),
        (0x0000, 0x0000, 0xFFFF, 0x0000),
        (0x1234, 0x0001, 0x0001, 0x1234),
    ],
)
def test_the_corners_of_rfc_1624(before, old, new, after):
    """The case that equation 2 gets wrong, and the ones around zero."""
    assert update_checksum(before, old, new, 16) == after


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=20), st.integers(0, 2**32 - 1))
def test_the_longest_prefix_wins(prefixes, key):
    """Against the standard library's networks; the deployed table agrees."""
    networks = {ipaddress.ip_network((p, n), strict=False) for p, n in prefixes}
    rows = [(int(n.network_address), n.prefixlen, (i,)) for i, n in enumerate(sorted(networks, key=str))]
    table = Table("t", "lpm", (U32,), (U32,), 64, tuple(Entry(r[:2], r[2]) for r in rows))
    holding = [n for n in networks if ipaddress.ip_address(key) in n]
    best = max(holding, key=lambda n: n.prefixlen, default=None)
    expected = (
        None if best is None else next(r[2] for r in rows if r[:2] == (int(best.network_address), best.prefixlen))
    )
    assert find(table, (key,)) == expected
    assert deployed.Prefixes(32, rows).get(key) == expected


@given(st.sets(st.integers(0, 255), max_size=12), st.integers(0, 255))
def test_ranges_are_closed(edges, key):
    """Against a scan; the deployed table agrees."""
    bounds = sorted(edges)
    rows = [(low, high, (i,)) for i, (low, high) in enumerate(zip(bounds[::2], bounds[1::2], strict=False))]
    table = Table("t", "range", (Bits(8),), (U32,), 64, tuple(Entry(r[:2], r[2]) for r in rows))
    expected = next((values for low, high, values in rows if low <= key <= high), None)
    assert find(table, (key,)) == deployed.Ranges(rows).get(key) == expected


STEPS = st.lists(
    st.tuples(st.sampled_from(["get", "set", "add", "delete"]), st.integers(0, 5), st.integers(0, 2**16 - 1)),
    max_size=60,
)


@given(STEPS, st.booleans())
def test_bounded_maps_agree_with_the_deployed_ones(steps, evicts):
    """Three places for six keys: full maps refuse or evict alike, whatever the order of operations."""
    store = StateStore.of((State("m", (U32,), (U16,), 3, evicts=evicts),))
    rows = (deployed.Recent if evicts else deployed.Rows)((16,), 3)
    for step, key, value in steps:
        if step in {"set", "add"}:
            getattr(store, step)("m", (key,), (value,))
            getattr(rows, step)((key,), (value,))
        elif step == "delete":
            store.delete("m", (key,))
            rows.pop((key,), None)
        else:
            assert store.get("m", (key,)) == rows.get((key,))
        assert dict(store.rows["m"]) == dict(rows.items())
        assert len(store.rows["m"]) <= 3


def test_a_full_map_takes_no_new_key():
    """Unless it evicts: then the least recently used goes."""
    for evicts, kept in ((False, {(1,), (2,)}), (True, {(1,), (3,)})):
        store = StateStore.of((State("m", (U32,), (U64,), 2, evicts=evicts),))
        store.set("m", (1,), (1,))
        store.set("m", (2,), (2,))
        store.get("m", (1,))
        store.set("m", (3,), (3,))
        assert set(store.rows["m"]) == kept


@pytest.mark.parametrize("seed", range(50))
def test_a_sharded_frame_is_as_if_sent_to_the_shard(seed):
    """Destination by FNV-1a modulo 3, everything else as it was, both checksums right when summed anew."""
    source = random.Random(seed)
    key, client = source.getrandbits(64), (0x0A000009, 5555)
    digest = 0xCBF29CE484222325
    for byte in key.to_bytes(8, "big"):
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    payload = bytes(18) + key.to_bytes(8, "big") + source.randbytes(seed)
    outcome = Machine(samples.kv_ingress()).run(frame(client, (samples.SERVICE_IP, samples.SERVICE_PORT), payload))
    assert outcome.block == "kv_request"
    assert outcome.data == frame(client, samples.SHARDS[digest % 3], payload)
