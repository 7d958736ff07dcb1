"""Primitives keep their laws, and their expansions mean what they do."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bertha_ir.expr import Const
from bertha_ir.interpreter.evaluate import constant
from bertha_ir.primitives import PRIMITIVES, as_bytes, expand_fnv1a, maglev
from bertha_ir.runtime import primitives as run
from bertha_ir.types import Bits, Bytes

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("data", "digest"),
    [(b"", 0xCBF29CE484222325), (b"a", 0xAF63DC4C8601EC8C), (b"foobar", 0x85944171F73967E8)],
)
def test_fnv1a_gives_the_published_digests(data, digest):
    """The vectors of the hash's authors."""
    assert run.fnv1a(data) == digest


@given(st.sampled_from([8, 16, 24, 32, 64, 128]), st.data())
def test_the_expansion_of_fnv1a_is_the_hash(width, draw):
    """As a word and as a byte string."""
    number = draw.draw(st.integers(0, (1 << width) - 1))
    data = number.to_bytes(width // 8, "big")
    assert constant(expand_fnv1a(Const(number, Bits(width)))) == run.fnv1a(data)
    assert constant(expand_fnv1a(Const(data, Bytes(width // 8)))) == run.fnv1a(data)
    assert as_bytes(number, Bits(width)) == data


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_inverses_undo(data, number):
    """`inverse(f(x)) == x`, and the growth that a primitive declares is the one it has."""
    sealed, framed = run.aead_seal(KEY, number, data), run.http2_frame(number, data)
    assert run.aead_open(KEY, sealed) == run.http2_unframe(framed) == data
    assert run.zstd_decompress(run.zstd_compress(data)) == data
    assert len(sealed) - len(data) == PRIMITIVES["aead_seal"].growth
    assert len(framed) - len(data) == PRIMITIVES["http2_frame"].growth
    assert run.undelimit(run.delimit(data)) == data
    assert len(run.delimit(data)) - len(data) == PRIMITIVES["delimit"].growth


@given(st.binary(max_size=60))
def test_what_was_not_made_is_refused(data):
    """Garbage is a PrimitiveError, never another exception."""
    for undo in (lambda d: run.aead_open(KEY, d), run.zstd_decompress, run.http2_unframe, run.undelimit):
        with pytest.raises(run.PrimitiveError):
            undo(b"\x01" + data)


def test_a_changed_ciphertext_is_refused():
    """One bit is enough, wherever it is."""
    sealed = run.aead_seal(KEY, 7, b"secret")
    for at in range(len(sealed)):
        with pytest.raises(run.PrimitiveError):
            run.aead_open(KEY, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])


def test_a_bomb_is_refused():
    """What would decompress to more than 1 MiB does not."""
    with pytest.raises(run.PrimitiveError, match="1 MiB"):
        run.zstd_decompress(run.zstd_compress(bytes(2 << 20)))


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=8))
def test_a_kept_compressor_makes_what_a_new_one_would(messages):
    """Nothing of a message shows in a later one; in another thread as well."""
    expected = [zstandard.ZstdCompressor(level=3).compress(m) for m in messages]
    assert [run.zstd_compress(m) for m in messages] == expected
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run.zstd_compress, messages)) == expected
        assert list(pool.map(run.zstd_decompress, expected)) == messages


def test_a_frame_that_hides_its_size_is_refused():
    """As one that is too large is: how much it would take is not known."""
    streaming = zstandard.ZstdCompressor(write_content_size=False)
    with pytest.raises(run.PrimitiveError):
        run.zstd_decompress(streaming.compress(b"a" * 100))


def test_inputs_come_from_outside():
    """Time does not go back, and nonces differ."""
    assert run.now() <= run.now()
    assert len({run.nonce() for _ in range(100)}) == 100
    assert len({run.nonce_bytes() for _ in range(100)}) == 100
    assert len(run.nonce_bytes()) == 12
    assert 0 <= run.random() < 1 << 32
    assert os.urandom


@pytest.mark.parametrize("backends", [1, 2, 3, 10, 64])
def test_maglev_shares_rows_evenly(backends):
    """Every row has a back end, and their shares differ by at most a tenth of the even share, or one row."""
    table = maglev(backends, 1021)
    shares = Counter(table)
    even = 1021 / backends
    assert set(shares) == set(range(backends))
    assert max(abs(n - even) for n in shares.values()) <= max(1, even / 10)


def test_maglev_moves_few_rows():
    """When the last of ten goes, most rows of the others stay."""
    ten, nine = maglev(10, 1021), maglev(9, 1021)
    stayed = sum(a == b for a, b in zip(ten, nine, strict=True) if a != 9)
    assert stayed / sum(a != 9 for a in ten) > 0.75


def test_every_primitive_is_wholly_declared():
    """It runs somewhere, its inverse exists, and what can fail is the undoing of something."""
    inverses = {p.inverse for p in PRIMITIVES.values() if p.inverse}
    assert inverses <= set(PRIMITIVES)
    for name, primitive in PRIMITIVES.items():
        assert "python" in primitive.targets
        assert primitive.fallible == (name in inverses)
