"""Prints a device program as one Python module."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from attrs import define, field

from bertha_ir.backends.names import Names, comment
from bertha_ir.backends.python.body import INDENT, Body, bare
from bertha_ir.backends.python.records import record
from bertha_ir.backends.python.words import View, Words
from bertha_ir.backends.reach import Reach
from bertha_ir.program import ADDRESS
from bertha_ir.types import bit_width
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.backends.base import Unit
    from bertha_ir.program import Block, DeviceProgram, ParseState, State, Table

RESERVED = frozenset(keyword.kwlist) | frozenset(
    "match case type self packet data src dst src_ip src_port dst_ip dst_port size value U16 U32 U64 SECRETS TABLES STATES"
    " run encode decode primitives fix_checksum Ranges Prefixes Rows Secrets Struct NamedTuple Endpoint bytes bytearray int"
    " len range hex repr print object".split()
)
ADDRESSES = "(src_ip, src_port), (dst_ip, dst_port)"


@define
class Source:
    """One program as Python. `text` is the module."""

    unit: Unit
    names: Names = field(factory=lambda: Names(RESERVED))
    containers: dict[str, str] = field(init=False)
    headers: dict[str, str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        items = (*self.program.tables, *self.program.states)
        self.containers = {i.name: self.names.fresh(i.name) for i in items}
        self.headers = {h.name: self.names.fresh(h.name) for h in self.program.headers}

    @property
    def program(self) -> DeviceProgram:
        """The program to print."""
        return self.unit.program

    @property
    def text(self) -> str:
        """The module."""
        function = self._run() if self.program.root in {"frame", "datagram"} else self._codec()
        messages = {m.name: m for m in self.unit.messages}
        records = [record(messages[self.program.message])] if self.program.message else []
        data = [
            *(_table(self.containers[t.name], t) for t in self.program.tables),
            *(_state(self.containers[t.name], t) for t in self.program.states),
        ]
        secrets = ["SECRETS = Secrets()"] if any("SECRETS[" in line for line in function) else []
        body = "\n\n\n".join(["\n".join(secrets + data)] * bool(secrets + data) + records + ["\n".join(function)])
        return f"{self._head(body)}\n\n{body}\n"

    def _head(self, body: str) -> str:
        ops = comment(", ".join(op for block in self.program.blocks for op in block.ops))
        lines = [
            f'"""{comment(self.program.name)}: what {comment(self.program.device)} runs in a process: {ops}.',
            "",
            "Written by Bertha; changes are lost when it is compiled again.",
            '"""',
            "",
        ]
        used = [n for n in ("Prefixes", "Ranges", "Rows", "Secrets", "fix_checksum") if f"{n}(" in body]
        standard = [("Struct", "struct"), ("NamedTuple", "typing")]
        lines += [f"from {module} import {n}" for n, module in standard if f"{n}(" in body or f"({n})" in body]
        structs = [(n, code) for n, code in (("U16", "H"), ("U32", "I"), ("U64", "Q")) if f"{n}." in body]
        if structs and "from struct import Struct" not in lines:
            lines.insert(5, "from struct import Struct")
        lines += [""] * (lines[-1] != "")
        lines += ["from bertha_ir.runtime import primitives"] * ("primitives." in body)
        lines += [f"from bertha_ir.runtime.state import {', '.join(used)}"] * bool(used)
        lines += ["", *(f'{n} = Struct(">{code}")' for n, code in structs)]
        return "\n".join(lines).rstrip("\n")

    def _run(self) -> list[str]:
        """Return the function from (data, src, dst) to (verdict, data, src, dst)."""
        addressed = any(getattr(n, "header", None) == ADDRESS for n in walk(self.program.blocks))
        lines = [
            "def run(data, src=(0, 0), dst=(0, 0)):",
            f'{INDENT}"""Return (verdict, data, src, dst) for one packet; the verdict is `pass`, `drop` or `bounce`."""',
            f"{INDENT}size = len(data)",
            *self._parse(),
        ]
        for block in self.program.blocks:
            lines += self._taken(block, addressed=addressed)
        return [*lines, f'{INDENT}return "pass", bytes(data), src, dst']

    def _parse(self) -> list[str]:
        if not self.program.parser:
            return []
        order = Reach.of(self.program).order
        first, *others = [self.headers[s.header] for s in order]
        lines = [f"{INDENT}{' = '.join(others)} = -1"] if others else []
        lines.append(f"{INDENT}{first} = 0")
        return [*lines, *(line for state in order for line in self._state(state))]

    def _state(self, state: ParseState) -> list[str]:
        """Return the lines that extract a header: its variable holds its offset, or -1 when it is not there."""
        name, header = self.headers[state.header], self.program.header(state.header)
        lines = [f"{INDENT}if {name} < 0 or {name} + {header.size} > size:", f"{INDENT * 2}{name} = -1"]
        views = {state.header: View("data", name)}
        words = Words(self.program, views, {}, lines.append, self.names.fresh)
        for transition in state.transitions:
            tests = [f"{words.text_of(state.header, n)} == {v:#x}" for n, v in transition.when] or ["True"]
            lines.append(f"{INDENT}elif {' and '.join(tests)}:")
            lines.append(f"{INDENT * 2}{self.headers[transition.to]} = {name} + {header.size}")
        return lines

    def _taken(self, block: Block, *, addressed: bool) -> list[str]:
        present = [f"{self.headers[h]} >= 0" for h in block.needs if h != ADDRESS]
        lines: list[str] = []
        depth = 1
        if present:
            lines.append(f"{INDENT}if {' and '.join(present)}:")
            depth += 1
        views = {h: View("packet", name) for h, name in self.headers.items()}
        body = Body(
            self.program, self.names, self.containers, self._ends(addressed=addressed), views, depth, lines
        )  # fmt: skip
        body.say("packet = bytearray(data)")
        if addressed:
            body.say("(src_ip, src_port), (dst_ip, dst_port) = src, dst")
        guard = bare(body.words.text(block.guard))
        if guard != "True":
            body.say(f"if {guard}:")
            body.depth += 1
        if block.body:
            body.body(block.body)
        body.say(f"return {body.ends['pass']}")
        return lines

    @staticmethod
    def _ends(*, addressed: bool) -> dict[str, str]:
        where = ADDRESSES if addressed else "src, dst"
        return {
            "pass": f'"pass", bytes(packet), {where}',
            "drop": f'"drop", bytes(data), {where}',
            "bounce": f'"bounce", bytes(packet), {where}',
        }

    def _codec(self) -> list[str]:
        """Return the function of an end: from a record to bytes, or from bytes to a record; None for a drop."""
        (block,) = self.program.blocks
        sends = self.program.root == "send"
        record_name = self.program.message
        start = "value" if sends and record_name else "data"
        result = "value" if not sends and record_name else "bytes(packet)"
        verb = "encode" if sends else "decode"
        what = "the payload to send" if sends else "what was received"
        ends = {"pass": result, "drop": "None", "bounce": "None"}
        lines = [f"def {verb}({start}):", f'{INDENT}"""Return {what}, or None when it is dropped."""']
        lines.append(f"{INDENT}packet = bytearray({'data' if start == 'data' else ''})")
        body = Body(self.program, self.names, self.containers, ends, {}, 1, lines)
        if block.body:
            body.body(block.body)
        body.say(f"return {result}")
        return lines


def _table(name: str, table: Table) -> str:
    if table.kind == "array":
        rows = [repr(entry.values) for entry in sorted(table.entries, key=lambda x: x.match)]
        return f"{name} = [{', '.join(rows)}]"
    if table.kind == "exact":
        return f"{name} = {{{', '.join(f'{x.match!r}: {x.values!r}' for x in table.entries)}}}"
    rows = [repr((*x.match, x.values)) for x in table.entries]
    kind, width = ("Ranges(", "") if table.kind == "range" else ("Prefixes(", f"{table.keys[0].width}, ")
    return f"{name} = {kind}{width}[{', '.join(rows)}])"


def _state(name: str, state: State) -> str:
    widths = tuple(None if type(v).__name__ == "Bytes" else bit_width(v) for v in state.values)
    evicts = ", evicts=True" if state.evicts else ""
    return f"{name} = Rows({len(state.keys)}, {widths!r}, {state.size}{evicts})"


