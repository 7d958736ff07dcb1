"""Prints one block of a program as a P4 control: its locals, actions and tables, then its statements."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.p4.layout import FOUND, HEADERS, METADATA, PIPELINE, p4_type, width_of
from bertha_ir.backends.p4.model import Action, Key, Match, TableSite
from bertha_ir.backends.p4.names import comment
from bertha_ir.backends.p4.tables import INDENT, action_lines, rows, table_lines
from bertha_ir.backends.p4.words import Words
from bertha_ir.backends.printing import bare
from bertha_ir.types import BOOL, Type
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bertha_ir.backends.p4.helpers import Helpers
    from bertha_ir.backends.p4.layout import Layout
    from bertha_ir.backends.p4.model import Catalogue
    from bertha_ir.backends.p4.names import Names
    from bertha_ir.backends.p4.state import Store
    from bertha_ir.program import Block, Table

WIDEST_CONDITION = 90  # characters
PARAMETERS = (
    f"inout headers_t {HEADERS}, inout metadata_t {FOUND},\n"
    f"{INDENT * 2}inout standard_metadata_t {METADATA}, inout bool taken"
)


def bound(body: s.Body) -> Iterator[tuple[str, Type]]:
    """Yield the locals that statements bind in the control, not those in the bodies of an `If`."""
    for node in body:
        match node:
            case s.Let(name, value):
                yield name, value.type
            case s.Lookup(hit=str(hit)):
                yield hit, BOOL


@define
class BlockPrinter:
    """Prints one block as a control called `control`, whose instance in the control `Pipeline` is `instance`."""

    block: Block
    layout: Layout
    names: Names
    helpers: Helpers
    catalogue: Catalogue
    tables: Mapping[str, Table]
    states: Mapping[str, Store]
    control: str = field(init=False)
    instance: str = field(init=False)
    words: Words = field(init=False)
    locals: dict[tuple[str, Type], str] = Factory(dict)
    found: dict[tuple[str, Type], str] = Factory(dict)
    _lines: list[str] = Factory(list)
    _depth: int = 2
    _sites: list[TableSite] = Factory(list)
    _keys: list[str] = Factory(list)

    def __attrs_post_init__(self) -> None:
        self.instance = self.names.fresh(self.block.name)
        self.control = self.names.fresh(f"{self.block.name}_block")
        for node in walk(self.block.body):
            if isinstance(node, s.Lookup):
                for local in node.into:
                    self._find(local)
        for node in walk(self.block.body):
            for name, type_ in bound((node,)):
                if (name, type_) not in self.locals:
                    self.locals[name, type_] = self.names.fresh(name)
        self.words = Words(self.layout, self.names, self.helpers, self.locals, self._say)

    def print(self) -> str:
        """Return the text of the control."""
        self._block()
        title = f"// {comment(self.block.name)}: {comment(', '.join(self.block.ops)) or 'no ops'}\n"
        declarations = list(self._declarations())
        for site in self._sites:
            declarations += ["", *action_lines(*site.actions, site.miss), *table_lines(site)]
        inside = "".join(f"{INDENT}{line}\n" if line else "\n" for line in declarations)
        body = "\n".join(self._lines)
        return f"{title}control {self.control}({PARAMETERS}) {{\n{inside}    apply {{\n{body}\n    }}\n}}"

    def _find(self, local: e.Local) -> None:
        """Give what a look-up finds a place in the metadata: p4c warns when an action's parameter goes nowhere."""
        if (local.name, local.type) not in self.found:
            member = self.names.fresh(local.name)
            self.found[local.name, local.type] = f"{p4_type(local.type)} {member};"
            self.locals[local.name, local.type] = f"{FOUND}.{member}"

    def _declarations(self) -> Iterator[str]:
        """Declare the locals; those that are bound on some ways only start at zero, as p4c wants to be sure."""
        always = set(bound(self.block.body))
        for local, word in self.locals.items():
            if local not in self.found:
                zero = "" if local in always else f" = {'false' if local[1] == BOOL else '0'}"
                yield f"{p4_type(local[1])} {word}{zero};"
        yield from self._keys

    def _say(self, *lines: str) -> None:
        self._lines += [INDENT * self._depth + line for line in lines]

    @contextmanager
    def _braces(self, head: str) -> Iterator[None]:
        self._say(f"{head} {{")
        self._depth += 1
        yield
        self._depth -= 1
        self._say("}")

    @contextmanager
    def _condition(self, node: e.Expr) -> Iterator[None]:
        conditions = self.words.condition(node)
        line = bare(conditions[0]) if len(conditions) == 1 else " && ".join(conditions)
        if len(line) > WIDEST_CONDITION:
            line = f"\n{INDENT * (self._depth + 1)}&& ".join(conditions)
        with self._braces(f"if ({line})"):
            yield

    def _block(self) -> None:
        needs = self.layout.valid(self.block.needs)
        with self._braces(f"if (!taken{' && ' if needs else ''}{needs})"), self._condition(self.block.guard):
            self._say("taken = true;")
            self._body(self.block.body)

    def _body(self, body: s.Body) -> None:
        for node in body:
            self._statement(node)
            if isinstance(node, s.Drop | s.Bounce):
                return  # what follows is never run

    def _statement(self, node: s.Stmt) -> None:  # noqa: C901  (one row a node)
        match node:
            case s.Let(name, value):
                self._say(f"{self.locals[name, value.type]} = {self.words.text(value)};")
            case s.Assign(e.Local() | e.Field() as target, value):
                fresh = self.words.text(value)
                self._say(f"{self.words.text(target)} = {fresh};")
            case s.If():
                self._if(node)
            case s.Store():
                self._store(node)
            case s.Delete(state, keys):
                self._say(*self.states[state].delete(self._index(keys)))
            case s.Drop():
                self._say(f"mark_to_drop({METADATA});", "exit;")
            case s.Bounce():
                self._say(f"{METADATA}.egress_spec = {METADATA}.ingress_port;", "exit;")
            case s.Lookup() if node.container in self.states:
                self._read(node)
            case s.Lookup():
                self._look_up(node)
            case s.FixChecksum():
                self._fix_checksum(node)
            case _:
                msg = f"{node} was not refused"
                raise TypeError(msg)

    def _if(self, node: s.If) -> None:
        with self._condition(node.condition):
            self._body(node.then)
        if node.otherwise:
            with self._braces("else"):
                self._body(node.otherwise)

    def _index(self, keys: tuple[e.Expr, ...]) -> str:
        if not keys:
            return "0"
        joined = " ++ ".join(self.words.operand(k) for k in keys)
        return self.words.bind(f"(bit<32>)({joined})" if len(keys) > 1 else f"(bit<32>){joined}", "bit<32>")

    def _store(self, node: s.Store) -> None:
        store = self.states[node.state]
        index = self._index(node.keys)
        values = tuple(self.words.operand(v) for v in node.values)
        if node.mode == "set":
            self._say(*store.write(index, values))
            return
        with self._braces("@atomic"):
            for register, value in zip(store.values, values, strict=True):
                old = self.words.bind("0", f"bit<{register.width}>")
                self._say(f"{register.name}.read({old}, {index});")
                self._say(f"{register.name}.write({index}, {old} + {value});")
            self._say(*store.mark(index, present=True))

    def _read(self, node: s.Lookup) -> None:
        store = self.states[node.container]
        index = self._index(node.keys)
        if node.hit is not None:
            hit = self.locals[node.hit, BOOL]
            if store.present is None:
                self._say(f"{hit} = true;")
            else:
                mark = self.words.bind("0", "bit<1>")
                self._say(f"{store.present.name}.read({mark}, {index});")
                self._say(f"{hit} = ({mark} == 1);")
        for register, local in zip(store.values, node.into, strict=False):
            self._say(f"{register.name}.read({self.locals[local.name, local.type]}, {index});")

    def _look_up(self, node: s.Lookup) -> None:
        site = self._site(node, self.tables[node.container])
        call = f"{site.name}.apply()"
        self._say(f"{call};" if node.hit is None else f"{self.locals[node.hit, BOOL]} = {call}.hit;")

    def _site(self, node: s.Lookup, table: Table) -> TableSite:
        """Add the table of one look-up. BMv2 applies a table once a packet, so each look-up has its own."""
        name, path = self.names.fresh(table.name), f"{PIPELINE}.{self.instance}"
        targets = [(self.locals[x.name, x.type], self.names.fresh(f"{x.name}_value"), x.type) for x in node.into]
        params = tuple((param, width_of(type_)) for _, param, type_ in targets)
        found = tuple(f"{target} = {param};" for target, param, _ in targets)
        nothing = tuple(f"{target} = 0;" for target, _, _ in targets)
        hit = self.catalogue.action(Action(path, self.names.fresh(f"{name}_hit"), params, found))
        miss = self.catalogue.action(Action(path, self.names.fresh(f"{name}_miss"), (), nothing))
        match: Match = "exact" if table.kind == "array" else table.kind
        keys = tuple(Key(self._key(name, k), width_of(w), match) for k, w in zip(node.keys, table.keys, strict=True))
        entries = rows(table, with_values=bool(node.into))
        self._sites.append(self.catalogue.table(TableSite(path, name, keys, (hit,), miss, table.size, entries)))
        return self._sites[-1]

    def _key(self, table: str, node: e.Expr) -> str:
        """Return what a table matches: a field or a local; anything else is computed into one first."""
        if isinstance(node, e.Field | e.Local):
            return self.words.text(node)
        text = self.words.text(node)
        name = self.names.fresh(f"{table}_key")
        self._keys.append(f"{p4_type(node.type)} {name};")
        self._say(f"{name} = {text};")
        return name

    def _fix_checksum(self, node: s.FixChecksum) -> None:
        target = self.words.text(node.checksum)
        old, fresh = self.words.text(node.old), self.words.text(node.new)
        helper = self.helpers.fix_checksum(width_of(node.old.type), optional=node.optional)
        self._say(f"{target} = {helper}({target}, {old}, {fresh});")
