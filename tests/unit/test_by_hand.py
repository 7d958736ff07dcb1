"""The asyncio programs by hand that a benchmark compares with send and take the same bytes as what is compiled."""

import asyncio
import os
import random
import sys

import pytest
from project import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import ends
import python as benchmark
from asyncio_by_hand.framed import Receiver

SIZES = (0, 1, 64, 256, 1400)


def messages(rng, count=30):
    for _ in range(count):
        op, flags = rng.randrange(256), rng.randrange(256)
        value = rng.randbytes(8) * (rng.choice(SIZES) // 8)
        yield rng.getrandbits(64), rng.getrandbits(64), op, flags, rng.getrandbits(64), value


def both(stack, monkeypatch):
    """Both programs, with the same nonces one after another."""
    nonces = {name: random.Random(1) for name in ("hand", "generated")}
    made = {"hand": ends.by_hand(stack), "generated": ends.generated(stack)}

    def encode(name, message):
        monkeypatch.setattr(os, "urandom", nonces[name].randbytes)
        return made[name].encode(made[name].record(*message))

    return made, encode


@pytest.mark.parametrize("stack", ends.STACKS, ids=ends.short)
def test_each_sends_what_the_other_sends(stack, monkeypatch):
    """The same bytes, and either decodes them to what was encoded."""
    made, encode = both(stack, monkeypatch)
    for message in messages(random.Random(stack)):
        data = encode("hand", message)
        assert encode("generated", message) == data
        assert made["hand"].decode(data) == made["generated"].decode(data) == message


@pytest.mark.parametrize("stack", ends.STACKS, ids=ends.short)
def test_each_drops_what_the_other_drops(stack, monkeypatch):
    """Messages cut, changed in a byte, repeated, and made of chance."""
    made, encode = both(stack, monkeypatch)
    rng, dropped = random.Random(stack), 0
    for message in messages(rng, 200):
        data = encode("hand", message)
        at = rng.randrange(len(data))
        changed = data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]
        for wrong in (data[:at], changed, rng.randbytes(at % 60), data, data):
            found = made["hand"].decode(wrong)
            assert made["generated"].decode(wrong) == found
            dropped += found is None
    assert dropped > 100


def test_streams_are_cut_into_the_same_frames(monkeypatch):
    """Wherever the reads end."""
    (stack,) = (s for s in ends.STACKS if ends.short(s) == "serialize |> encrypt |> http2")
    made, encode = both(stack, monkeypatch)
    rng = random.Random(2)
    sent = list(messages(rng))
    data, rest, taken, found = b"".join(encode("generated", m) for m in sent), b"", [], []
    receiver = Receiver(made["hand"].taken, taken.append)
    while data:
        read, data = data[: (size := rng.randrange(1, 3000))], data[size:]
        receiver.data_received(read)
        whole, rest = ends.frames(rest + read)
        found += map(made["generated"].decode, whole)
    assert taken == found == sent


@pytest.mark.parametrize(
    "stack", [s for s in ends.STACKS if ends.short(s) in {"serialize |> once", "serialize |> http2"}]
)
def test_the_benchmark_measures_both_over_loopback(stack):
    """Every message arrives, by every way; figures are there for each."""
    figures = asyncio.run(benchmark.measured(stack, 64, 1, 64))
    assert min(figures.codec_ns, figures.codec, figures.asyncio_ns, figures.asyncio) > 0
    assert (figures.batch is None) == ("http2" in stack)
