"""Functions that an emitted program needs beside its own text, each printed once and only when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.backends.p4.names import Names

BITS_OF_SHIFT = 8  # p4c for BMv2 takes shift amounts of at most 8 bits


@define
class Helpers:
    """The functions asked for so far, in that order: request to (name, text)."""

    names: Names
    printed: dict[str, tuple[str, str]] = Factory(dict)

    def texts(self) -> tuple[str, ...]:
        """Return the functions' definitions."""
        return tuple(text for _, text in self.printed.values())

    def _ask(self, request: str, write: Callable[[str], str]) -> str:
        if request not in self.printed:
            name = self.names.fresh(request)
            self.printed[request] = (name, write(name))
        return self.printed[request][0]

    def fix_checksum(self, width: int, *, optional: bool) -> str:
        """Return the function `(checksum, old, fresh)` for one changed value of 16 or 32 bits."""
        if not optional:
            return self._ask(f"fix_checksum_{width}", lambda name: _fix_checksum(name, width))
        plain = self.fix_checksum(width, optional=False)
        return self._ask(f"fix_optional_checksum_{width}", lambda name: _fix_optional(name, plain, width))

    def shift(self, op: str, width: int, amount: int) -> str:
        """Return the function `(x, n)` that shifts `width` bits by an amount of `amount` bits, more than 8."""
        way = "left" if op == "<<" else "right"
        return self._ask(f"shift_{way}_{width}_{amount}", lambda name: _shift(name, op, width, amount))

    def divide(self, width: int, divisor: int) -> str:
        """Return the function `(x)` for a division of `width` bits by a constant that is no power of two."""
        return self._ask(f"divide_{width}_by_{divisor}", lambda name: _divide(name, width, divisor))

    def remainder(self, width: int, divisor: int) -> str:
        """Return the function `(x)` for a remainder of `width` bits by a constant that is no power of two."""
        quotient = self.divide(width, divisor)
        return self._ask(
            f"remainder_{width}_by_{divisor}",
            lambda name: f"bit<{width}> {name}(in bit<{width}> x) {{\n    return x - {quotient}(x) * {divisor};\n}}",
        )


def _fix_checksum(name: str, width: int) -> str:
    words = [f"[{low + 15}:{low}]" if width > 16 else "" for low in range(0, width, 16)]  # noqa: PLR2004  one's word
    terms = "".join(f"\n        + (bit<32>)(~old{word}) + (bit<32>)fresh{word}" for word in words)
    return f"""\
// The Internet checksum after a value that it covers changed from old to fresh (RFC 1624, equation 3).
bit<16> {name}(in bit<16> checksum, in bit<{width}> old, in bit<{width}> fresh) {{
    bit<32> sum = (bit<32>)(~checksum){terms};
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum[15:0];
}}"""


def _fix_optional(name: str, plain: str, width: int) -> str:
    return f"""\
// As {plain}, for a checksum that may be absent (0) and that is written as 0xffff when it comes to 0.
bit<16> {name}(in bit<16> checksum, in bit<{width}> old, in bit<{width}> fresh) {{
    bit<16> fixed = {plain}(checksum, old, fresh);
    return (checksum == 0 ? 16w0 : (fixed == 0 ? 16w0xffff : fixed));
}}"""


def _shift(name: str, op: str, width: int, amount: int) -> str:
    return f"""\
// x {op} n, 0 when n is {width} or more; BMv2 takes amounts of {BITS_OF_SHIFT} bits.
bit<{width}> {name}(in bit<{width}> x, in bit<{amount}> n) {{
    return x {op} (bit<{BITS_OF_SHIFT}>)(n > {width} ? {amount}w{width} : n);
}}"""


def _divide(name: str, width: int, divisor: int) -> str:
    """Multiply by the inverse, rounded up: exact for every x (Granlund and Montgomery, "Division by Invariant Integers
    using Multiplication", PLDI 1994, theorem 4.2).
    """
    shift = width + (divisor - 1).bit_length()
    inverse, wide = -(-(1 << shift) // divisor), 2 * width + 1
    return f"""\
// x / {divisor} for every x: x * (2^{shift} / {divisor}), rounded up (Granlund and Montgomery, PLDI 1994, theorem 4.2).
bit<{width}> {name}(in bit<{width}> x) {{
    return (bit<{width}>)(((bit<{wide}>)x * {wide}w{inverse:#x}) >> {shift});
}}"""
