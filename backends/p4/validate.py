"""Finds what a v1model switch cannot hold, each with the place in the source that caused it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.p4 import codes
from bertha_ir.backends.p4.fold import fold
from bertha_ir.backends.p4.layout import Layout, key_width
from bertha_ir.backends.p4.model import DROP_PORT
from bertha_ir.backends.p4.resources import refuse
from bertha_ir.diagnostics import Collector, Diagnostic
from bertha_ir.legality import EARLIER
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.types import MAX_WIDTH, Bits, Bool, Bytes, bit_width
from bertha_ir.walk import spanned

if TYPE_CHECKING:
    from bertha_ir.backends.base import Unit
    from bertha_ir.diagnostics import Code
    from bertha_ir.program import DeviceProgram, State
    from bertha_ir.source import Span

WIDEST = 2048  # p4c: "Compiler only supports widths up to 2048"
MOST_CELLS = 24  # bits of the index of the largest register array: 16 Mi words
HOST = "keep the op on a host"
REFUSED: dict[type, tuple[type[Code], str, str]] = {
    e.Payload: (codes.CH341PayloadUnreadable, "a switch cannot read or write a payload", HOST),
    e.Secret: (codes.CH341PayloadUnreadable, "a switch is given no keys", HOST),
    e.Value: (codes.CH341PayloadUnreadable, "a switch cannot decode a message", HOST),
    s.Attempt: (codes.CH345PrimitiveMissing, "a switch has no primitive that can fail", HOST),
    s.Repeat: (codes.CH342Loop, "a switch cannot repeat statements", f"write the steps out, or {HOST}"),
    s.ForEach: (codes.CH342Loop, "a switch cannot visit the entries of a map", HOST),
    s.Reply: (codes.CH343SecondMessage, "a switch cannot make a reply", HOST),
    s.Emit: (codes.CH343SecondMessage, "a switch cannot emit a message", HOST),
    s.Clone: (codes.CH343SecondMessage, "a switch cannot clone a message", f"mirror the port, or {HOST}"),
    s.Push: (codes.CH344HeaderMoved, "a switch cannot push a header here", HOST),
    s.Pop: (codes.CH344HeaderMoved, "a switch cannot pop a header here", HOST),
} | {
    stage: (codes.CH352NotLowered, f"`{stage.__name__}` belongs to an earlier stage", "lower the body first")
    for stage in EARLIER
}  # fmt: skip


def validate(unit: Unit) -> tuple[Diagnostic, ...]:
    """Return the diagnostics for a unit, in the order of the program; empty when the backend can print it."""
    check = _Check(unit.program)
    if unit.program.root != "frame":
        check.report(codes.CH340NoFrames, f"a switch sees frames, not a `{unit.program.root}`", None, HOST)
        return tuple(check.found.found)
    for port in sorted({p for pair in unit.ports for p in pair}):
        if problem := refuse_port(port, unit.program.span):
            check.found.found.append(problem)
    check.parser()
    check.tables()
    for state in unit.program.states:
        check.state(state)
    for block in unit.program.blocks:
        check.body((block.guard, block.body))
    return tuple(check.found.found) or tuple(refuse(unit))


def refuse_port(port: int, span: Span | None) -> Diagnostic | None:
    """Return the diagnostic for a port that v1model does not have, at `span`."""
    if 0 <= port < DROP_PORT:
        return None
    return Diagnostic(codes.CH353PortRange, f"{port} is no port of a switch", span, "number ports from 0 to 510")


@define
class _Check:
    program: DeviceProgram
    found: Collector = field(factory=Collector)
    parsed: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.parsed = frozenset(state.header for state in self.program.parser)

    def report(self, code: type[Code], message: str, span: Span | None, hint: str) -> None:
        self.found.add(code, message, span or self.program.span, hint)

    def parser(self) -> None:
        layout = Layout.of(self.program)
        for state in self.program.parser:
            if state.header in layout.in_front(state.header):
                message = f"the parser can come to `{state.header}` a second time"
                self.report(codes.CH350ParserLoop, message, None, "declare as many messages as there may be headers")
            for declared in self.program.header(state.header).fields:
                if declared.width > WIDEST:
                    message = f"`{state.header}.{declared.name}` has {declared.width} bits"
                    self.report(codes.CH351TooWide, message, None, f"cut it into fields of at most {WIDEST} bits")

    def tables(self) -> None:
        for table in self.program.tables:
            if table.kind in {"lpm", "range"} and len(table.keys) != 1:
                message = f"the {table.kind} table `{table.name}` has {len(table.keys)} keys"
                self.report(codes.CH349TableForm, message, table.span, "join the keys into one word")

    def state(self, state: State) -> None:
        if state.evicts:
            message = f"`{state.name}` forgets what was used least recently, which a switch does not know"
            self.report(codes.CH347MapEvicts, message, state.span, HOST)
            return
        widths = [bit_width(t) for t in (*state.keys, *state.values)]
        if None in widths:
            message = f"`{state.name}` holds bytes of varying length, which a switch cannot"
            self.report(codes.CH341PayloadUnreadable, message, state.span, HOST)
            return
        if any(w > WIDEST for w in widths if w is not None):
            self.report(
                codes.CH351TooWide, f"`{state.name}` holds more than {WIDEST} bits", state.span, "use fewer bytes"
            )
            return
        width = key_width(state.keys)
        if width > MOST_CELLS or 1 << width > max(state.size, 1):
            message = f"`{state.name}` has {width}-bit keys and room for {state.size}: a switch cannot insert keys"
            hint = f"give it room for every key (at most {MOST_CELLS} bits), or {HOST}"
            self.report(codes.CH346MapTooSparse, message, state.span, hint)

    def body(self, tree: object) -> None:
        """Check a tree; nodes without a span of their own are reported at the one around them."""
        for node, span in spanned(tree, self.program.span, REFUSED):
            if type(node) in REFUSED:
                code, message, hint = REFUSED[type(node)]
                self.report(code, message, span, hint)
            else:
                self._one(node, span)

    def _one(self, node: Any, span: Span | None) -> None:  # noqa: ANN401
        match node:
            case e.Call(name, arguments):
                self._primitive(name, arguments, span)
            case e.Binary("/" | "%", _, right) if not isinstance(fold(right), e.Const):
                hint = f"divide by a constant, or {HOST}"
                self.report(codes.CH348DivisorVaries, "a switch cannot divide by a value that varies", span, hint)
            case e.Field(header, name) if header not in self.parsed:
                message = f"`{header}.{name}` is in no header that the parser extracts"
                self.report(codes.CH352NotLowered, message, span, "add the header to the parser")
            case e.Const() | e.Local() | e.Field() | e.Cast() | e.Choose() | e.Size():
                self._width(node.of if isinstance(node, e.Size) else node, span)

    def _primitive(self, name: str, arguments: tuple[e.Expr, ...], span: Span | None) -> None:
        primitive = PRIMITIVES[name]
        if primitive.expand is None and "p4" not in primitive.targets:
            self.report(codes.CH345PrimitiveMissing, f"a switch has no `{name}`", span, HOST)
        elif primitive.expand is not None and any((bit_width(a.type) or 0) > MAX_WIDTH for a in arguments):
            message, hint = f"`{name}` of more than {MAX_WIDTH} bits", f"use at most {MAX_WIDTH // 8} bytes, or {HOST}"
            self.report(codes.CH351TooWide, message, span, hint)

    def _width(self, node: e.Expr, span: Span | None) -> None:
        match node.type:
            case Bits() | Bool():
                return
            case Bytes(size) if size is not None and 8 * size <= WIDEST:
                return
            case Bytes(size) if size is not None:
                self.report(codes.CH351TooWide, f"a value of {8 * size} bits", span, "use fewer bytes")
            case Bytes():
                message = "a switch cannot hold bytes of varying length"
                self.report(codes.CH341PayloadUnreadable, message, span, HOST)
            case _:
                message = f"`{node.type}` belongs to an earlier stage"
                self.report(codes.CH352NotLowered, message, span, "lower the body first")
