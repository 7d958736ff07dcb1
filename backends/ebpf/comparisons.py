"""Prints what a parser compares: fields of a header with constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.backends.ebpf.words import WHOLE, literal, load, ordered, raw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertha_ir.backends.printing import Place


@frozen
class _Bits:
    """Bits of a header, in some of its bytes as one number, and the value that they are to have."""

    first: int
    size: int
    mask: int
    value: int

    def united(self, other: _Bits) -> _Bits | None:
        """Return both in one, if they share bytes and one access reads all of them."""
        first, end = min(self.first, other.first), max(self.first + self.size, other.first + other.size)
        size = end - first
        one, two = self._at(first, size), other._at(first, size)
        if self.size + other.size <= size or size not in WHOLE or one.mask & two.mask:
            return None
        return _Bits(first, size, one.mask | two.mask, one.value | two.value)

    def _at(self, first: int, size: int) -> _Bits:
        """Return the same bits as part of more bytes."""
        shift = 8 * (first + size - self.first - self.size)
        return _Bits(first, size, self.mask << shift, self.value << shift)

    def text(self, base: str) -> str:
        """Return the test in C."""
        if self.mask != (1 << 8 * self.size) - 1:
            return f"({load(base, self.first, self.size)} & {self.mask:#x}) == {literal(self.value, 8 * self.size)}"
        wanted = literal(self.value, 8 * self.size)
        if self.size not in WHOLE:
            return f"{load(base, self.first, self.size)} == {wanted}"
        return f"{raw(base, self.first, self.size)} == {ordered(wanted, self.size)}"


def comparisons(base: str, fields: Iterable[tuple[Place, int]]) -> list[str]:
    """Return the tests in C that fields of the header at `base` have some values. Neighbours are tested at once."""
    found: list[_Bits] = []
    for place, value in fields:
        bits = _Bits(place.first, place.size, ((1 << place.width) - 1) << place.shift, value << place.shift)
        both = found[-1].united(bits) if found else None
        found[-1 if both else len(found) :] = [both or bits]
    return [bits.text(base) for bits in found]
