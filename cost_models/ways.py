"""The ways of a message through a lowered body, and what is done on the longest of them.

Of two branches the more counts, figure by figure, and nothing behind a `drop`; of branches for several values of a
field, one. A branch that stores what a look-up has just missed runs once for each key, and is left out. A row that is
looked up or written again, with the same key and nothing changed in between, is told apart: some targets then know
where it is.
"""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from attrs import define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.program import ADDRESS
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.program import State, Table

COMPARING = frozenset((*e.ORDER, *e.EQUALITY, *e.LOGIC))
IN_PLACE = 256  # rows of an exact table that a kernel compares one after another; a larger one is hashed
Ways = tuple[Counter[str] | None, Counter[str]]
STRAIGHT: Ways = (Counter(), Counter())


def _case(node: s.Stmt) -> tuple[e.Field, object] | None:
    """Return the field and the value for which alone a statement does anything."""
    match node:
        case s.If(e.Binary("==", e.Field() as where, e.Const(value)), _, ()):
            return where, value
    return None


@define
class _Cases:
    """Branches that are taken for one value of a field: of those for two values, a message takes one at the most."""

    found: dict[e.Field, dict[object, Counter[str]]] = field(factory=dict)

    def add(self, where: e.Field, value: object, more: Counter[str]) -> None:
        """Add what is done for a value of a field."""
        values = self.found.setdefault(where, {})
        values[value] = values.get(value, Counter()) + more

    def most(self, case: tuple[e.Field, object] | None = None) -> Counter[str]:
        """Return the most that is done for any values, or if one is known, for any others beside it."""
        where, known = case or (None, None)
        return sum(
            (
                values.get(known, Counter()) if at == where else reduce(or_, values.values())
                for at, values in self.found.items()
            ),
            Counter[str](),
        )

    def close(self, node: s.Stmt) -> Counter[str]:
        """Return the most that was done for values of a field that a statement writes, which are done with then."""
        written = [n.target for n in walk(node) if isinstance(n, s.Assign)]
        ended = _Cases({w: self.found.pop(w) for w in list(self.found) if w in written})
        return ended.most()


@define
class Way:
    """Counts the ways through a body. `hits`: the state that each local says is in it or not. `rows`: the rows that are
    known, by container and key, and `bound`: the locals that have a value.
    """

    tables: dict[str, Table]
    states: dict[str, State]
    hits: dict[str, str] = field(factory=dict)
    rows: frozenset[tuple[str, tuple[e.Expr, ...]]] = frozenset()
    bound: set[str] = field(factory=set)

    def body(self, body: s.Body) -> Ways:
        """Return the most of the ways that go on behind a body, None when none does, and of those that end in it."""
        on, cases = Counter[str](), _Cases()
        ended: Counter[str] = Counter()
        for node in body:
            if isinstance(node, s.Drop | s.Bounce):
                return None, ended | (on + cases.most())
            front, ways = self._ways(node)
            on += front
            for _, inside in ways:
                ended |= on + cases.most(_case(node)) + inside
            through = [way for way, _ in ways if way is not None]
            if not through:
                return None, ended
            case, more = _case(node), reduce(or_, through)
            if case is None:
                on += more
            else:
                cases.add(*case, more)
            on += cases.close(node)
        return on + cases.most(), ended

    def _ways(self, node: s.Stmt) -> tuple[Counter[str], list[Ways]]:
        """Return what a statement does in any case, and the ways through it from there."""
        match node:
            case s.If(condition, then, otherwise):
                front = self.expression(condition) + Counter(compare=1)
                ways = [(branch, self._inside(branch)) for branch in (then, otherwise)]
                return front, [STRAIGHT if self._fills(condition, branch) else way for branch, way in ways]
            case s.Attempt() | s.Pop():
                return self._statement(node), [STRAIGHT, self._inside(node.otherwise)]
            case s.Repeat() | s.ForEach():
                self.rows = frozenset()
                count = node.count if isinstance(node, s.Repeat) else 1
                return Counter(), [self._inside(node.body * count)]
        return self._statement(node), [STRAIGHT]

    def _inside(self, body: s.Body) -> Ways:
        """Return the ways through a branch. Behind it are known the rows that were before and still are."""
        before = self.rows
        found = self.body(body)
        self.rows &= before
        return found

    def _fills(self, condition: e.Expr, branch: s.Body) -> bool:
        """Whether a branch stores what a look-up has missed: it is taken once for each key."""
        match condition:
            case e.Unary("not", e.Local(name)) if name in self.hits:
                return any(isinstance(n, s.Store) and n.state == self.hits[name] for n in branch)
        return False

    def _statement(self, node: s.Stmt) -> Counter[str]:  # noqa: C901, PLR0911  (one row a node)
        match node:
            case s.Lookup(container, keys, hit, into):
                if hit is not None and container in self.states:
                    self.hits[hit] = container
                known = self._known(container, keys)
                self._bind(*([hit] if hit else []), *(local.name for local in into))
                return self.expression(keys) + self._lookup(container, known=known)
            case s.Store(state, keys, mode, values):
                kind = f"store {mode}-{self._form(state)}{self._known(state, keys)}"
                if self.states[state].keys:  # it may have been put in only now
                    self._forget(state)
                return self.expression(keys) + self.expression(values) + Counter([kind])
            case s.Delete(state, keys):
                self._forget(state)
                return self.expression(keys) + Counter([f"store delete-{self._form(state)}"])
            case s.FixChecksum():
                at = f"sum {node.part} {node.checksum.header}.{node.checksum.name}"
                return self.expression((node.old, node.new)) + Counter(["checksum", at])
            case s.Assign(target, value):
                self.rows = frozenset()  # what keys are made of may change
                return self.expression(value) + Counter(
                    ["write" if isinstance(target, e.Field) and target.header != ADDRESS else "move"]
                )
            case s.Pop():
                return Counter(["step"])
            case s.Attempt(_, value):
                return self.expression(value)
            case s.Push(_, fields):
                return self.expression(tuple(value for _, value in fields)) + Counter({"write": max(1, len(fields))})
            case s.Let(name, value):
                self._bind(name)
                return self.expression(value)
        return self.expression(node) + Counter(["step"])

    def _known(self, container: str, keys: tuple[e.Expr, ...]) -> str:
        """Return what is behind the name of an access to a row; it is known from now on."""
        at = (container, keys)
        known = at in self.rows
        self.rows |= {at}
        return "-known" if known else ""

    def _forget(self, container: str) -> None:
        self.rows = frozenset(at for at in self.rows if at[0] != container)

    def _bind(self, *names: str) -> None:
        """Give locals a value; keys that are made of an older one are other keys then."""
        if self.bound & set(names):
            self.rows = frozenset()
        self.bound |= set(names)

    def _lookup(self, container: str, *, known: str) -> Counter[str]:
        table = self.tables.get(container)
        if table is None:
            return Counter([f"lookup state-{self._form(container)}{known}"])
        if table.kind == "exact" and table.size > IN_PLACE:
            return Counter([f"lookup exact-hash{known}"])
        rows = {"array": 0, "lpm": max(0, len(table.entries).bit_length() - 1)}.get(table.kind, len(table.entries))
        return Counter({f"lookup {table.kind}": 1, f"row {table.kind}": rows})

    def _form(self, name: str) -> str:
        state = self.states[name]
        return "cell" if not state.keys else "lru" if state.evicts else "map"

    @staticmethod
    def expression(node: object) -> Counter[str]:
        """Return the work of an expression, or of several."""
        return Counter(kind for n in walk(node) for kind in _kinds(n))


def _kinds(node: object) -> tuple[str, ...]:  # noqa: PLR0911  (one row a node)
    match node:
        case e.Binary(op) if op in COMPARING:
            return ("compare",)
        case e.Unary("not"):
            return ("compare",)
        case e.Binary("*"):
            return ("multiply",)
        case e.Binary("/" | "%"):
            return ("divide",)
        case e.Unary() | e.Binary() | e.Choose():
            return ("step",)
        case e.Field(header):
            return ("move" if header == ADDRESS else "read",)
        case e.Call(name):
            return (f"call {name}",)
    return ()
