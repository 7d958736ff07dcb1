"""Quantities with their unit: mixing units is an error, not a wrong plan."""

from __future__ import annotations

import math
from typing import Self

from attrs import field, frozen


class UnitError(TypeError):
    """Two quantities of different units met."""


@frozen
class Quantity:
    """A finite number of one unit, which is the class. Adds to and compares with its own kind only."""

    value: float = field(converter=float)

    def __attrs_post_init__(self) -> None:
        if not math.isfinite(self.value):
            msg = f"{self.value} {type(self).__name__} is not finite"
            raise UnitError(msg)

    def _same(self, other: object, what: str) -> float:
        if not isinstance(other, Quantity) or type(other) is not type(self):
            msg = f"cannot {what} {type(self).__name__} and {type(other).__name__}"
            raise UnitError(msg)
        return other.value

    def __add__(self, other: Self) -> Self:
        return type(self)(self.value + self._same(other, "add"))

    def __mul__(self, factor: float) -> Self:
        if isinstance(factor, Quantity):
            msg = f"cannot multiply {type(self).__name__} by {type(factor).__name__}"
            raise UnitError(msg)
        return type(self)(self.value * factor)

    def __lt__(self, other: Self) -> bool:
        return self.value < self._same(other, "compare")

    def __le__(self, other: Self) -> bool:
        return self.value <= self._same(other, "compare")


@frozen
class Nanoseconds(Quantity):
    """Time."""


@frozen
class Unitless(Quantity):
    """A number of things: cores, stages, instructions."""


@frozen
class ByteCount(Quantity):
    """Size."""


@frozen
class BitsPerSecond(Quantity):
    """The rate of a link."""

    def time(self, size: ByteCount) -> Nanoseconds:
        """Return how long `size` takes at this rate. UnitError when the rate is 0."""
        if self.value <= 0:
            msg = "a link's rate is more than 0"
            raise UnitError(msg)
        return Nanoseconds(8e9 * size.value / self.value)


@frozen
class NanosecondsPerByte(Quantity):
    """Time that grows with size."""

    def time(self, size: ByteCount) -> Nanoseconds:
        """Return the time that `size` takes."""
        return Nanoseconds(self.value * size.value)
