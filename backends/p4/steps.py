"""When values are ready: the first stage that can read what an expression gives, by the stages of what it reads.

A stage's ALUs do one operation on a word of up to 32 bits, without multiplication and division (Bosshart et al.,
SIGCOMM 2013, section 2 and table 2), so an operation on what another has just given is a stage later. Sums wider than a
word carry into the next stage. A product is as many shifts, beside one another, and a tree of sums; a quotient by a
constant a product with its inverse. Conditions are compared where they decide what runs, in the same stage, but for
which of two values that vary is less, which takes a subtraction before. A hash of the unit for hashes (crc32) is an
operation.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir.backends.p4.fold import fold
from bertha_ir.types import bit_width

if TYPE_CHECKING:
    from collections.abc import Iterable

WORD = 32  # bits of the widest container

Place = str | tuple[str, str]  # a local by its name; a field by its header's and its own


def place_of(node: object) -> Place | None:
    """Return where a local or a field is kept; None for what is neither."""
    match node:
        case e.Local(name):
            return name
        case e.Field(header, name):
            return header, name
        case _:
            return None


@define
class Clock:
    """`at`: the first stage that can read a local or a field, 0 for those of the packet as it came. `read`: the last
    one that matches it. `hits`: the stage of a table's look-up, in which what depends on its hit can run already: a
    predicate, not a value (RMT's successor dependency). Stages only ever become later.
    """

    at: dict[Place, int] = Factory(dict)
    read: dict[Place, int] = Factory(dict)
    hits: dict[str, int] = Factory(dict)

    def branch(self) -> Clock:
        """Return a clock that goes on from here by itself."""
        return Clock(dict(self.at), dict(self.read), dict(self.hits))

    def join(self, *others: Clock) -> None:
        """Go on where all branches are done."""
        for other in others:
            for mine, theirs in ((self.at, other.at), (self.read, other.read), (self.hits, other.hits)):
                _later(mine, theirs.items())

    def ready(self, place: Place, stage: int) -> None:
        """Note that a place can be read from a stage on."""
        _later(self.at, ((place, stage),))
        if isinstance(place, str) and place in self.hits:  # it is a value now
            _later(self.hits, ((place, stage),))

    def hit(self, name: str, stage: int) -> None:
        """Note in which stage a table's look-up is."""
        _later(self.hits, ((name, stage),))

    def matched(self, nodes: Iterable[e.Expr], stage: int) -> None:
        """Note that a stage matches values: those that are kept must not be written before."""
        _later(self.read, ((p, stage) for p in map(place_of, nodes) if p is not None))

    def value(self, node: e.Expr) -> int:
        """Return the first stage that can read a value."""
        return self._value(fold(node))

    def condition(self, node: e.Expr) -> int:
        """Return the first stage in which what a condition decides can run."""
        return self._condition(fold(node))

    def values(self, nodes: Iterable[e.Expr]) -> int:
        """Return the first stage that can read all of some values."""
        return max((self.value(node) for node in nodes), default=0)

    def _value(self, node: e.Expr) -> int:  # noqa: PLR0911  (one row a node)
        match node:
            case e.Local() | e.Field():
                place = place_of(node)
                return self.at.get(place, 0) if place is not None else 0
            case e.Cast(of):
                return self._value(of)
            case e.Unary("not") | e.Binary("and" | "or" | "==" | "!=" | "<" | "<=" | ">" | ">="):
                return self._condition(node) + 1
            case e.Unary(_, of):
                return self._value(of) + steps(node)
            case e.Binary(_, left, right):
                return max(self._value(left), self._value(right)) + steps(node)
            case e.Choose(condition, yes, no):
                return max(self._condition(condition), self._value(yes), self._value(no)) + 1
            case e.Call("crc32" | "random", arguments):
                return max(map(self._value, arguments), default=0) + 1
            case _:
                return 0

    def _condition(self, node: e.Expr) -> int:
        match node:
            case e.Local(name) if name in self.hits:
                return self.hits[name]
            case e.Unary("not", of):
                return self._condition(of)
            case e.Binary("and" | "or", left, right):
                return max(self._condition(left), self._condition(right))
            case e.Binary("==" | "!=" | "<" | "<=" | ">" | ">=" as op, left, right):
                ready = max(self._value(left), self._value(right))
                constant = any(isinstance(side, e.Const) for side in (left, right))
                return ready if constant or op in e.EQUALITY else ready + _sum(left)
            case _:
                return self._value(node)


def _later(known: dict, found: Iterable[tuple]) -> None:  # type: ignore[type-arg]  # of any key
    for name, stage in found:
        known[name] = max(stage, known.get(name, 0))


def operations(node: e.Expr) -> bool:
    """Whether a value has to be computed; else to store it elsewhere is an operation of its own."""
    match fold(node):
        case e.Cast(of):
            return operations(of)
        case e.Unary() | e.Binary() | e.Choose() | e.Call():
            return True
        case _:
            return False


def steps(node: e.Unary | e.Binary) -> int:
    """Return the operations, one after another, that an operator on words takes."""
    match node:
        case e.Binary("+" | "-") | e.Unary("-"):
            return _sum(node)
        case e.Binary("*", left, right):
            return _product(node, next((side for side in (left, right) if isinstance(side, e.Const)), None))
        case e.Binary("/" | "%" as op, left, e.Const(int(divisor))) if divisor & (divisor - 1):
            width = _width(left)
            shift = width + (divisor - 1).bit_length()
            quotient = _shifted(-(-(1 << shift) // divisor), 2 * width + 1) + 1
            return quotient if op == "/" else quotient + _shifted(divisor, width) + _sum(left)
        case _:
            return 1


def _product(node: e.Binary, factor: e.Const | None) -> int:
    width = _width(node)
    return _shifted(factor.value if factor and isinstance(factor.value, int) else (1 << width) - 1, width)


def _shifted(factor: int, width: int) -> int:
    """Return the operations of a product: shifts beside one another, then sums of two at a time."""
    return 1 + (factor.bit_count() - 1).bit_length() * ceil(width / WORD)


def _sum(node: e.Expr) -> int:
    return ceil(_width(node) / WORD)


def _width(node: e.Expr) -> int:
    return bit_width(node.type) or 1
