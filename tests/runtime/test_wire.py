"""The messages of negotiation: what is written can be read, and nothing else can."""

import os
import random
import tracemalloc

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertha_ir.runtime.negotiation import wire
from bertha_ir.runtime.negotiation.wire import Envelope, VersionError, WireError, inner, opened

LONG = bool(os.environ.get("BERTHA_LONG"))
NAME = b"12345678"
PLAN = b"p" * 32
ENDPOINTS = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))
NUMBERS = st.integers(0, 2**32 - 1)
ROWS = st.lists(st.tuples(st.tuples(st.integers(0, 2**128 - 1)), ENDPOINTS), max_size=3).map(tuple)
TEXTS = st.text(max_size=50)
IDS = st.binary(min_size=32, max_size=32)
NONCES = st.binary(min_size=16, max_size=16)
TICKETS = st.binary(max_size=256)
MESSAGES = st.one_of(
    st.builds(wire.Offer, TEXTS, IDS, st.lists(IDS, max_size=4).map(tuple), NONCES, TICKETS),
    st.builds(wire.Answer, IDS, NONCES, ENDPOINTS, TEXTS, TICKETS, NUMBERS),
    st.builds(wire.Refusal, TEXTS, TEXTS),
    st.builds(wire.Ready),
    st.builds(wire.Done, NUMBERS, NUMBERS),
    st.builds(wire.Returned, NUMBERS, st.binary(max_size=100)),
    st.builds(wire.Push, NUMBERS, TEXTS, st.dictionaries(TEXTS, ROWS, max_size=2)),
    st.builds(wire.Move, NUMBERS, IDS, ENDPOINTS),
    st.builds(wire.Moved, NUMBERS, TEXTS),
    st.builds(wire.Close, TEXTS),
    st.builds(wire.Ping, NUMBERS),
    st.builds(wire.Fetch, TEXTS, TEXTS, NUMBERS, st.binary(max_size=100)),
    st.builds(wire.Piece, TEXTS, NUMBERS, NUMBERS, st.binary(max_size=100)),
)


def sealed(message, mac=b""):
    body = inner(NAME, message)
    return Envelope(NAME, message, body, mac)


@given(MESSAGES, st.sampled_from([b"", b"m" * 32]))
def test_what_is_written_can_be_read(message, mac):
    """Every message comes back as it was, from the one form that it has."""
    envelope = sealed(message, mac)
    assert opened(envelope.data) == envelope


def test_bounds_hold():
    """Texts, lists, bytes and numbers beyond what a message may have are refused, and so is a datagram too long."""
    wrong = [
        wire.Offer("s" * 201, PLAN, (PLAN,), bytes(16)),
        wire.Offer("s", PLAN, (PLAN,) * 65, bytes(16)),
        wire.Offer("s", PLAN, (b"short",), bytes(16)),
        wire.Offer("s", PLAN, (PLAN,), bytes(15)),
        wire.Offer("s", PLAN, (PLAN,), bytes(16), bytes(257)),
        wire.Answer(PLAN, bytes(16), (1 << 32, 0), ""),
        wire.Answer(PLAN, bytes(16), (0, 1 << 16), ""),
        wire.Done(-1),
        wire.Done(1 << 32),
        wire.Done("1"),
        wire.Push(1, "p", {"t": (((1,), (1 << 128,)),)}),
        wire.Push(1, "p", {"t": (((1,) * 17, ()),)}),
        wire.Push(1, "p", {"t": ((((1,),), ()),)}),
        wire.Piece("p", 0, 1, bytes(wire.PIECE + 1)),
    ]
    for message in wrong:
        with pytest.raises(WireError):
            opened(sealed(message).data)
    with pytest.raises(WireError, match="a datagram holds"):
        _ = sealed(wire.Returned(1, bytes(wire.LARGEST))).data


def test_other_forms_are_refused():
    """Bytes behind it, another order or width, repeated keys, tags, indefinite and huge lengths, nests, other kinds."""
    body = inner(NAME, wire.Done(1, 2))
    good = cbor2.dumps([1, body, b""], canonical=True)
    assert opened(good).message == wire.Done(1, 2)
    nested = b"\x81" * 10_000 + b"\x00"

    def outer(inside):
        return cbor2.dumps([1, inside, b""], canonical=True)

    def within(*parts):
        return outer(cbor2.dumps([*parts], canonical=True))

    fields = {"of": 1, "number": 2}
    wrong = [
        b"", good + b"\0", good[:-1], good.replace(b"\x83\x01", b"\x83\x18\x01"), nested, outer(nested),
        b"\x9b" + b"\xff" * 8, b"\x5b" + b"\xff" * 8, b"\xbb" + b"\xff" * 8, b"\x9f\xff", b"\xc1\x00",
        b"\xd8\x23\x63a+(", b"\xd9\x01\x00\x80", outer(b"\xa2\x00\x00\x00\x00"),
        cbor2.dumps([1, body], canonical=True), cbor2.dumps([1, body, b"short"], canonical=True),
        within(NAME, 99, fields), within(NAME, 5, {"of": 1}),
        within(NAME, 5, fields | {"more": 1}),
        outer(cbor2.dumps([NAME[1:], 5, fields], canonical=True)), within(NAME, 5, [1, 2]),
        within(NAME, 5.0, fields), within(NAME, 5, {"of": 1.5, "number": 2}),
        within(NAME, 5, {1: 2}), bytes(wire.LARGEST + 1),
    ]  # fmt: skip
    for data in wrong:
        with pytest.raises(WireError):
            opened(data)
    with pytest.raises(VersionError, match="version 2 of the protocol"):
        opened(cbor2.dumps([2, "whatever", {"a": 1}], canonical=True))


def garbled(chance, samples):
    data = bytearray(chance.choice(samples))
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at:at] = chance.randbytes(chance.randrange(9))
            case 2:
                del data[at : at + chance.randrange(9)]
            case _:
                data[at:] = chance.choice(samples)[at:]
    return bytes(data)


def test_garbage_is_refused_and_costs_nothing():
    """Random bytes and messages that were changed: only `WireError`, and no memory is kept."""
    chance = random.Random(11)
    messages = [
        wire.Offer("kv", PLAN, (PLAN, PLAN), bytes(16), b"t" * 88), wire.Answer(PLAN, bytes(16), (1, 2), "way"),
        wire.Push(3, "p", {"t": (((1,), (2, 3)), ((2,), (4, 5)))}), wire.Move(1, PLAN, (0, 1)),
        wire.Returned(0, b"abc"), wire.Fetch("kv", "manifest.json", 0, bytes(99)), wire.Close("why"),
    ]  # fmt: skip
    samples = [sealed(message, chance.choice((b"", b"m" * 32))).data for message in messages]
    tracemalloc.start()
    refused = 0
    for number in range(100_000 if LONG else 4_000):
        data = chance.randbytes(chance.randrange(200)) if number % 4 == 0 else garbled(chance, samples)
        try:
            opened(data)
        except WireError:
            refused += 1
        if number == 1000:
            before = tracemalloc.get_traced_memory()[0]
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert refused > 1000
    assert grown < 100_000


@settings(max_examples=300 if not LONG else 20_000)
@given(st.binary(max_size=300))
def test_any_bytes(data):
    """Hypothesis' own idea of garbage."""
    try:
        opened(data)
    except WireError:
        return
    raise AssertionError(data)
