"""State as z3 terms: a cell is its row, a bounded map an array, and a map that evicts a history.

What a map that evicts still holds depends on the order of everything that was done to it, so its term is what was
done to it: reads that move an entry to the front, writes, removals.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import z3
from attrs import define, evolve, frozen

from bertha_ir.passes.smt.context import all_of, any_of, bits, history, no, opaque, truth, variable, word, yes
from bertha_ir.passes.smt.terms import Facts, Text, joined
from bertha_ir.types import Bits, Bytes

if TYPE_CHECKING:
    from bertha_ir.program import State

Row = tuple[z3.ExprRef, ...]


def sort_of(component: Bits | Bytes) -> z3.SortRef:
    """Return the sort of a component of a key or a row."""
    if isinstance(component, Bits):
        return word(component.width)
    return opaque() if component.size is None else word(8 * component.size)


def zero(component: Bits | Bytes, facts: Facts) -> z3.ExprRef:
    """Return what an entry that is not there reads as."""
    sort = sort_of(component)
    return facts.term(Text()) if sort == opaque() else bits(0, sort.size())


@define
class Asked:
    """The keys of a state that bodies asked for, as terms: what a counterexample must say."""

    keys: dict[int, z3.BitVecRef]

    def add(self, key: z3.BitVecRef) -> z3.BitVecRef:
        """Remember a key."""
        self.keys.setdefault(key.get_id(), key)
        return key


def key_of(components: Row) -> z3.BitVecRef:
    """Return a key as one term."""
    return joined(components)


@frozen(eq=False)
class Cell:
    """One row."""

    state: State
    row: Row

    @classmethod
    def start(cls, state: State, facts: Facts) -> Cell:
        """Return the cell as it is found."""
        row = tuple(z3.Const(f"{state.name}.{i}", sort_of(v)) for i, v in enumerate(state.values))
        facts.stored(row)
        return cls(state, row)

    def get(self, key: Row, facts: Facts) -> tuple[Cell, z3.BoolRef, Row]:  # noqa: ARG002  (a memory's signature)
        """Return the memory after a read, whether the entry is there, and its row."""
        return self, yes(), self.row

    def set(self, key: Row, row: Row, facts: Facts) -> Cell:  # noqa: ARG002  (a memory's signature)
        """Return the memory after a write."""
        return evolve(self, row=row)

    def differs(self, other: Memory) -> z3.BoolRef:
        """Return when two memories differ."""
        assert isinstance(other, Cell)  # noqa: S101  INVARIANT: one state, one kind
        return any_of(*(a != b for a, b in zip(self.row, other.row, strict=True)))


@frozen(eq=False)
class Map:
    """A bounded map that keeps what it has: which keys are there, a row's components by key, how many there are."""

    state: State
    asked: Asked
    present: z3.ArrayRef
    rows: tuple[z3.ArrayRef, ...]
    count: z3.BitVecRef

    @classmethod
    def start(cls, state: State, asked: Asked, facts: Facts) -> Map:
        """Return the map as it is found."""
        key = word(sum(sort_of(k).size() for k in state.keys))
        count = variable(f"{state.name}.count", 32)
        facts.known.append(z3.ULE(count, state.size))
        rows = tuple(z3.Array(f"{state.name}.{i}", key, sort_of(v)) for i, v in enumerate(state.values))
        return cls(state, asked, z3.Array(f"{state.name}.present", key, truth()), rows, count)

    def _seen(self, key: Row, facts: Facts) -> z3.BitVecRef:
        """Return a key as a term; what is not there at the start reads as zero."""
        term = key_of(key)
        if term.get_id() not in self.asked.keys:
            self.asked.add(term)
            first = Map.start(self.state, self.asked, Facts())
            zeros = zip(first.rows, self.state.values, strict=True)
            empty = all_of(*(array[term] == zero(v, facts) for array, v in zeros))
            facts.stored(tuple(array[term] for array in first.rows))
            facts.known.append(any_of(first.present[term], empty))
            facts.known.append(z3.Implies(first.present[term], first.count != 0))
        return term

    def get(self, key: Row, facts: Facts) -> tuple[Map, z3.BoolRef, Row]:
        """Return the memory after a read, whether the entry is there, and its row."""
        term = self._seen(key, facts)
        return self, z3.simplify(self.present[term]), tuple(array[term] for array in self.rows)

    def set(self, key: Row, row: Row, facts: Facts) -> Map:
        """Return the memory after a write; a new key is not stored when the map is full."""
        term = self._seen(key, facts)
        there = self.present[term]
        kept = any_of(there, z3.ULT(self.count, self.state.size))
        rows = tuple(
            z3.If(kept, z3.Store(array, term, value), array) for array, value in zip(self.rows, row, strict=True)
        )
        count = z3.If(all_of(kept, z3.Not(there)), self.count + 1, self.count)
        return evolve(self, present=z3.Store(self.present, term, kept), rows=rows, count=count)

    def delete(self, key: Row, facts: Facts) -> Map:
        """Return the memory after a removal."""
        term = self._seen(key, facts)
        pairs = zip(self.rows, self.state.values, strict=True)
        rows = tuple(z3.Store(array, term, zero(v, facts)) for array, v in pairs)
        count = z3.If(self.present[term], self.count - 1, self.count)
        return evolve(self, present=z3.Store(self.present, term, no()), rows=rows, count=count)

    def differs(self, other: Memory) -> z3.BoolRef:
        """Return when two memories differ: in some key that was asked for, as nothing else has changed."""
        assert isinstance(other, Map)  # noqa: S101  INVARIANT: one state, one kind
        rows = (a != b for a, b in zip(self.rows, other.rows, strict=True))
        return any_of(self.present != other.present, *rows)


@frozen(eq=False)
class History:
    """A bounded map that evicts the least recently used entry when it is full."""

    state: State
    asked: Asked
    term: z3.ExprRef
    done: tuple[tuple[str, z3.BitVecRef, History], ...] = ()

    @classmethod
    def start(cls, state: State, asked: Asked) -> History:
        """Return the map as it is found."""
        return cls(state, asked, z3.Const(f"{state.name}.history", history()))

    @cached_property
    def _key(self) -> z3.SortRef:
        return word(sum(sort_of(k).size() for k in self.state.keys))

    def holds(self, key: z3.BitVecRef) -> z3.BoolRef:
        """Return whether a key is there."""
        return z3.Function(f"{self.state.name}.holds", history(), self._key, truth())(self.term, key)

    def row(self, key: z3.BitVecRef) -> Row:
        """Return what is stored under a key that is there."""
        sorts = (sort_of(v) for v in self.state.values)
        return tuple(
            z3.Function(f"{self.state.name}.{i}", history(), self._key, sort)(self.term, key)
            for i, sort in enumerate(sorts)
        )

    def get(self, key: Row, facts: Facts) -> tuple[History, z3.BoolRef, Row]:
        """Return the memory after a read, whether the entry is there, and its row."""
        term = self.asked.add(key_of(key))
        facts.stored(History.start(self.state, self.asked).row(term))
        self._trace(term, facts)
        pairs = zip(self.row(term), self.state.values, strict=True)
        row = tuple(z3.If(self.holds(term), value, zero(v, facts)) for value, v in pairs)
        return self._touched(term, facts), self.holds(term), row

    def set(self, key: Row, row: Row, facts: Facts) -> History:
        """Return the memory after a write."""
        term = self.asked.add(key_of(key))
        before = self._untouched(term)
        made = before.after("put", term, (term, *row))
        facts.known.append(made.holds(term))
        facts.known += [a == b for a, b in zip(made.row(term), row, strict=True)]
        return made

    def delete(self, key: Row, facts: Facts) -> History:
        """Return the memory after a removal."""
        term = self.asked.add(key_of(key))
        before = self._untouched(term)
        made = before.after("remove", term, (term,))
        facts.known.append(z3.Not(made.holds(term)))
        facts.known.append(z3.Implies(z3.Not(before.holds(term)), made.term == before.term))
        return made

    def _touched(self, key: z3.BitVecRef, facts: Facts) -> History:
        """Return the memory after its entry for a key, if there is one, moved to the front."""
        if self.done and self.done[-1][0] in {"use", "put"} and self.done[-1][1].eq(key):
            return self
        made = self.after("use", key, (key,))
        facts.known.append(z3.Implies(z3.Not(self.holds(key)), made.term == self.term))
        facts.known.append(made.holds(key) == self.holds(key))
        facts.known += [a == b for a, b in zip(made.row(key), self.row(key), strict=True)]
        return made

    def _untouched(self, key: z3.BitVecRef) -> History:
        """Return the memory without a last use of a key that is about to be written or removed anyway."""
        last = self.done[-1] if self.done else None
        if last is not None and last[0] == "use" and last[1].eq(key):
            return last[2]
        return self

    def after(self, what: str, key: z3.BitVecRef, given: tuple[z3.ExprRef, ...]) -> History:
        """Return the memory after one more step."""
        function = z3.Function(f"{self.state.name}.{what}", history(), *(g.sort() for g in given), history())
        return evolve(self, term=function(self.term, *given), done=(*self.done, (what, key, self)))

    def _trace(self, key: z3.BitVecRef, facts: Facts) -> None:
        """Say what earlier steps mean for a key: another key's step leaves its row, but may evict it."""
        now = self
        for what, other, before in reversed(self.done):
            if not key.eq(other):
                stays = before.holds(key) if what != "put" else z3.Implies(now.holds(key), before.holds(key))
                held = now.holds(key) == stays if what != "put" else stays
                rows = (a == b for a, b in zip(now.row(key), before.row(key), strict=True))
                facts.known.append(z3.Implies(key != other, all_of(held, z3.Implies(now.holds(key), all_of(*rows)))))
            now = before

    def differs(self, other: Memory) -> z3.BoolRef:
        """Return when two memories differ: when their histories do."""
        assert isinstance(other, History)  # noqa: S101  INVARIANT: one state, one kind
        return self.term != other.term


Memory = Cell | Map | History


def room(state: State, asked: Asked) -> list[z3.BoolRef]:
    """Return what holds of how many of the keys that were asked for are there at the start: there is room for them, and
    the others are under other keys.
    """
    keys = list(asked.keys.values())
    if not state.keys or not keys:
        return []
    first = start_of(state, asked, Facts())
    news = [all_of(*(key != other for other in keys[:i])) for i, key in enumerate(keys)]
    there = [first.holds(k) if isinstance(first, History) else first.present[k] for k in keys]  # type: ignore[union-attr]  # it has keys
    held = _number([all_of(*both) for both in zip(news, there, strict=True)])
    if isinstance(first, History):
        return [z3.ULE(held, state.size)] if state.size < len(keys) else []
    facts = [z3.ULE(held, first.count)] if len(keys) > 1 else []  # type: ignore[union-attr]  # as above
    width = keys[0].size()
    if width < state.size.bit_length() + 4:  # almost as many entries as there are keys
        others = bits(1 << width, 32) - _number(news)
        facts.append(z3.ULE(first.count - held, others))  # type: ignore[union-attr]  # as above
    return facts


def _number(conditions: list[z3.BoolRef]) -> z3.BitVecRef:
    """Return how many of some conditions hold."""
    return z3.Sum(*(z3.If(c, bits(1, 32), bits(0, 32)) for c in conditions))


def start_of(state: State, asked: Asked, facts: Facts) -> Memory:
    """Return a state as bodies find it."""
    if not state.keys:
        return Cell.start(state, facts)
    return History.start(state, asked) if state.evicts else Map.start(state, asked, facts)
