"""Verifies device programs: what a backend may take for granted."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.legality import VerifyError, check_stage
from bertha_ir.program import ADDRESS
from bertha_ir.types import BOOL, U32, Bits, Bytes, Type
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.program import Block, DeviceProgram, Entry, State, Table

__all__ = ["VerifyError", "verify_program"]


def verify_program(program: DeviceProgram) -> None:
    """Raise `VerifyError`, naming the place, when a program is not well formed."""
    where = f"{program.device}/{program.name}"
    _unique(where, [h.name for h in program.headers], "headers")
    _unique(where, [*(t.name for t in program.tables), *(t.name for t in program.states)], "tables or states")
    _unique(where, [b.name for b in program.blocks], "blocks")
    for header in program.headers:
        _check(sum(f.width for f in header.fields) % 8 == 0, where, f"`{header.name}` is not whole bytes")
    _verify_parser(program, where)
    for table in program.tables:
        _verify_table(table, f"{where}/{table.name}")
    for block in program.blocks:
        _Verifier(program, f"{where}/{block.name}").block(block)


def _check(condition: bool, where: str, what: str) -> None:  # noqa: FBT001  (a predicate is what it takes)
    if not condition:
        raise VerifyError(where, what)


def _unique(where: str, names: list[str], what: str) -> None:
    _check(len(set(names)) == len(names), where, f"two {what} have one name")


def _verify_parser(program: DeviceProgram, where: str) -> None:
    """Check that states and fields exist and that parsing always moves on."""
    states = {state.header: state for state in program.parser}
    headers = {h.name: h for h in program.headers}
    _unique(where, [state.header for state in program.parser], "parse states")
    for state in program.parser:
        _check(state.header in headers, where, f"the parser extracts the unknown header `{state.header}`")
        names = {f.name: f.width for f in headers[state.header].fields}
        for transition in state.transitions:
            _check(transition.to in states, where, f"the parser goes to the unknown state `{transition.to}`")
            for name, value in transition.when:
                fits = name in names and 0 <= value < 1 << names[name]
                _check(fits, where, f"the parser compares `{state.header}.{name}` with {value}")
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        _check(name not in above, where, f"the parser comes back to `{name}`")
        if name not in done:
            for transition in states[name].transitions:
                visit(transition.to, (*above, name))
            done.add(name)

    for name in states:
        visit(name, ())


def _verify_table(table: Table, where: str) -> None:
    _check(len(table.entries) <= table.size, where, f"{len(table.entries)} entries in a table of {table.size}")
    _check(table.kind == "exact" or len(table.keys) == 1, where, f"{len(table.keys)} keys in an {table.kind} table")
    for entry in table.entries:
        fits = all(0 <= v < 1 << t.width for v, t in zip(entry.values, table.values, strict=False))
        _check(fits and len(entry.values) == len(table.values), where, f"the values {entry.values}")
        _check(_matches(table, entry), where, f"the match {entry.match}")
    if table.kind == "array":
        indices = {(i,) for i in range(len(table.entries))}
        _check({x.match for x in table.entries} == indices, where, "a gap in an array")
    if table.kind == "range":
        rows = sorted(x.match for x in table.entries)
        _check(all(a[1] < b[0] for a, b in pairwise(rows)), where, "ranges that overlap")


def _matches(table: Table, entry: Entry) -> bool:
    widths = [k.width for k in table.keys]
    match table.kind:
        case "lpm":
            value, length = entry.match
            return 0 <= length <= widths[0] and value < 1 << widths[0] and value & ((1 << widths[0] - length) - 1) == 0
        case "range":
            low, high = entry.match
            return 0 <= low <= high < 1 << widths[0]
        case _:
            fits = all(0 <= v < 1 << w for v, w in zip(entry.match, widths, strict=False))
            return fits and len(entry.match) == len(widths)


@define
class _Verifier:
    """Verifies one block: fields exist, locals are bound before they are read, look-ups have the right shape."""

    program: DeviceProgram
    where: str
    headers: set[str] = field(factory=set)

    def block(self, block: Block) -> None:
        check_stage(self.program.root, (block.guard, block.body), self.where)
        parsed = {state.header for state in self.program.parser} | {ADDRESS}
        for name in block.needs:
            self._ensure(name in parsed, f"the block needs `{name}`, which is never parsed")
        self._expression(block.guard, {})
        self._body(block.body, {})

    def _ensure(self, condition: bool, what: str) -> None:  # noqa: FBT001  (a predicate is what it takes)
        _check(condition, self.where, what)

    def _body(self, body: s.Body, known: dict[str, Type]) -> None:
        bound = dict(known)
        for at, statement in enumerate(body):
            self._statement(statement, bound)
            ends = isinstance(statement, s.Drop | s.Bounce)
            self._ensure(not ends or at == len(body) - 1, "a statement follows the end of its block")

    def _statement(self, node: s.Stmt, bound: dict[str, Type]) -> None:
        match node:
            case s.Let(name, value):
                self._expression(value, bound)
                bound[name] = value.type
            case s.Lookup():
                self._look_up(node, bound)
            case s.Assign(target, value):
                self._expression((target, value), bound)
            case s.If(condition, then, otherwise):
                self._expression(condition, bound)
                self._body(then, bound)
                self._body(otherwise, bound)
            case s.Repeat(_, body):
                self._body(body, bound)
            case s.ForEach(state, key, value, body):
                self._ensure(state in {t.name for t in self.program.states}, f"no state is called `{state}`")
                self._body(body, bound | {key.name: key.type, value.name: value.type})
            case s.Attempt(target, value, otherwise):
                self._expression((target, value), bound)
                self._body(otherwise, bound)
            case s.Store() | s.Delete():
                self._store(node, bound)
            case s.Push() | s.Pop():
                self._moved(node, bound)
            case _:
                self._expression(node, bound)

    def _moved(self, node: s.Push | s.Pop, bound: dict[str, Type]) -> None:
        for name in (node.header, *([] if node.behind is None else [node.behind])):
            self._ensure(name in {h.name for h in self.program.headers}, f"no header is called `{name}`")
        if isinstance(node, s.Push):
            self._expression(tuple(value for _, value in node.fields), bound)
        else:
            self._body(node.otherwise, bound)

    def _container(self, name: str) -> Table | State:
        found: dict[str, Table | State] = {t.name: t for t in self.program.tables}
        found |= {t.name: t for t in self.program.states}
        self._ensure(name in found, f"no table or state is called `{name}`")
        return found[name]

    def _look_up(self, node: s.Lookup, bound: dict[str, Type]) -> None:
        container = self._container(node.container)
        self._expression(node.keys, bound)
        self._ensure([k.type for k in node.keys] == list(container.keys), f"keys of `{node.container}`")
        kinds = [local.type for local in node.into]
        self._ensure(kinds in ([], list(container.values)), f"values of `{node.container}`")
        if getattr(container, "kind", None) == "array":
            self._ensure(node.keys[0].type == U32, f"the index of `{node.container}` is no u32")
        bound |= {local.name: local.type for local in node.into}
        if node.hit is not None:
            bound[node.hit] = BOOL

    def _store(self, node: s.Store | s.Delete, bound: dict[str, Type]) -> None:
        container = self._container(node.state)
        self._expression(node.keys, bound)
        keys = [_shape(k.type) for k in node.keys]
        self._ensure(keys == [_shape(k) for k in container.keys], f"keys of `{node.state}`")
        if isinstance(node, s.Store):
            self._expression(node.values, bound)
            kinds = [_shape(v.type) for v in node.values]
            self._ensure(kinds == [_shape(v) for v in container.values], f"values of `{node.state}`")

    def _expression(self, tree: object, bound: dict[str, Type]) -> None:
        for node in walk(tree):
            match node:
                case e.Local(name, type_):
                    self._ensure(bound.get(name) == type_, f"`{name}` is read before it is bound, or as another type")
                case e.Field(header, name, type_):
                    self._field(header, name, type_)
                case e.HeaderOffset(header) | e.Parsed(header):
                    self._ensure(header in {h.name for h in self.program.headers}, f"no header is called `{header}`")

    def _field(self, header: str, name: str, type_: Type) -> None:
        known = {h.name for h in self.program.headers} | {ADDRESS}
        self._ensure(header in known, f"no header is called `{header}`")
        found = {f.name: f.type for f in self.program.header(header).fields}
        self._ensure(found.get(name) == type_, f"`{header}.{name}` is no field of type {type_}")


def _shape(type_: Type | Bits | Bytes) -> Type:
    """Return the type a state compares by: byte strings of any length are alike."""
    return Bytes() if isinstance(type_, Bytes) else type_
