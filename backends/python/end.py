"""Prints the body of an end's codec: headers lie around a payload that is joined once, and cut where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.printing import bare
from bertha_ir.backends.python.body import Body
from bertha_ir.backends.python.flow import ends_always, only_around, reads, sets
from bertha_ir.backends.python.inline import NONCE, PUTS, TAG, cut_of, pieces_of
from bertha_ir.backends.python.payload import INDENT, Payload
from bertha_ir.backends.python.records import code_of
from bertha_ir.backends.python.rows import zero
from bertha_ir.backends.python.words import STRUCTS, View, to_bytes
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram, Header


@define
class End(Body):
    """A body that only puts headers in front of the payload, or takes them off. Where a handler is straight, the
    payload's beginning is known, and nothing is moved for a `push` or a `pop`; before anything else that changes the
    payload, it is made to begin where its variable does. `layouts` are lines for the module.
    """

    layouts: dict[str, str] = Factory(dict)
    _popped: set[str] = Factory(set)
    _later: s.Body = ()
    _nested: int = 0

    @staticmethod
    def takes(program: DeviceProgram) -> bool:
        """Whether this printer can print the program's body."""
        (block,) = program.blocks
        pushed = (n for n in walk(block.body) if isinstance(n, s.Push))
        return only_around(block.body, program.root) and all(
            _constant(p) or _codes(program, p.header) or len(program.header(p.header).fields) == 1 for p in pushed
        )

    def body(self, body: s.Body) -> None:
        """Print statements; what they put together may still have to be joined."""
        if self._nested:
            super().body(body)
            return
        for at, statement in enumerate(body):
            self._later = body[at + 1 :]
            self._prepare(statement)
            self._statement(statement)

    def _prepare(self, node: s.Stmt) -> None:
        """Join the payload, and let it begin its variable, unless a statement can do without."""
        match node:
            case s.Push() | s.Assign(e.Payload()):
                if reads(node):
                    self.words.payload.join()
            case s.Let(name):
                self._bind(node, {name})
            case s.Lookup(_, _, hit, into):
                self._bind(node, {hit, *(local.name for local in into)})
            case s.Attempt(_, _, otherwise) | s.Pop(_, otherwise) if ends_always(otherwise):
                self.words.payload.join()
            case _:
                self.words.payload.join()
                if sets((node,), e.Payload):
                    self._settle((node, *self._later))

    def _bind(self, node: s.Stmt, names: set[str | None]) -> None:
        """Join the payload before a statement that binds locals, if it reads headers, or binds what parts may be of."""
        if reads(node) or names & self.locals.keys():
            self.words.payload.join()

    def _inside(self, body: s.Body) -> None:
        """Print a branch: one that changes the payload first lets it begin its variable, for itself alone."""
        front, views = self.words.payload.front, dict(self.views)
        self._nested += 1
        if front and sets(body, e.Payload):
            self.depth += 1
            self._settle(body)
            self.depth -= 1
        super()._inside(body)
        self._nested -= 1
        self.words.payload.front = front
        self.views.update(views)

    def _settle(self, readers: s.Body) -> None:
        payload = self.words.payload
        self._keep(readers)
        if payload.front:
            self.say(f"{payload.name} = {payload.text()}")
            payload.put()

    def _keep(self, readers: s.Body) -> None:
        """Copy the popped headers that are still read, before the variable that they lie in changes."""
        for header in sorted(self._popped):
            view = self.views[header]
            if view.data == self.words.payload.name and reads(readers, header):
                name, size = self.names.fresh(header), self.program.header(header).size
                self.say(f"{name} = {view.data}[{view.at}:{view.plus(size)}]")
                self.views[header] = View(name, "0")

    def _give(self, target: s.Target, value: e.Expr) -> None:
        if not isinstance(target, e.Payload) or self._nested:
            super()._give(target, value)
            return
        payload = self.words.payload
        if isinstance(value, e.Call) and value.primitive in PUTS:
            pieces = pieces_of(self.words, value)
            self._keep(self._later)
            payload.pieces = pieces
            return
        text = bare(self.words.text(value))
        self._keep(self._later)
        self._put(text)

    def _put(self, text: str) -> None:
        payload = self.words.payload
        payload.put()
        if text != payload.name:
            self.say(f"{payload.name} = {text}")

    def _attempt(self, target: s.Target, value: e.Expr, otherwise: s.Body) -> None:
        payload = self.words.payload
        if not isinstance(target, e.Payload) or self._nested or not ends_always(otherwise):
            super()._attempt(target, value, otherwise)
            return
        cut = cut_of(self.words, value)
        if cut and cut.front is not None:
            self.say(f"if {cut.test}:")
            self._inside(otherwise)
            payload.front = cut.front
            return
        self._keep(self._later)
        match value, otherwise:
            case e.Call("aead_open", (e.Secret(name), e.Payload())), (s.Drop(),):
                self._open(name, otherwise)
            case _:
                super()._attempt(target, value, otherwise)
        payload.put()

    def _open(self, secret: str, otherwise: s.Body) -> None:
        name, front = self.words.held(e.Payload())
        behind = front + NONCE
        self.say(f"if len({name}) < {behind + TAG}:")
        self._inside(otherwise)
        self.say("try:")
        prefix, sealed = f"{name}[{front or ''}:{behind}]", f"{name}[{behind}:]"
        self.say(f"{INDENT}{name} = CIPHERS[{secret!r}].decrypt({prefix}, {sealed}, None)")
        self.say("except InvalidTag:")
        self._inside(otherwise)

    def _push(self, header: str, given: tuple[tuple[str, e.Expr], ...]) -> None:
        layout, payload = self.program.header(header), self.words.payload
        fields = dict(given)
        if all(isinstance(value, e.Const) for value in fields.values()):
            text: str | bytes = _laid(layout, {name: v.value for name, v in fields.items() if isinstance(v, e.Const)})
        else:
            values = [
                bare(self.words.text(fields[f.name])) if f.name in fields else repr(zero(f.type)) for f in layout.fields
            ]
            text = self._packed(layout, values)
        payload.pieces = payload.whole().behind(text, layout.size)
        for name, view in self.views.items():
            self.views[name] = View(view.data, str(int(view.at) + layout.size))
        self.views[header] = View(payload.name, "0")

    def _packed(self, header: Header, values: list[str]) -> str:
        if len(header.fields) == 1:
            (value,) = values
            return f"{STRUCTS[header.size]}.pack({value})" if header.size in STRUCTS else to_bytes(value, header.size)
        if header.name not in self.layouts:
            name = self.names.fresh(f"{header.name}_layout")
            self.layouts[header.name] = f'{name} = Struct(">{_codes(self.program, header.name)}")'
        return f"{self.layouts[header.name].partition(' ')[0]}.pack({', '.join(values)})"

    def _pop(self, header: str, otherwise: s.Body) -> None:
        payload = self.words.payload
        behind = payload.front + self.program.header(header).size
        self.say(f"if len({payload.name}) < {behind}:")
        self._inside(otherwise)
        self.views[header] = View(payload.name, str(payload.front))
        self._popped.add(header)
        payload.front = behind


def _constant(push: s.Push) -> bool:
    return all(isinstance(value, e.Const) for _, value in push.fields)


def _codes(program: DeviceProgram, header: str) -> str | None:
    """Return the format by which `struct` packs a header, or None when it has no words for its fields."""
    codes = [code_of(f.type) for f in program.header(header).fields]
    return "".join(c for c in codes if c) if all(codes) else None


def _laid(header: Header, values: dict[str, object]) -> bytes:
    """Return a header's bytes; fields without a value are 0."""
    whole = 0
    for field in header.fields:
        value = values.get(field.name, 0)
        number = int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)  # type: ignore[call-overload]  # a word
        whole = whole << field.width | number
    return whole.to_bytes(header.size, "big")


def returning(lines: list[str], result: str | Payload) -> list[str]:
    """Return lines with what a body ends with behind them: it returns a variable, or a payload; what the last line
    gives the variable need not be given first.
    """
    if isinstance(result, Payload):
        if result.pieces:
            return [*lines, *(f"{INDENT}{line}" for line in result.pieces.lines("return "))]
        result = result.text()
    start = f"{INDENT}{result} = "
    if lines and lines[-1].startswith(start):
        return [*lines[:-1], f"{INDENT}return {lines[-1].removeprefix(start)}"]
    return [*lines, f"{INDENT}return {result}"]
