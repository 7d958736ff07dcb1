"""Prints the body of a block as C statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.locals import used, without_unread
from bertha_ir.backends.ebpf.maps import WORD, by_bytes
from bertha_ir.backends.ebpf.moves import Mover, moves
from bertha_ir.backends.ebpf.pushes import Pushes
from bertha_ir.backends.ebpf.rows import Rows
from bertha_ir.backends.ebpf.sums import CONTEXT, Sums
from bertha_ir.backends.ebpf.words import WHOLE, Words, c_type, literal, load, masked, stores
from bertha_ir.backends.printing import bare, place_of
from bertha_ir.types import BOOL
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.backends.ebpf.maps import Container
    from bertha_ir.backends.ebpf.rows import Row
    from bertha_ir.backends.names import Names
    from bertha_ir.program import Block, DeviceProgram
    from bertha_ir.types import Type


@define
class Verdicts:
    """What the hook's verdicts are called, and whether transports' checksums go through the kernel's helper."""

    on: str
    drop: str
    bounce: str
    helper: bool


@frozen
class Around:
    """What is around a part of a block: the whole block, whether it is the first part, the C types and values of the
    locals that come from those in front, and the lines that end it, if others follow, made of the C variables of its
    locals.
    """

    whole: Block
    first: bool
    given: Mapping[str, tuple[str, str]]
    ending: Callable[[Mapping[str, str]], list[str]] | None


@define
class BlockPrinter:
    """Prints one block. A checksum's changes are summed up and applied once, at the end of the statements that make
    them; a transport's at TC, where the kernel may not have filled it in yet, at the end of the block, by its helper.
    """

    program: DeviceProgram
    containers: Mapping[str, Container]
    names: Names
    verdicts: Verdicts
    headers: Mapping[str, str]
    offsets: Mapping[str, str]
    rests: Mapping[str, str]
    lines: list[str] = Factory(list)
    depth: int = 1
    words: Words = field(init=False)
    mover: Mover = field(init=False)
    sums: Sums = field(init=False)
    locals: dict[str, str] = Factory(dict)
    kinds: dict[str, str] = Factory(dict)
    used: frozenset[str] = frozenset()
    bound: dict[str, str] = Factory(dict)
    rows: Rows = Factory(Rows)

    def __attrs_post_init__(self) -> None:
        self.words = Words(
            self.program, self.headers, self.offsets, self.rests, self.locals, "frame_size", self.say, self.names.fresh
        )
        self.sums = Sums(self.words, self.verdicts.helper)

    def say(self, line: str) -> None:
        """Print one line."""
        self.lines.append("\t" * self.depth + line)

    def block(self, block: Block, around: Around) -> list[str]:
        """Return the lines of the function body of a block, or of a part of one."""
        self.used = used(around.whole.body)
        self.mover = Mover(around.whole, self.words, self.verdicts.drop, exact=around.first)
        if moves(block):
            self.mover.declare()
        for name, (kind, value) in around.given.items():
            self._declare(name, kind, value)
        self._guard(block.guard)
        fixes = tuple(n for n in walk(block.body) if isinstance(n, s.FixChecksum))
        self.sums.optional |= {n.checksum for n in fixes if n.optional}
        for change in dict.fromkeys(self.sums.change(n) for n in fixes if self.sums.waits(n.part)):
            self.sums.open(change)
        self.body(block.body)
        if not (block.body and isinstance(block.body[-1], s.Drop | s.Bounce)):
            self.sums.apply_late()
            for line in [f"return {self.verdicts.on};"] if around.ending is None else around.ending(self.bound):
                self.say(line)
        return without_unread(self.lines, self.kinds)

    def _guard(self, guard: e.Expr) -> None:
        for condition in _conjuncts(guard):
            if condition != e.Const(value=True, type=condition.type):
                self.say(f"if (!{_wrapped(self.words.text(condition))})")
                self.say("\treturn NOT_TAKEN;")

    def body(self, body: s.Body) -> None:
        """Print statements."""
        fixes = (n for n in body if isinstance(n, s.FixChecksum))
        changes = dict.fromkeys(self.sums.change(n) for n in fixes if not self.sums.waits(n.part))
        own = [change for change in changes if change not in self.sums.deltas]
        outer, known, rows, taken = (
            dict(self.sums.deltas),
            dict(self.locals),
            self.rows.inside(),
            dict(self.words.taken),
        )
        for change in own:
            self.sums.open(change)
        self._statements(body)
        if not (body and isinstance(body[-1], s.Drop | s.Bounce)):
            self.sums.apply(own)
        self.sums.deltas = outer
        self.rows.outside(rows)
        self.bound = dict(self.locals)
        self.locals.clear()
        self.locals.update(known)
        self.words.taken.clear()
        self.words.taken.update(taken)

    def _statements(self, body: s.Body) -> None:
        rest = body
        while rest:
            pushes = Pushes.of(self.program, rest)
            if pushes is not None:
                self._forget()
                self.mover.push(pushes)
            for statement in rest[:1] if pushes is None else pushes.rest:
                self._statement(statement)
            rest = rest[1 if pushes is None else pushes.count :]

    def _statement(self, node: s.Stmt) -> None:  # noqa: C901, PLR0912  (one row a node)
        match node:
            case s.Let(name, value) | s.Assign(e.Local(name), value):
                if name in self.used:
                    declared = self._bind(name, value.type, self.words.text(value))
                    if declared and isinstance(value, e.Field):
                        self.words.copy(self.locals[name], value)
            case s.Assign(e.Field(header, name), value):
                self._write(header, name, value)
            case s.If(condition, then, otherwise):
                self._if(condition, then, otherwise)
            case s.Repeat(count, body):
                turn = self.names.fresh("turn")
                self._forget()  # what is known before a turn may not be behind one
                self._braced(f"for (__u32 {turn} = 0; {turn} < {count}; {turn}++)", body)
                self._forget()
            case s.Lookup():
                self._look_up(node)
            case s.Store():
                self._store(node)
            case s.Delete(state, keys):
                self._delete(self.containers[state], keys)
            case s.Drop():
                self.say(f"return {self.verdicts.drop};")
            case s.Bounce():
                self.sums.apply(change for change in self.sums.deltas if not self.sums.waits(change[1]))
                self.sums.apply_late()
                if self.verdicts.helper:
                    self.say(f"bpf_redirect({CONTEXT}->ifindex, BPF_F_INGRESS);")
                self.say(f"return {self.verdicts.bounce};")
            case s.FixChecksum():
                self.sums.add(node)
            case s.Pop(header, behind=str(behind)):
                self._forget()
                self.mover.pop(header, behind)
            case _:
                msg = f"{node} was not refused"
                raise TypeError(msg)

    def _bind(self, name: str, type_: Type, text: str) -> bool:
        """Give a local a value that something reads; return whether it is new. One that is bound again, maybe in an
        inner block, is the same.
        """
        if name not in self.used:
            return False
        kind = c_type(type_)
        if name in self.locals and self.kinds[self.locals[name]] == kind:
            self._forget()
            self.say(f"{self.locals[name]} = {bare(text)};")
            return False
        self._declare(name, kind, text)
        return True

    def _declare(self, name: str, kind: str, text: str) -> None:
        self.locals[name] = self.names.fresh(name)
        self.kinds[self.locals[name]] = kind
        self.say(f"{kind} {self.locals[name]} = {bare(text)};")

    def _forget(self) -> None:
        """Forget what is known only as long as no field and no local gets another value."""
        self.rows.forget()
        self.words.copied.clear()

    def _if(self, condition: e.Expr, then: s.Body, otherwise: s.Body) -> None:
        self._braced(f"if ({bare(self.words.text(condition))})", then)
        if otherwise:
            self.lines[-1] += " else {"
            self._inside(otherwise)

    def _braced(self, head: str, body: s.Body) -> None:
        self.say(f"{head} {{")
        self._inside(body)

    def _inside(self, body: s.Body) -> None:
        self.depth += 1
        self.body(body)
        self.depth -= 1
        self.say("}")

    def _write(self, header: str, name: str, value: e.Expr) -> None:
        first, size, shift, width = place_of(self.program, header, name)
        base, text = self.headers[header], bare(self.words.text(value))
        if width != 8 * size:
            kept = ((1 << 8 * size) - 1) ^ (((1 << width) - 1) << shift)
            wide = "__u64" if size > 4 else "__u32"  # noqa: PLR2004  (a half register)
            around = f"{load(base, first, size)} & {literal(kept, 8 * size)}"
            text = f"({around}) | (({wide})({text}) << {shift})"
        if size not in WHOLE:
            text = self._kept(text, size)
        for line in stores(base, first, size, text):
            self.say(line)
        self._forget()

    def _kept(self, text: str, size: int) -> str:
        """Return a variable with a value that is stored in parts: the first part may be read to make the second."""
        name = self.names.fresh("whole")
        self.say(f"{'__u64' if size > 4 else '__u32'} {name} = {text};")  # noqa: PLR2004  (a half register)
        return name

    def _key(self, container: Container, members: str) -> str:
        """Print a key made of members; return its variable."""
        if container.kind == "array":
            name = self.names.fresh("cell")
            self.say(f"__u32 {name} = 0;")
            return name
        name = self.names.fresh(f"{container.name}_at")
        if container.kind == "lpm":
            width = container.keys[0]
            self.say(f"struct {container.name}_key {name} = {{ .length = {width} }};")
            # what is wider than its length is not aligned, and the verifier takes no word of the stack that is not
            at_once = (
                stores(f"{name}.prefix", 0, width // 8, members) if width <= WORD else by_bytes(name, width, members)
            )
            for line in at_once:
                self.say(line)
        else:
            self.say(f"struct {container.name}_key {name} = {{ {members} }};")
        return name

    def _members(self, container: Container, keys: tuple[e.Expr, ...]) -> str:
        """Return what a key is made of."""
        if container.kind == "lpm":
            return self.words.once(keys[0])
        return ", ".join(f".k{i} = {bare(self.words.text(k))}" for i, k in enumerate(keys))

    def _row(self, container: Container, keys: tuple[e.Expr, ...]) -> Row:
        """Look a row up, unless it is known; return its variable, 0 where there is none, and that of its key."""
        members = self._members(container, keys)
        known = self.rows.of((container.name, members))
        if known is None:
            known = self.names.fresh(f"{container.name}_row"), self._key(container, members)
            found = f"bpf_map_lookup_elem(&{container.name}, &{known[1]})"
            self.say(f"struct {container.name}_value *{known[0]} = {found};")
            self.rows.know((container.name, members), known)
        return known

    def _look_up(self, node: s.Lookup) -> None:
        bound = {local.name for local in node.into} | {node.hit}
        if not bound & self.used:
            return
        container = self.containers[node.container]
        if container.form == "rows":
            row = self._find_row(container, node)
        else:
            row, _ = self._row(container, node.keys)
        if node.hit is not None:
            self._bind(node.hit, BOOL, f"{row} != 0")
        for i, local in enumerate(node.into):
            value = f"{row}->v{i}"
            narrow = masked(value, container.values[i]) if not container.entries else value
            there = container.form == "rows" and container.kind == "array"
            self._bind(local.name, local.type, narrow if there else f"{row} ? {narrow} : 0")

    def _find_row(self, container: Container, node: s.Lookup) -> str:
        """Look a row up in an array; return its variable, 0 where there is none."""
        row = self.names.fresh(f"{container.name}_row")
        if container.kind == "array":  # the index is in range; the verifier is shown that it is
            index = self._once(node.keys[0], "__u64")  # a half register would be made whole behind the check
            self.say(f"if ({index} >= {container.size})")
            self.say(f"\treturn {self.verdicts.on};")
            self.say(f"struct {container.name}_row *{row} = &{container.name}.rows[{index}];")
            return row
        keys = [self._once(k, c_type(k.type)) for k in node.keys]
        self.say(f"struct {container.name}_row *{row} = 0;")
        turn = self.names.fresh("turn")
        at = f"{container.name}.rows[{turn}]"
        if container.kind == "range":
            test = f"{keys[0]} >= {at}.k0 && {keys[0]} <= {at}.k1"
        else:
            test = " && ".join(f"{at}.k{i} == {k}" for i, k in enumerate(keys))
        self.say(f"for (__u32 {turn} = 0; {turn} < {container.size} && {turn} < {container.name}.count; {turn}++) {{")
        self.say(f"\tif ({test}) {{")
        self.say(f"\t\t{row} = &{at};")
        self.say("\t\tbreak;")
        self.say("\t}")
        self.say("}")
        return row

    def _once(self, key: e.Expr, kind: str) -> str:
        """Return a C variable with a key; the compiler does not know its range, so that it keeps bounds checks."""
        name = self.names.fresh("key")
        self.say(f"{kind} {name} = {bare(self.words.text(key))};")
        self.say(f"HIDE({name});")
        return name

    def _delete(self, container: Container, keys: tuple[e.Expr, ...]) -> None:
        """Remove a key; a cell has none and goes back to zero."""
        key = self._key(container, self._members(container, keys))
        if container.kind == "array":
            value = self.names.fresh(f"{container.name}_new")
            self.say(f"struct {container.name}_value {value} = {{}};")
            self.say(f"bpf_map_update_elem(&{container.name}, &{key}, &{value}, BPF_ANY);")
        else:
            self.say(f"bpf_map_delete_elem(&{container.name}, &{key});")
        self.rows.forget(container.name)

    def _store(self, node: s.Store) -> None:
        container = self.containers[node.state]
        value = self.names.fresh(f"{container.name}_new")
        members = ", ".join(f".v{i} = {bare(self.words.text(v))}" for i, v in enumerate(node.values))
        self.say(f"struct {container.name}_value {value} = {{ {members} }};")
        if node.mode == "add":
            self._add(container, node.keys, value)
        elif container.kind == "array" or len(container.values) == 1:
            self._overwrite(container, node.keys, value)
        else:  # nobody is to see a row of which only a part is new
            key = self._key(container, self._members(container, node.keys))
            self.say(f"bpf_map_update_elem(&{container.name}, &{key}, &{value}, BPF_ANY);")
            self.rows.forget(container.name)

    def _overwrite(self, container: Container, keys: tuple[e.Expr, ...], value: str) -> None:
        """Write in place, which takes a fraction of an update; a new row is inserted."""
        row, key = self._row(container, keys)
        self.say(f"if ({row})")
        self.say(f"\t*{row} = {value};")
        if container.kind != "array":
            self.say("else")
            self.say(f"\tbpf_map_update_elem(&{container.name}, &{key}, &{value}, BPF_ANY);")
            self.rows.forget(container.name)

    def _add(self, container: Container, keys: tuple[e.Expr, ...], value: str) -> None:
        """Add in place; a new row is inserted, and if another processor was first, added to after all."""
        row, key = self._row(container, keys)
        if container.kind != "array":
            found = f"bpf_map_lookup_elem(&{container.name}, &{key})"
            self.say(f"if (!{row} && bpf_map_update_elem(&{container.name}, &{key}, &{value}, BPF_NOEXIST))")
            self.say(f"\t{row} = {found};")
            self.rows.forget(container.name)
        self.say(f"if ({row}) {{")
        for i in range(len(container.values)):
            at = f"{row}->v{i}"
            added = f"{at} += {value}.v{i};" if container.apart else f"__sync_fetch_and_add(&{at}, {value}.v{i});"
            self.say(f"\t{added}")
        self.say("}")


def _conjuncts(node: e.Expr) -> tuple[e.Expr, ...]:
    if isinstance(node, e.Binary) and node.op == "and":
        return (*_conjuncts(node.left), *_conjuncts(node.right))
    return (node,)


def _wrapped(text: str) -> str:
    return text if text.startswith("(") else f"({text})"
