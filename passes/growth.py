"""By how many bytes a body changes the size of a message, read off its statements, headers and primitives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.primitives import PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Mapping

Growth = frozenset[int] | None
"""The differences in bytes that there may be; None when more than `MOST`, or when they depend on the bytes."""

MOST = 8
_NONE: Growth = frozenset()
_PAYLOAD = ""  # no local's name
Sizes = dict[str, Growth]


def growth(body: s.Body, headers: Mapping[str, int]) -> Growth:
    """Return the differences between the payload of the message that goes on, or back, and of the one that came.

    Empty when none does. `headers`: the bytes of each header that is pushed or popped.
    """
    sized = _Sized(headers)
    end = sized.block(body, {_PAYLOAD: frozenset({0})})
    return _either(sized.back, end[_PAYLOAD] if end is not None else _NONE)


def _either(one: Growth, other: Growth) -> Growth:
    both = one | other if one is not None and other is not None else None
    return both if both is not None and len(both) <= MOST else None


def _shifted(sizes: Growth, by: int | None) -> Growth:
    return frozenset(size + by for size in sizes) if sizes is not None and by is not None else None


def _merged(one: Sizes | None, other: Sizes | None) -> Sizes | None:
    """Return what is known where two ways meet; None stands for a way that ends before."""
    if one is None or other is None:
        return one if other is None else other
    return {name: _either(one[name], other[name]) for name in one.keys() & other.keys()}


@define
class _Sized:
    """Follows a body with the differences of the payload and of the locals that hold byte strings.

    `back`: those of messages that bounced.
    """

    headers: Mapping[str, int]
    back: Growth = _NONE

    def block(self, body: s.Body, sizes: Sizes) -> Sizes | None:
        """Return the differences behind a block; None when no message comes to its end."""
        after: Sizes | None = sizes
        for statement in body:
            if after is None:
                return None
            after = self._statement(statement, after)
        return after

    def _statement(self, node: s.Stmt, sizes: Sizes) -> Sizes | None:  # noqa: PLR0911  (one row a node)
        match node:
            case s.Drop():
                return None
            case s.Bounce():
                self.back = _either(self.back, sizes[_PAYLOAD])
                return None
            case s.Let(name, value):
                return {**sizes, name: self._of(value, sizes)}
            case s.Assign(e.Payload() | e.Local() as target, value):
                return {**sizes, _name(target): self._of(value, sizes)}
            case s.Attempt(target, value, otherwise):
                failed = self.block(otherwise, sizes)
                done = {**sizes, _name(target): self._of(value, sizes)} if _holds(target) else sizes
                return _merged(done, failed)
            case s.Push(header):
                return {**sizes, _PAYLOAD: _shifted(sizes[_PAYLOAD], self.headers[header])}
            case s.Pop(header, otherwise):
                failed = self.block(otherwise, sizes)
                return _merged({**sizes, _PAYLOAD: _shifted(sizes[_PAYLOAD], -self.headers[header])}, failed)
            case s.If(_, then, otherwise):
                return _merged(self.block(then, sizes), self.block(otherwise, sizes))
            case s.Repeat(_, body) | s.ForEach(_, _, _, body):
                return self._loop(body, sizes)
            case _:
                return sizes

    def _loop(self, body: s.Body, sizes: Sizes) -> Sizes:
        """Return what holds however often the loop runs: each round adds to what is known, until none does."""
        while True:
            merged = _merged(sizes, self.block(body, sizes))
            if merged is None or merged == sizes:
                return sizes
            sizes = merged

    def _of(self, value: e.Expr, sizes: Sizes) -> Growth:
        """Return by how much a byte string is longer than the payload was at first."""
        match value:
            case e.Payload():
                return sizes[_PAYLOAD]
            case e.Local(name):
                return sizes.get(name)
            case e.Choose(_, yes, no):
                return _either(self._of(yes, sizes), self._of(no, sizes))
            case e.Call(name, (*_, last)):
                return _shifted(self._of(last, sizes), PRIMITIVES[name].growth)
            case _:
                return None


def _holds(target: s.Target) -> bool:
    return isinstance(target, e.Payload | e.Local)


def _name(target: s.Target) -> str:
    return target.name if isinstance(target, e.Local) else _PAYLOAD
