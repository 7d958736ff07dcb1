"""A z3 context of its own for each question, so that an answer, its certificate and its counterexample depend on the
question alone, and not on what was asked before; and the sorts and constants of the context in use.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import z3

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 0

_current: ContextVar[z3.Context] = ContextVar("z3")


@contextmanager
def fresh() -> Iterator[None]:
    """Make every term of the block in a new context."""
    before = _current.set(z3.Context())
    try:
        yield
    finally:
        _current.reset(before)


def context() -> z3.Context:
    """Return the context in use; LookupError outside of `fresh`."""
    return _current.get()


def solver(timeout_ms: int) -> z3.Solver:
    """Return a solver with a time limit for each time it is asked."""
    made = z3.Solver(ctx=context())
    made.set("timeout", timeout_ms)
    made.set("random_seed", SEED)
    return made


def word(width: int) -> z3.BitVecSortRef:
    """Return the sort of bits."""
    return z3.BitVecSort(width, context())


def truth() -> z3.BoolSortRef:
    """Return the sort of conditions."""
    return z3.BoolSort(context())


def opaque() -> z3.SortRef:
    """Return the sort of byte strings whose bytes are not spelled out."""
    return z3.DeclareSort("Bytes", context())


def history() -> z3.SortRef:
    """Return the sort of all that was done to a map that evicts."""
    return z3.DeclareSort("History", context())


def variable(name: str, width: int) -> z3.BitVecRef:
    """Return bits that are not known."""
    return z3.BitVec(name, width, context())


def bits(value: int, width: int) -> z3.BitVecRef:
    """Return a literal."""
    return z3.BitVecVal(value, width, context())


def yes() -> z3.BoolRef:
    """Return what always holds."""
    return z3.BoolVal(True, context())  # noqa: FBT003  (z3's signature)


def no() -> z3.BoolRef:
    """Return what never holds."""
    return z3.BoolVal(False, context())  # noqa: FBT003  (z3's signature)


def all_of(*conditions: z3.BoolRef) -> z3.BoolRef:
    """Return when all conditions hold; z3 prints an empty conjunction in a way that other solvers do not read."""
    return z3.And(*conditions) if conditions else yes()


def any_of(*conditions: z3.BoolRef) -> z3.BoolRef:
    """Return when one of some conditions holds."""
    return z3.Or(*conditions) if conditions else no()
