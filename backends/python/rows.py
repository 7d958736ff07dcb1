"""Prints what a body does with tables and state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from bertha_ir.backends.printing import bare
from bertha_ir.types import Bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir import expr as e
    from bertha_ir import stmt as s
    from bertha_ir.backends.python.words import Words
    from bertha_ir.program import DeviceProgram, State, Table
    from bertha_ir.types import Type


@define
class Rows:
    """Prints look-ups and stores into `words.say`. `containers` are the module's names of tables and states; `declare`
    gives a local its name.
    """

    program: DeviceProgram
    containers: Mapping[str, str]
    words: Words
    declare: Callable[[str], str]
    tables: dict[str, Table] = field(init=False)
    states: dict[str, State] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tables = {t.name: t for t in self.program.tables}
        self.states = {s.name: s for s in self.program.states}

    def look_up(self, node: s.Lookup) -> None:
        """Print a look-up: into locals, of which a row that is missing gives zeros, and whether it was there."""
        into = [self.declare(local.name) for local in node.into]
        names = f"({into[0]},)" if len(into) == 1 else ", ".join(into)
        name, key, state = self.containers[node.container], self._key(node), self.states.get(node.container)
        missing = repr(tuple(zero(local.type) for local in node.into))
        say = self.words.say
        if state and not state.keys:
            if node.hit is not None:
                say(f"{self.declare(node.hit)} = True")
            if into:
                say(f"{names} = {name}.row")
        elif node.hit is None:
            default = f"{name}.get({key}, {missing})" if state else f"{name}.get({key}) or {missing}"
            say(f"{names} = {default}" if into else f"{name}.get({key})")
        elif not into:
            found = f"{key} in {name}" if state and not state.evicts else f"{name}.get({key}) is not None"
            say(f"{self.declare(node.hit)} = {found}")
        else:
            hit, row = self.declare(node.hit), self.words.fresh("row")
            say(f"{row} = {name}.get({key})")
            say(f"{hit} = {row} is not None")
            say(f"{names} = {row} or {missing}")

    def _key(self, node: s.Lookup) -> str:
        table = self.tables.get(node.container)
        one = table is not None and table.kind != "exact"
        return bare(self.words.text(node.keys[0])) if one else self._row(node.keys)

    def store(self, node: s.Store) -> None:
        """Print a store; the values of a cell are its row."""
        name, state = self.containers[node.state], self.states[node.state]
        if state.keys:
            self.words.say(f"{name}.{node.mode}({self._row(node.keys)}, {self._row(node.values)})")
        elif node.mode == "set":
            self.words.say(f"{name}.row = {self._row(node.values)}")
        else:
            self.words.say(f"{name}.row = {self._sums(name, state, node.values)}")

    def _sums(self, name: str, state: State, values: tuple[e.Expr, ...]) -> str:
        sums = [
            f"{name}.row[{at}] + {self.words.text(value)} & {hex((1 << kind.width) - 1)}"
            for at, (value, kind) in enumerate(zip(values, state.values, strict=True))
            if not isinstance(kind, Bytes)
        ]
        return f"({', '.join(sums)}{',' * (len(sums) == 1)})"

    def delete(self, node: s.Delete) -> None:
        """Print what forgets a row."""
        name, state = self.containers[node.state], self.states[node.state]
        if state.keys:
            self.words.say(f"{name}.pop({self._row(node.keys)}, None)")
        else:
            self.words.say(f"{name}.row = {zeros(state)!r}")

    def _row(self, values: tuple[e.Expr, ...]) -> str:
        return f"({', '.join(bare(self.words.text(v)) for v in values)}{',' * (len(values) == 1)})"


def zero(type_: Type) -> int | bytes:
    """Return the value of a word or of bytes that were never set."""
    return bytes(type_.size or 0) if isinstance(type_, Bytes) else 0


def zeros(state: State) -> tuple[int | bytes, ...]:
    """Return the row of a cell that was never set."""
    return tuple(zero(kind) for kind in state.values)


def line_of_table(name: str, table: Table) -> str:
    """Return the module's line for a table."""
    if table.kind == "array":
        return f"{name} = {{{', '.join(f'{x.match[0]}: {x.values!r}' for x in table.entries)}}}"
    if table.kind == "exact":
        return f"{name} = {{{', '.join(f'{x.match!r}: {x.values!r}' for x in table.entries)}}}"
    rows = [repr((*x.match, x.values)) for x in table.entries]
    kind, width = ("Ranges(", "") if table.kind == "range" else ("Prefixes(", f"{table.keys[0].width}, ")
    return f"{name} = {kind}{width}[{', '.join(rows)}])"


def line_of_state(name: str, state: State) -> str:
    """Return the module's line for a state. What adds to rows is told the bits of their values, and of bytes a zero."""
    if not state.keys:
        return f"{name} = Cell({zeros(state)!r})"
    widths = tuple(zero(v) if isinstance(v, Bytes) else v.width for v in state.values)
    return f"{name} = {'Recent' if state.evicts else 'Rows'}({widths!r}, {state.size})"
