"""Cuts a program that would be too much for the verifier into parts that run one behind another, by tail calls. What
fits stays one: a cut costs a call, and what is known of a frame is kept in a map and looked up again.
"""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.extent import Extent, extent_of, ways_to
from bertha_ir.backends.ebpf.locals import used
from bertha_ir.types import BOOL
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bertha_ir.backends.ebpf.maps import Container
    from bertha_ir.program import Block, DeviceProgram

TRUE = e.Const(value=True, type=BOOL)
LONGEST = 33  # MAX_TAIL_CALL_CNT, linux/bpf.h, and the part that is called first


@frozen
class Part:
    """A part of a block: `block` is what it does, without a guard behind the first. `before` is what the parts in front
    of it do, `after` those behind.
    """

    block: Block
    before: s.Body
    after: s.Body

    @property
    def given(self) -> tuple[e.Local, ...]:
        """The locals that come from the parts in front, in the order in which they are bound."""
        return _crossing(self.before, (*self.block.body, *self.after))

    @property
    def left(self) -> tuple[e.Local, ...]:
        """The locals that the parts behind need."""
        return _crossing((*self.before, *self.block.body), self.after)

    @property
    def gone(self) -> frozenset[str]:
        """The headers that were taken off before."""
        moved = [n for n in walk(self.before) if isinstance(n, s.Push | s.Pop)]
        return frozenset(n.header for n in {n.header: n for n in moved}.values() if isinstance(n, s.Pop))

    @property
    def certain(self) -> frozenset[str]:
        """The headers that are there when the part begins."""
        pushed = {n.header for n in self.before if isinstance(n, s.Push)}
        return frozenset({*self.block.needs, *pushed}) - self.gone


def parts_of(program: DeviceProgram, containers: Mapping[str, Container]) -> dict[str, tuple[Part, ...]]:
    """Return the parts of each block by its name: one each, if the program fits the verifier's limits by estimate. Each
    is as long as it may be.
    """
    extents = [extent_of(block.body, containers, ways_to(program, block)) for block in program.blocks]
    if sum(extents, Extent()).fits() or all(len(block.body) < 2 for block in program.blocks):  # noqa: PLR2004
        return {block.name: (Part(block, (), ()),) for block in program.blocks}
    share = len(program.blocks)
    cut = {block.name: tuple(_cut(block, containers, ways_to(program, block), share)) for block in program.blocks}
    return {block.name: cut[block.name] or (Part(block, (), ()),) for block in program.blocks}


def _cut(block: Block, containers: Mapping[str, Container], ways: int, share: int) -> Iterator[Part]:
    body, begin = block.body, 0
    places = _places(body)
    clean = _unneeded(body, places)

    def fits(some: s.Body) -> bool:
        return extent_of(some, containers, ways).fits(share)

    while begin < len(body):
        rest = [at for at in (*places, len(body)) if at > begin]
        fitting = rest[: bisect(rest, 0, key=lambda at, begin=begin: not fits(body[begin:at]))] or rest[:1]  # type: ignore[misc]
        longest = fitting[-1]
        end = longest if longest == len(body) else next((at for at in reversed(fitting) if at in clean), longest)
        yield Part(evolve(block, guard=TRUE if begin else block.guard, body=body[begin:end]), body[:begin], body[end:])
        begin = end


def _places(body: s.Body) -> list[int]:
    """Return where a body may be cut: what is behind reads nothing of headers that were taken off in front, or put
    there in some cases only.
    """
    if not any(isinstance(n, s.Push | s.Pop) for n in walk(body)):
        return list(range(1, len(body)))
    return [at for at in range(1, len(body)) if not _unsure(body[:at]) & _read(body[at:])]


def _unsure(body: s.Body) -> frozenset[str]:
    sure = {n.header for n in body if isinstance(n, s.Push)}
    moved = (n for n in walk(body) if isinstance(n, s.Push | s.Pop))
    return frozenset(n.header for n in moved if isinstance(n, s.Pop) or n.header not in sure)


def _read(body: s.Body) -> frozenset[str]:
    return frozenset(n.header for n in walk(body) if isinstance(n, e.Field | e.Parsed | e.HeaderOffset | s.Pop))


def _unneeded(body: s.Body, places: list[int]) -> frozenset[int]:
    """Return the places behind which no local is read that is bound in front: between ops, as a rule."""
    bound: dict[str, int] = {}
    last: dict[str, int] = {}
    for at, node in enumerate(body):
        for local in _bound(node):
            bound.setdefault(local.name, at)
        last |= {n.name: at for n in walk(node) if isinstance(n, e.Local)}
    spanned = {at for name, first in bound.items() for at in range(first + 1, last.get(name, first) + 1)}
    return frozenset(places) - spanned


def _crossing(before: s.Body, after: s.Body) -> tuple[e.Local, ...]:
    """Return the locals that are bound in front and read behind."""
    read = used(after)
    return tuple(dict.fromkeys(local for node in before for local in _bound(node) if local.name in read))


def _bound(node: s.Stmt) -> tuple[e.Local, ...]:
    match node:
        case s.Let(name, value) | s.Assign(e.Local(name), value):
            return (e.Local(name, value.type),)
        case s.Lookup(hit=None, into=into):
            return into
        case s.Lookup(hit=str(hit), into=into):
            return (*into, e.Local(hit, BOOL))
    return ()
