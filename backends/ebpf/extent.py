"""How much of the verifier's limits a program takes, estimated: nothing is compiled here, nor is there a kernel.

What clang 14 and Linux 6.18 make of the catalogue's programs, of 200 random ones and of long chains, against `Extent`:
instructions 0.9 to 4.6 times as many (one of the random programs: 11, far from the limit), bytes of the stack at most
1.1 times as many. `tests/kernel/test_split.py` compares again.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.moves import starts
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.backends.ebpf.maps import Container
    from bertha_ir.program import Block, DeviceProgram

INSTRUCTIONS = 1_000_000  # that are walked through at most: BPF_COMPLEXITY_LIMIT_INSNS, linux/bpf.h
STACK = 512  # bytes: MAX_BPF_STACK, linux/filter.h
BRANCHES = 8192  # that wait on one way to be walked through: BPF_COMPLEXITY_LIMIT_JMP_SEQ, kernel/bpf/verifier.c
FACTOR = 4  # times as many instructions and branches as estimated that a program is to have room for
ROOM = INSTRUCTIONS // FACTOR
ROW = 50  # instructions that are walked through for each row that is compared: what follows is, until it is as before
CALL = 12  # of a look-up or an update
SUM = 8  # of a checksum's change
SPILL = 8  # bytes of the stack for what a register has no room for
KEPT = 8  # values, pointers among them, that are kept for as long as a program runs


@frozen
class Extent:
    """What statements take: instructions that are walked through, bytes of the stack (`spilled`: those that registers
    may do for), and branches on one way.
    """

    instructions: int = 0
    stack: int = 0
    spilled: int = 0
    branches: int = 0

    def __add__(self, other: Extent) -> Extent:
        """Return what both take, one behind the other."""
        return Extent(
            self.instructions + other.instructions,
            self.stack + other.stack,
            self.spilled + other.spilled,
            self.branches + other.branches,
        )

    def fits(self, share: int = 1) -> bool:
        """Whether this is within the limits, with the factor's margin, as one of `share` in a program."""
        return (
            self.instructions * share <= ROOM
            and self.branches * FACTOR <= BRANCHES
            and self.stack + self.spilled <= STACK
        )

    def exceeded(self) -> str | None:
        """Return which limit this is surely beyond, in words; clang uses half of the stack for some variables again."""
        if self.instructions > INSTRUCTIONS:
            return f"about {self.instructions:,} instructions would be walked through, more than {INSTRUCTIONS:,}"
        if self.branches > BRANCHES:
            return f"about {self.branches:,} branches lie on one way through it, more than {BRANCHES:,}"
        if self.stack > 2 * STACK:
            return f"its keys and values take {self.stack:,} bytes, and the stack has {STACK}"
        return None


def extent_of(body: s.Body, containers: Mapping[str, Container], ways: int) -> Extent:
    """Return what statements take behind so many `ways` through the parser."""
    once = _sum(body, containers)
    loops = sum(1 for n in walk(body) if isinstance(n, s.Repeat))
    spilled = SPILL * (KEPT + _alive(body) + 2 * loops)
    return Extent(ways * once.instructions, once.stack, spilled, once.branches)


def _alive(body: s.Body) -> int:
    """Return how many locals are kept at once at the most."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for at, node in enumerate(walk(body)):
        if isinstance(node, s.Let):
            first.setdefault(node.name, at)
        elif isinstance(node, e.Local):
            first.setdefault(node.name, at)
            last[node.name] = at
    ends = sorted(last.values())
    bound = sorted(first[name] for name in last)
    return max((n - bisect_left(ends, at) for n, at in enumerate(bound, 1)), default=0)


def ways_to(program: DeviceProgram, block: Block) -> int:
    """Return in how many places the headers of a block may lie: it is walked through for each."""
    return max((len(starts(program, header)) for header in block.needs), default=1)


def _sum(body: s.Body, containers: Mapping[str, Container]) -> Extent:
    return sum((_extent(node, containers) for node in body), Extent())


def _extent(node: s.Stmt, containers: Mapping[str, Container]) -> Extent:
    """Return what a statement takes. Both sides of an `if` are walked through, each turn of a loop again; the stack of
    a turn is that of the next.
    """
    match node:
        case s.If(condition, then, otherwise):
            yes, no = _sum(then, containers), _sum(otherwise, containers)
            deeper = Extent(_words(condition), branches=1 + max(yes.branches, no.branches))
            return deeper + Extent(yes.instructions + no.instructions, yes.stack + no.stack)
        case s.Repeat(count, body):
            turn = _sum(body, containers)
            return Extent(count * (2 + turn.instructions), turn.stack, branches=count * turn.branches)
        case s.Lookup(name, keys) | s.Delete(name, keys):
            return Extent(_words(keys)) + _found(containers[name])
        case s.Store(state, keys, _, values):
            held = containers[state]
            return Extent(_words((keys, values)) + CALL, _bytes(held.values)) + _found(held)
        case s.FixChecksum(_, old, new):
            return Extent(_words((old, new)) + SUM)
    return Extent(1 + _words(node))


def _found(c: Container) -> Extent:
    """Return what it takes to find a row."""
    if c.form == "rows":
        return Extent(c.size * ROW, branches=2 * c.size) if c.kind != "array" else Extent(CALL, branches=1)
    return Extent(CALL, 4 if c.kind == "array" else _bytes(c.keys) + 4 * (c.kind == "lpm"), branches=2)


def _bytes(widths: tuple[int, ...]) -> int:
    return (8 if any(width > 32 for width in widths) else 4) * max(1, len(widths))  # noqa: PLR2004  (a half register)


def _words(tree: object) -> int:
    """Return how many operations expressions take."""
    return sum(1 for n in walk(tree) if isinstance(n, e.Expr))
