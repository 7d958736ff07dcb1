"""Prints the body of a block as Python statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.printing import bare, place_of
from bertha_ir.backends.python.flow import ends_always
from bertha_ir.backends.python.inline import cut_of
from bertha_ir.backends.python.payload import INDENT, Payload
from bertha_ir.backends.python.rows import Rows
from bertha_ir.backends.python.words import STRUCTS, View, Words, to_bytes
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.program import ADDRESS
from bertha_ir.types import Bytes, bit_width
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.backends.names import Names
    from bertha_ir.backends.python.records import Record
    from bertha_ir.program import DeviceProgram


@define
class Body:
    """Prints statements into `lines`. `ends` gives what is returned for each verdict; `containers` the module's names
    of tables and states; `buffer` is the variable with the payload, a `bytearray` if it is called `packet`; `records`
    are those of `Words`.
    """

    program: DeviceProgram
    names: Names
    containers: Mapping[str, str]
    ends: Mapping[str, str]
    views: dict[str, View]
    depth: int = 1
    lines: list[str] = Factory(list)
    buffer: str = "data"
    records: Mapping[str, Record] = Factory(dict)
    locals: dict[str, str] = Factory(dict)
    words: Words = field(init=False)
    rows: Rows = field(init=False)

    def __attrs_post_init__(self) -> None:
        payload = Payload(self.buffer, self.say)
        self.words = Words(self.program, self.views, self.locals, self.say, self.names.fresh, payload, self.records)
        self.rows = Rows(self.program, self.containers, self.words, self._declare)

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
                self._give(target, value)
            case s.Attempt(target, value, otherwise):
                self._attempt(target, value, otherwise)
            case s.If(condition):
                self._branch("if", bare(self.words.text(condition)), node)
            case s.Repeat(count, (s.If(condition, _, ()) as only,)) if not _varies(condition):
                self.say(f"for _ in range({count}):")
                self.depth += 1
                self._branch("if", bare(self.words.text(condition)), only)
                self.say("else:")  # nothing has changed, so that it would be the same the next time
                self.say(f"{INDENT}break")
                self.depth -= 1
            case s.Repeat(count, body):
                self.say(f"for _ in range({count}):")
                self._inside(body)
            case s.ForEach(state, key, value, body):
                key_name, value_name = self._declare(key.name), self._declare(value.name)
                self.say(f"for ({key_name},), ({value_name},) in tuple({self.containers[state]}.items()):")
                self._inside(body)
            case s.Store():
                self.rows.store(node)
            case s.Delete():
                self.rows.delete(node)
            case s.Lookup():
                self.rows.look_up(node)
            case s.Emit(payload):
                self.say(f"emitted.append({bare(self.words.text(payload))})")
            case s.Reply(payload):
                self.say(f"replied.append({bare(self.words.text(payload))})")
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

    def _branch(self, word: str, test: str, node: s.If) -> None:
        """Print an `if`; one that is all there is to an `else` becomes `elif`, unless its test takes statements."""
        self.say(f"{word} {test}:")
        self._inside(node.then)
        match node.otherwise:
            case ():
                return
            case (s.If(condition) as inner,):
                before = len(self.lines)
                inner_test = bare(self.words.text(condition))
                if len(self.lines) == before:
                    self._branch("elif", inner_test, inner)
                    return
                del self.lines[before:]
        self.say("else:")
        self._inside(node.otherwise)

    def _declare(self, name: str) -> str:
        if name not in self.locals:
            self.locals[name] = self.names.fresh(name)
        return self.locals[name]

    def _give(self, target: s.Target, value: e.Expr) -> None:
        self._assign(target, self.words.text(value))

    def _attempt(self, target: s.Target, value: e.Expr, otherwise: s.Body) -> None:
        cut = cut_of(self.words, value)
        if cut is None:
            text = self.words.text(value)
            self._indented("try:", target, text)
            self.say("except primitives.PrimitiveError:")
            self._inside(otherwise)
            return
        self.say(f"if {cut.test}:")
        self._inside(otherwise)
        if ends_always(otherwise):
            self._assign(target, cut.value)
        else:
            self._indented("else:", target, cut.value)

    def _indented(self, line: str, target: s.Target, text: str) -> None:
        self.say(line)
        self.depth += 1
        self._assign(target, text)
        self.depth -= 1

    def _assign(self, target: s.Target, text: str) -> None:
        match target:
            case e.Local(name):
                self.say(f"{self.locals[name]} = {bare(text)}")
            case e.Payload():
                self.say(f"{self.buffer}{'[:]' if self.buffer == 'packet' else ''} = {bare(text)}")
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
        first, size, shift, width = place_of(self.program, header, name)
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
            self.say(f"{where} = {to_bytes(text, size)}")

    def _push(self, header: str, given: tuple[tuple[str, e.Expr], ...]) -> None:
        values = [(name, self.words.text(value)) for name, value in given]
        kept = [(name, self._kept(name, text)) for name, text in values]
        size = self.program.header(header).size
        self.say(f"packet[:0] = bytes({size})")
        self._shift(size)
        self.views[header] = View("packet", "0")
        for name, local in kept:
            self._write(header, name, local)

    def _kept(self, name: str, text: str) -> str:
        """Return a value that outlasts a change of the packet."""
        if text.isidentifier() or text.isalnum():
            return text
        local = self.names.fresh(name)
        self.say(f"{local} = {bare(text)}")
        return local

    def _pop(self, header: str, otherwise: s.Body) -> None:
        size = self.program.header(header).size
        self.say(f"if len(packet) < {size}:")
        self._inside(otherwise)
        taken = self.names.fresh(header)
        if any(isinstance(n, e.Field) and n.header == header for n in walk(self.program.blocks)):
            self.say(f"{taken} = bytes(packet[:{size}])")
        self.say(f"del packet[:{size}]")
        self._shift(-size)
        self.views[header] = View(taken, "0")

    def _shift(self, size: int) -> None:
        """Let the headers known so far begin `size` bytes later."""
        for name, view in self.views.items():
            if view.data == "packet":
                at = str(int(view.at) + size) if view.at.isdigit() else f"({view.at} + {size})"
                self.views[name] = View("packet", at)

    def _fix(self, node: s.FixChecksum) -> None:
        view = self.views[node.checksum.header]
        at = view.plus(place_of(self.program, node.checksum.header, node.checksum.name).first)
        old, new = bare(self.words.text(node.old)), bare(self.words.text(node.new))
        count = (bit_width(node.old.type) or 0) // 16
        self.say(f"fix_checksum({view.data}, {at}, {old}, {new}, {count}, optional={node.optional})")


def _varies(node: e.Expr) -> bool:
    """Whether an expression may have another value although nothing has changed."""
    return any(isinstance(n, e.Call) and "input" in PRIMITIVES[n.primitive].laws for n in walk(node))
