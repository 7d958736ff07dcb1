"""Prints the body of a block as Python statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.python.words import STRUCTS, View, Words
from bertha_ir.program import ADDRESS
from bertha_ir.types import Bits, Bytes, bit_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.backends.names import Names
    from bertha_ir.program import DeviceProgram, Table

INDENT = "    "


@define
class Body:
    """Prints statements into `lines`. `ends` gives what is returned for each verdict; `tables` and `states` the
    module's names of the containers.
    """

    program: DeviceProgram
    names: Names
    containers: Mapping[str, str]
    ends: Mapping[str, str]
    views: dict[str, View]
    depth: int = 1
    lines: list[str] = Factory(list)
    locals: dict[str, str] = Factory(dict)
    words: Words = field(init=False)
    tables: dict[str, Table] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tables = {t.name: t for t in self.program.tables}
        self.words = Words(self.program, self.views, self.locals, self.say, self.names.fresh)

    def say(self, line: str) -> None:
        """Print one line."""
        self.lines.append(INDENT * self.depth + line)

    def body(self, body: s.Body) -> None:
        """Print statements; `pass` where there are none."""
        before = len(self.lines)
        for statement in body:
            self._statement(statement)
        if len(self.lines) == before:
            self.say("pass")

    def _inside(self, body: s.Body) -> None:
        self.depth += 1
        self.body(body)
        self.depth -= 1

    def _statement(self, node: s.Stmt) -> None:  # noqa: C901, PLR0912  (one row a node)
        match node:
            case s.Let(name, value):
                text = self.words.text(value)
                self.say(f"{self._declare(name)} = {bare(text)}")
            case s.Assign(target, value):
                self._assign(target, self.words.text(value))
            case s.Attempt(target, value, otherwise):
                self._attempt(target, value, otherwise)
            case s.If(condition, then, otherwise):
                self.say(f"if {bare(self.words.text(condition))}:")
                self._inside(then)
                if otherwise:
                    self.say("else:")
                    self._inside(otherwise)
            case s.Repeat(count, body):
                self.say(f"for _ in range({count}):")
                self._inside(body)
            case s.ForEach(state, key, value, body):
                key_name, value_name = self._declare(key.name), self._declare(value.name)
                self.say(f"for ({key_name},), ({value_name},) in {self.containers[state]}.items():")
                self._inside(body)
            case s.Store(state, keys, mode, values):
                self.say(f"{self.containers[state]}.{mode}({self._row(keys)}, {self._row(values)})")
            case s.Delete(state, keys):
                self.say(f"{self.containers[state]}.delete({self._row(keys)})")
            case s.Lookup():
                self._look_up(node)
            case s.Drop():
                self.say(f"return {self.ends['drop']}")
            case s.Bounce():
                self.say(f"return {self.ends['bounce']}")
            case s.Push(header, given):
                self._push(header, given)
            case s.Pop(header, otherwise):
                self._pop(header, otherwise)
            case s.FixChecksum():
                self._fix(node)
            case _:
                msg = f"{node} was not refused"
                raise TypeError(msg)

    def _declare(self, name: str) -> str:
        if name not in self.locals:
            self.locals[name] = self.names.fresh(name)
        return self.locals[name]

    def _row(self, values: tuple[e.Expr, ...]) -> str:
        return f"({''.join(f'{bare(self.words.text(v))}, ' for v in values).rstrip(' ')})"

    def _attempt(self, target: s.Target, value: e.Expr, otherwise: s.Body) -> None:
        result = self.names.fresh("result")
        text = self.words.text(value)
        self.say("try:")
        self.say(f"{INDENT}{result} = {text}")
        self.say("except primitives.PrimitiveError:")
        self._inside(otherwise)
        self.say("else:")
        self.depth += 1
        self._assign(target, result)
        self.depth -= 1

    def _assign(self, target: s.Target, text: str) -> None:
        match target:
            case e.Local(name):
                self.say(f"{self.locals[name]} = {bare(text)}")
            case e.Payload():
                self.say(f"packet[:] = {text}")
            case e.Value():
                self.say(f"value = {text}")
            case e.Field(header, name) if header == ADDRESS:
                self.say(f"{name} = {bare(text)}")
            case e.Field(header, name):
                self._write(header, name, text)
            case _:
                msg = f"{target} was not refused"
                raise TypeError(msg)

    def _write(self, header: str, name: str, text: str) -> None:
        first, size, shift, width = self.words.place(header, name)
        view, kind = self.views[header], self.program.header(header).field(name).type
        where = f"{view.data}[{view.plus(first)}:{view.plus(first + size)}]"
        if isinstance(kind, Bytes):
            self.say(f"{where} = {text}")
            return
        if width != 8 * size:
            kept = ((1 << 8 * size) - 1) ^ (((1 << width) - 1) << shift)
            moved = f"({text} << {shift})" if shift else text
            text = f'int.from_bytes({where}, "big") & {hex(kept)} | {moved}'
        if size == 1:
            self.say(f"{view.data}[{view.plus(first)}] = {bare(text)}")
        elif size in STRUCTS and width == 8 * size:
            self.say(f"{STRUCTS[size]}.pack_into({view.data}, {view.plus(first)}, {bare(text)})")
        else:
            self.say(f'{where} = ({text}).to_bytes({size}, "big")')

    def _look_up(self, node: s.Lookup) -> None:
        name, keys = self.containers[node.container], node.keys
        row = self.names.fresh("row")
        kind = self.tables[node.container].kind if node.container in self.tables else "state"
        if kind == "array":
            index = self.names.fresh("index")
            self.say(f"{index} = {bare(self.words.text(keys[0]))}")
            self.say(f"{row} = {name}[{index}] if {index} < len({name}) else None")
        else:
            key = bare(self.words.text(keys[0])) if kind in {"lpm", "range"} else self._row(keys)
            self.say(f"{row} = {name}.get({key})")
        if node.hit is not None:
            self.say(f"{self._declare(node.hit)} = {row} is not None")
        for i, local in enumerate(node.into):
            zero = "0" if isinstance(local.type, Bits) else repr(bytes(getattr(local.type, "size", 0) or 0))
            self.say(f"{self._declare(local.name)} = {row}[{i}] if {row} is not None else {zero}")

    def _push(self, header: str, given: tuple[tuple[str, e.Expr], ...]) -> None:
        values = [(name, self.words.text(value)) for name, value in given]
        kept = [(name, self.names.fresh(name)) for name, _ in values]
        for (_, text), (_, local) in zip(values, kept, strict=True):
            self.say(f"{local} = {bare(text)}")
        size = self.program.header(header).size
        self.say(f"packet[:0] = bytes({size})")
        self._shift(size)
        self.views[header] = View("packet", "0")
        for name, local in kept:
            self._write(header, name, local)

    def _pop(self, header: str, otherwise: s.Body) -> None:
        size = self.program.header(header).size
        self.say(f"if len(packet) < {size}:")
        self._inside(otherwise)
        taken = self.names.fresh(header)
        self.say(f"{taken} = bytes(packet[:{size}])")
        self.say(f"del packet[:{size}]")
        self._shift(-size)
        self.views[header] = View(taken, "0")

    def _shift(self, size: int) -> None:
        """Let the headers known so far begin `size` bytes later."""
        for name, view in self.views.items():
            if view.data == "packet":
                self.views[name] = View("packet", str(int(view.at) + size) if view.at.isdigit() else f"({view.at} + {size})")

    def _fix(self, node: s.FixChecksum) -> None:
        view = self.views[node.checksum.header]
        at = view.plus(self.words.place(node.checksum.header, node.checksum.name)[0])
        old, new = bare(self.words.text(node.old)), bare(self.words.text(node.new))
        count = (bit_width(node.old.type) or 0) // 16
        self.say(f"fix_checksum({view.data}, {at}, {old}, {new}, {count}, optional={node.optional})")


def bare(text: str) -> str:
    """Return `text` without the parentheses around the whole of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for at, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0 and at < len(text) - 1:
            return text
    return text[1:-1]
