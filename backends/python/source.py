"""Prints a device program as one Python module."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from bertha_ir.backends.names import Names, comment
from bertha_ir.backends.printing import bare, role
from bertha_ir.backends.python.body import Body
from bertha_ir.backends.python.end import End, returning
from bertha_ir.backends.python.flow import changes_packet, ends_always, sets_payload
from bertha_ir.backends.python.head import head
from bertha_ir.backends.python.payload import INDENT, as_bytes
from bertha_ir.backends.python.records import Record
from bertha_ir.backends.python.rows import line_of_state, line_of_table
from bertha_ir.backends.python.words import View, Words
from bertha_ir.backends.reach import Reach
from bertha_ir.expr import Field
from bertha_ir.program import ADDRESS
from bertha_ir.stmt import Pop, Push
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.backends.base import Unit
    from bertha_ir.program import Block, DeviceProgram, ParseState, State, Table

WORDS = """
    match case type self packet data src dst src_ip src_port dst_ip dst_port size value bits U16 U32 U64 SECRETS
    TABLES TIMERS Stage send receive returned returning emitted replied
    run encode decode primitives fix_checksum BitStruct Cell Ranges Recent Prefixes Rows Secrets Struct
    NamedTuple bytes bytearray int len range tuple
    CIPHERS Ciphers InvalidTag DATA_FRAME
"""
RESERVED = frozenset(keyword.kwlist) | frozenset(WORDS.split())


@define
class Source:
    """One program as Python. `text` is the module."""

    unit: Unit
    names: Names = field(factory=lambda: Names(RESERVED))
    containers: dict[str, str] = field(init=False)
    headers: dict[str, str] = field(init=False)
    records: dict[str, Record] = field(init=False)
    layouts: dict[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        items: tuple[Table | State, ...] = (*self.program.tables, *self.program.states)
        self.containers = {i.name: self.names.fresh(i.name) for i in items}
        self.headers = {h.name: self.names.fresh(f"at_{h.name}") for h in self.program.headers}
        ours = (m for m in self.unit.messages if m.name == self.program.message)
        self.records = {m.name: Record.of(m, self.names) for m in ours}

    @property
    def program(self) -> DeviceProgram:
        """The program to print."""
        return self.unit.program

    @property
    def text(self) -> str:
        """The module."""
        function = "\n".join(self._functions())
        data = [
            *(["SECRETS = Secrets()"] if re.search(r"\b(SECRETS|CIPHERS)\[", function) else []),
            *(["CIPHERS = Ciphers(SECRETS)"] if "CIPHERS[" in function else []),
            *self.layouts.values(),
            *(line_of_table(self.containers[t.name], t) for t in self.program.tables),
            *(line_of_state(self.containers[t.name], t) for t in self.program.states),
            *self._tables(),
        ]
        records = [r.text for r in self.records.values() if r.name in function]
        return head(self._title(), data, [*records, function])

    def _functions(self) -> list[str]:
        if self.program.root in {"frame", "datagram"}:
            return self._run()
        return self._staged() if self.program.stages else self._codec()

    def _tables(self) -> list[str]:
        """Return the line by which a runtime finds the tables, of a program that may run at either end."""
        if self.program.root != "datagram" or not self.program.tables:
            return []
        rows = (f'"{t.name}": ("{t.kind}", {self.containers[t.name]})' for t in self.program.tables)
        return [f"TABLES = {{{', '.join(rows)}}}"]

    def _title(self) -> str:
        ops = ", ".join(op for block in self.program.blocks for op in block.ops)
        name, device = comment(self.program.name), comment(self.program.device)
        return f"{name}: what {device} runs in a process: {comment(ops)}.\n\n{role(active=self.unit.active)}"

    def _run(self) -> list[str]:
        """Return the function from (data, src, dst) to (verdict, data, src, dst)."""
        lines = self._parse()
        for block in self.program.blocks:
            lines += self._taken(block)
        if not lines[-1].startswith(f"{INDENT}return "):
            lines.append(f'{INDENT}return "pass", data, src, dst')
        sized = [f"{INDENT}size = len(data)"] * any(re.search(r"\bsize\b", line) for line in lines)
        return [
            "def run(data, src=(0, 0), dst=(0, 0)):",
            f'{INDENT}"""Return (verdict, data, src, dst) of a packet; the verdict is `pass`, `drop` or `bounce`."""',
            *sized,
            *lines,
        ]

    def _parse(self) -> list[str]:
        """Return the lines that find the headers: a variable holds each one's offset, or -1 when it is not there.

        The first header's offset is 0, and it is there when the packet is long enough.
        """
        if not self.program.parser:
            return []
        first, *others = Reach.of(self.program).order
        lines = [f"{INDENT}{' = '.join(self.headers[s.header] for s in others)} = -1"] if others else []
        if first.transitions:
            lines.append(f"{INDENT}if size >= {self.program.header(first.header).size}:")
            lines += self._transitions(first, "if", 2)
        for state in others:
            name, end = self.headers[state.header], self.program.header(state.header).size
            lines += [f"{INDENT}if {name} < 0 or {name} + {end} > size:", f"{INDENT * 2}{name} = -1"]
            lines += self._transitions(state, "elif", 1)
        return lines

    def _transitions(self, state: ParseState, word: str, depth: int) -> list[str]:
        """Return the branches that set the offset of the header behind this one; the first is an `if` or `elif`."""
        lines: list[str] = []
        view = self._view(state.header, "data")
        words = Words(self.program, {state.header: view}, {}, lines.append, self.names.fresh)
        for transition in state.transitions:
            tests = [f"{words.text_of(state.header, n)} == {v:#x}" for n, v in transition.when] or ["True"]
            lines.append(f"{INDENT * depth}{word} {' and '.join(tests)}:")
            behind = view.plus(self.program.header(state.header).size)
            lines.append(f"{INDENT * (depth + 1)}{self.headers[transition.to]} = {behind}")
            word = "elif"
        return lines

    def _view(self, header: str, buffer: str) -> View:
        first = self.program.parser[0].header if self.program.parser else None
        return View(buffer, "0" if header == first else self.headers[header])

    def _taken(self, block: Block) -> list[str]:
        """Return the lines that run a block if it takes the packet."""
        changes = changes_packet(block.body)
        buffer = "packet" if changes else "data"
        ends, ways = self._ends(block, buffer)
        views = {h: self._view(h, "data") for h in self.headers}
        body = Body(self.program, self.names, self.containers, ends, views, buffer=buffer)
        tests = [body.words.present(h) for h in block.needs if h != ADDRESS]
        if tests:
            body.say(f"if {' and '.join(tests)}:")
            body.depth += 1
        for way in ways:
            body.say(f"{way}_ip, {way}_port = {way}")
        guard = bare(body.words.text(block.guard))
        if guard != "True":
            body.say(f"if {guard}:")
            body.depth += 1
        if changes:
            body.say("packet = bytearray(data)")
            views.update({h: self._view(h, "packet") for h in self.headers})
        if block.body:
            body.body(block.body)
        if not ends_always(block.body):
            body.say(f"return {ends['pass']}")
        return body.lines

    @staticmethod
    def _ends(block: Block, buffer: str) -> tuple[dict[str, str], list[str]]:
        """Return what each verdict returns, and which of `src` and `dst` the block sees in parts."""
        seen = {n.name for n in walk((block.guard, block.body)) if isinstance(n, Field) and n.header == ADDRESS}
        ways = [way for way in ("src", "dst") if any(name.startswith(way) for name in seen)]
        where = ", ".join(f"({way}_ip, {way}_port)" if way in ways else way for way in ("src", "dst"))
        ends = {v: f'"{v}", {as_bytes(buffer)}, {where}' for v in ("pass", "bounce")}
        return ends | {"drop": f'"drop", data, {where}'}, ways

    def _codec(self) -> list[str]:
        """Return the function of an end: from a record to bytes, or from bytes to a record; None for a drop."""
        sends = self.program.root == "send"
        given, kind, lines = self._function(self.program)
        return [
            f"def {'encode' if sends else 'decode'}({given}) -> {kind} | None:",
            f'{INDENT}"""Return {"what to send" if sends else "what was received"}, or None when it is dropped."""',
            *lines,
        ]

    def _function(self, program: DeviceProgram) -> tuple[str, str, list[str]]:
        """Return what an end's function of one block takes, the type of what it returns, and its lines."""
        (block,) = program.blocks
        sends, record = program.root == "send", self.records.get(program.message or "")
        given = f"value: {record.name}" if sends and record else "data: bytes"
        kind = record.name if record and not sends else "bytes"
        body = self._end(program)
        if body.buffer == "packet":
            body.say(f"packet = bytearray({'' if sends and record else 'data'})")
        elif sends and record and not sets_payload(block.body):
            body.say('data = b""')
        body.body(block.body)
        if ends_always(block.body):
            return given, kind, body.lines
        return given, kind, returning(body.lines, "value" if record and not sends else body.words.payload)

    def _end(self, program: DeviceProgram) -> Body:
        """Return the printer of an end's body."""
        (block,) = program.blocks
        ends = dict.fromkeys(("pass", "drop", "bounce"), "None")
        if End.takes(program):
            return End(program, self.names, self.containers, ends, {}, records=self.records, layouts=self.layouts)
        moves = any(isinstance(n, Push | Pop) for n in walk(block.body))
        buffer = "packet" if moves else "data"
        return Body(program, self.names, self.containers, ends, {}, buffer=buffer, records=self.records)

    def _staged(self) -> list[str]:
        """Return the functions of an end whose stages send further messages, and what leads from one to the next."""
        names = {stage.block: self.names.fresh(stage.block) for stage in self.program.stages}
        flows = {stage.block: self.names.fresh(f"{stage.block}_flow") for stage in self.program.stages}
        lines: list[str] = []
        for stage, block in zip(self.program.stages, self.program.blocks, strict=True):
            alone = evolve(self.program, blocks=(block,), root=stage.root, message=stage.message, stages=())
            given, kind, body = self._function(alone)
            ops = comment(", ".join(block.ops))
            says = f'{INDENT}"""{ops}: return what is passed on, or None."""'
            head_ = f"def {names[stage.block]}({given}, emitted: list[bytes], replied: list[bytes]) -> {kind} | None:"
            lines += [head_, says, *body, "", ""]
        for stage in self.program.stages:
            parts = [names[stage.block], *(flows.get(s or "", "None") for s in (stage.then, stage.back))]
            lines.append(f"{flows[stage.block]} = Stage({', '.join(parts)})")
        return [*lines, "", "", *self._entries(flows)]

    def _entries(self, flows: dict[str, str]) -> list[str]:
        """Return the functions that a runtime calls."""
        record = self.records.get(self.program.message or "")
        kind = record.name if record else "bytes"
        entries = {stage.entry: flows[stage.block] for stage in self.program.stages if stage.entry}
        if self.program.root == "recv":
            return [
                f"def receive(data: bytes) -> tuple[list[{kind}], list[bytes]]:",
                f'{INDENT}"""Return what was received, in order, and what to return to its sender."""',
                f"{INDENT}returning: list[bytes] = []",
                f"{INDENT}return {entries['message']}(data, returning), returning",
            ]
        lines = [
            f"def send(value: {kind}) -> list[bytes]:",
            f'{INDENT}"""Return the messages to send, none when it is dropped."""',
            f"{INDENT}return {entries['message']}(value, [])",
        ]
        if "returned" in entries:
            lines += [
                "", "", "def returned(data: bytes) -> list[bytes]:",
                f'{INDENT}"""Take what the other end has returned; return what to send then."""',
                f"{INDENT}{entries['returned']}(data, [])", f"{INDENT}return []",
            ]  # fmt: skip
        timers = [stage for stage in self.program.stages if stage.entry == "timer"]
        if timers:
            each = "".join(f'({t.period}, lambda: {flows[t.block]}(b"", [])), ' for t in timers)
            lines += ["", "", f"TIMERS = ({each.strip()})"]
        return lines
