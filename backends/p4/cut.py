"""Which op of a program is the first with which it takes too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir import stmt as s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bertha_ir.program import DeviceProgram
    from bertha_ir.source import Span


def first_over(program: DeviceProgram, over: Callable[[DeviceProgram], bool]) -> tuple[str | None, Span | None]:
    """Return the op of the first statement with which a program is `over`, if its block has that op alone, and where
    it is written; nothing if it is so without any. What is taken must never fall with another statement.
    """
    places = [(number, cut) for number, b in enumerate(program.blocks) for cut in range(1, len(_flat(b.body)) + 1)]
    least, most = -1, len(places) - 1
    while least < most:
        middle = (least + most) // 2
        if over(_upto(program, places, middle)):
            most = middle
        else:
            least = middle + 1
    if least < 0:
        return None, None
    number, cut = places[least]
    block = program.blocks[number]
    return block.ops[0] if len(block.ops) == 1 else None, _flat(block.body)[cut - 1].span


def _upto(program: DeviceProgram, places: list[tuple[int, int]], last: int) -> DeviceProgram:
    """Return a program of the statements down to a place."""
    if last < 0:
        return evolve(program, blocks=())
    number, cut = places[last]
    block = program.blocks[number]
    return evolve(program, blocks=(*program.blocks[:number], evolve(block, body=_cut(block.body, cut)[0])))


def _flat(body: s.Body) -> tuple[s.Stmt, ...]:
    """Return the statements of a body in the order of the text, those in branches behind their condition."""
    return tuple(_statements(body))


def _statements(body: s.Body) -> Iterator[s.Stmt]:
    for node in body:
        yield node
        if isinstance(node, s.If):
            yield from _statements(node.then)
            yield from _statements(node.otherwise)


def _cut(body: s.Body, count: int) -> tuple[s.Body, int]:
    """Return the first statements of a body, as `_flat` counts them, and how many are left to take behind it."""
    taken: list[s.Stmt] = []
    for node in body:
        if count == 0:
            break
        count -= 1
        if isinstance(node, s.If):
            then, count = _cut(node.then, count)
            otherwise, count = _cut(node.otherwise, count)
            taken.append(evolve(node, then=then, otherwise=otherwise))
        else:
            taken.append(node)
    return tuple(taken), count
