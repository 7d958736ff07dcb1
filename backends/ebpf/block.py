"""Prints the body of a block as C statements."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.words import WHOLE, Words, c_type, literal, load, masked, stores, width_of
from bertha_ir.backends.printing import bare, place_of
from bertha_ir.types import BOOL
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bertha_ir.backends.ebpf.maps import Container
    from bertha_ir.backends.names import Names
    from bertha_ir.program import Block, DeviceProgram
    from bertha_ir.types import Type

CONTEXT = "ctx"
Change = tuple[e.Field, str]
MANGLED = "BPF_F_MARK_MANGLED_0"


@define
class Verdicts:
    """What the hook's verdicts are called, and whether transports' checksums go through the kernel's helper."""

    on: str
    drop: str
    bounce: str
    helper: bool


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
    lines: list[str] = Factory(list)
    depth: int = 1
    words: Words = field(init=False)
    locals: dict[str, str] = Factory(dict)
    kinds: dict[str, str] = Factory(dict)
    deltas: dict[Change, str] = Factory(dict)
    optional: set[e.Field] = Factory(set)
    used: frozenset[str] = frozenset()

    def __attrs_post_init__(self) -> None:
        self.words = Words(
            self.program, self.headers, self.offsets, self.locals, "frame_size", self.say, self.names.fresh
        )

    def say(self, line: str) -> None:
        """Print one line."""
        self.lines.append("\t" * self.depth + line)

    def block(self, block: Block) -> list[str]:
        """Return the lines of a block's function body."""
        self.used = _used(block.body)
        self._guard(block.guard)
        fixes = tuple(n for n in walk(block.body) if isinstance(n, s.FixChecksum))
        self.optional |= {n.checksum for n in fixes if n.optional}
        for change in dict.fromkeys(self._change(n) for n in fixes if self._waits(n.part)):
            self._open_delta(change)
        self.body(block.body)
        if not (block.body and isinstance(block.body[-1], s.Drop | s.Bounce)):
            self._apply_late()
            self.say(f"return {self.verdicts.on};")
        return self.lines

    def _guard(self, guard: e.Expr) -> None:
        for condition in _conjuncts(guard):
            if condition != e.Const(value=True, type=condition.type):
                self.say(f"if (!{_wrapped(self.words.text(condition))})")
                self.say("\treturn NOT_TAKEN;")

    def body(self, body: s.Body) -> None:
        """Print statements."""
        fixes = (n for n in body if isinstance(n, s.FixChecksum))
        changes = dict.fromkeys(self._change(n) for n in fixes if not self._waits(n.part))
        own = [change for change in changes if change not in self.deltas]
        outer, known = dict(self.deltas), dict(self.locals)
        for change in own:
            self._open_delta(change)
        for statement in body:
            self._statement(statement)
        if not (body and isinstance(body[-1], s.Drop | s.Bounce)):
            self._apply(own)
        self.deltas = outer
        self.locals.clear()
        self.locals.update(known)

    def _waits(self, part: str) -> bool:
        """Whether a change is applied at the end of the block only, by the kernel's helper."""
        return self.verdicts.helper and part != "header"

    def _change(self, node: s.FixChecksum) -> Change:
        """Return what is summed up together: only the kernel's helper cares which part of a sum changes."""
        return node.checksum, node.part if self._waits(node.part) else "header"

    def _open_delta(self, change: Change) -> None:
        name = self.names.fresh(f"{change[0].header}_delta")
        self.deltas[change] = name
        self.say(f"__u32 {name} = 0;")

    def _statement(self, node: s.Stmt) -> None:  # noqa: C901, PLR0912  (one row a node)
        match node:
            case s.Let(name, value) | s.Assign(e.Local(name), value):
                if name in self.used:
                    self._bind(name, value.type, self.words.text(value))
            case s.Assign(e.Field(header, name), value):
                self._write(header, name, value)
            case s.If(condition, then, otherwise):
                self._if(condition, then, otherwise)
            case s.Repeat(count, body):
                turn = self.names.fresh("turn")
                self._braced(f"for (__u32 {turn} = 0; {turn} < {count}; {turn}++)", body)
            case s.Lookup():
                self._look_up(node)
            case s.Store():
                self._store(node)
            case s.Delete(state, keys):
                self._delete(self.containers[state], keys)
            case s.Drop():
                self.say(f"return {self.verdicts.drop};")
            case s.Bounce():
                self._apply(change for change in self.deltas if not self._waits(change[1]))
                self._apply_late()
                if self.verdicts.helper:
                    self.say(f"bpf_redirect({CONTEXT}->ifindex, BPF_F_INGRESS);")
                self.say(f"return {self.verdicts.bounce};")
            case s.FixChecksum():
                self._fix(node)
            case _:
                msg = f"{node} was not refused"
                raise TypeError(msg)

    def _bind(self, name: str, type_: Type, text: str) -> None:
        """Give a local a value that something reads. One that is bound again, maybe in an inner block, is the same."""
        if name not in self.used:
            return
        kind = c_type(type_)
        if name in self.locals and self.kinds[self.locals[name]] == kind:
            self.say(f"{self.locals[name]} = {bare(text)};")
            return
        self.locals[name] = self.names.fresh(name)
        self.kinds[self.locals[name]] = kind
        self.say(f"{kind} {self.locals[name]} = {bare(text)};")

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

    def _kept(self, text: str, size: int) -> str:
        """Return a variable with a value that is stored in parts: the first part may be read to make the second."""
        name = self.names.fresh("whole")
        self.say(f"{'__u64' if size > 4 else '__u32'} {name} = {text};")  # noqa: PLR2004  (a half register)
        return name

    def _key(self, container: Container, keys: tuple[e.Expr, ...]) -> str:
        name = self.names.fresh(f"{container.name}_at")
        if container.kind == "lpm":
            return self._prefix(container, keys[0], name)
        members = ", ".join(f".k{i} = {bare(self.words.text(k))}" for i, k in enumerate(keys))
        self.say(f"struct {container.name}_key {name} = {{ {members} }};")
        return name

    def _prefix(self, container: Container, key: e.Expr, name: str) -> str:
        text, width = self.words.once(key), width_of(key.type)
        parts = ", ".join(f"(__u8)({text} >> {shift})" for shift in range(width - 8, -1, -8))
        self.say(f"struct {container.name}_key {name} = {{ .length = {width}, .prefix = {{ {parts} }} }};")
        return name

    def _look_up(self, node: s.Lookup) -> None:
        bound = {local.name for local in node.into} | {node.hit}
        if not bound & self.used:
            return
        container = self.containers[node.container]
        row = self.names.fresh(f"{container.name}_row")
        if container.form == "rows":
            self._find_row(container, node, row)
        else:
            self._find_in_map(container, node, row)
        if node.hit is not None:
            self._bind(node.hit, BOOL, f"{row} != 0")
        for i, local in enumerate(node.into):
            value = f"{row}->v{i}"
            narrow = masked(value, container.values[i]) if not container.entries else value
            self._bind(local.name, local.type, f"{row} ? {narrow} : 0")

    def _find_row(self, container: Container, node: s.Lookup, row: str) -> None:
        keys = [self._once(k) for k in node.keys]
        self.say(f"struct {container.name}_row *{row} = 0;")
        if container.kind == "array":
            self.say(f"if ({keys[0]} < {container.size})")
            self.say(f"\t{row} = &{container.name}.rows[{keys[0]}];")
            return
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

    def _once(self, key: e.Expr) -> str:
        """Return a C variable with a key; the compiler does not know its range, so that it keeps bounds checks."""
        name = self.names.fresh("key")
        self.say(f"{c_type(key.type)} {name} = {bare(self.words.text(key))};")
        self.say(f"HIDE({name});")
        return name

    def _find_in_map(self, container: Container, node: s.Lookup, row: str) -> None:
        key = self._cell() if container.kind == "array" else self._key(container, node.keys)
        self.say(f"struct {container.name}_value *{row} = bpf_map_lookup_elem(&{container.name}, &{key});")

    def _cell(self) -> str:
        name = self.names.fresh("cell")
        self.say(f"__u32 {name} = 0;")
        return name

    def _delete(self, container: Container, keys: tuple[e.Expr, ...]) -> None:
        """Remove a key; a cell has none and goes back to zero."""
        if container.kind == "array":
            key, value = self._cell(), self.names.fresh(f"{container.name}_new")
            self.say(f"struct {container.name}_value {value} = {{}};")
            self.say(f"bpf_map_update_elem(&{container.name}, &{key}, &{value}, BPF_ANY);")
        else:
            self.say(f"bpf_map_delete_elem(&{container.name}, &{self._key(container, keys)});")

    def _store(self, node: s.Store) -> None:
        container = self.containers[node.state]
        key = self._cell() if container.kind == "array" else self._key(container, node.keys)
        value = self.names.fresh(f"{container.name}_new")
        members = ", ".join(f".v{i} = {bare(self.words.text(v))}" for i, v in enumerate(node.values))
        self.say(f"struct {container.name}_value {value} = {{ {members} }};")
        if node.mode == "set":
            self.say(f"bpf_map_update_elem(&{container.name}, &{key}, &{value}, BPF_ANY);")
        else:
            self._add(container, key, value)

    def _add(self, container: Container, key: str, value: str) -> None:
        """Add in place; a new row is inserted, and if another processor was first, added to after all."""
        row = self.names.fresh(f"{container.name}_row")
        found = f"bpf_map_lookup_elem(&{container.name}, &{key})"
        self.say(f"struct {container.name}_value *{row} = {found};")
        self.say(f"if (!{row} && bpf_map_update_elem(&{container.name}, &{key}, &{value}, BPF_NOEXIST))")
        self.say(f"\t{row} = {found};")
        self.say(f"if ({row}) {{")
        for i in range(len(container.values)):
            self.say(f"\t__sync_fetch_and_add(&{row}->v{i}, {value}.v{i});")
        self.say("}")

    def _fix(self, node: s.FixChecksum) -> None:
        delta = self.deltas[self._change(node)]
        width = width_of(node.old.type)
        self.say(f"{delta} += change_{width}({bare(self.words.text(node.old))}, {bare(self.words.text(node.new))});")

    def _apply(self, changes: Iterable[Change]) -> None:
        for checksum, part in changes:
            at = f"{self.headers[checksum.header]} + {place_of(self.program, checksum.header, checksum.name).first}"
            kind = "optional_checksum" if checksum in self.optional else "checksum"
            self.say(f"fix_{kind}({at}, {self.deltas[checksum, part]});")

    def _apply_late(self) -> None:
        for (checksum, part), delta in self.deltas.items():
            if not self._waits(part):
                continue
            at = f"{self.offsets[checksum.header]} + {place_of(self.program, checksum.header, checksum.name).first}"
            flags = [
                f for f, on in (("BPF_F_PSEUDO_HDR", part == "address"), (MANGLED, checksum in self.optional)) if on
            ]
            self.say(f"if ({delta})")
            self.say(f"\tbpf_l4_csum_replace({CONTEXT}, {at}, 0, difference({delta}), {' | '.join(flags) or '0'});")


def _used(body: s.Body) -> frozenset[str]:
    """Return the locals that some expression reads: the others need no variable, and clang would warn of one."""
    found = Counter(n.name for n in walk(body) if isinstance(n, e.Local))
    found.subtract(local.name for n in walk(body) if isinstance(n, s.Lookup) for local in n.into)
    found.subtract(n.target.name for n in walk(body) if isinstance(n, s.Assign) and isinstance(n.target, e.Local))
    return frozenset(name for name, count in found.items() if count > 0)


def _conjuncts(node: e.Expr) -> tuple[e.Expr, ...]:
    if isinstance(node, e.Binary) and node.op == "and":
        return (*_conjuncts(node.left), *_conjuncts(node.right))
    return (node,)


def _wrapped(text: str) -> str:
    return text if text.startswith("(") else f"({text})"
