"""Finds what a program of the kernel cannot hold, each with the place in the source that caused it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf import codes
from bertha_ir.backends.ebpf.extent import extent_of, ways_to
from bertha_ir.backends.ebpf.maps import ROWS, container_of
from bertha_ir.backends.ebpf.moves import ROOM
from bertha_ir.backends.ebpf.split import LONGEST, parts_of
from bertha_ir.backends.ebpf.words import REGISTER, is_word
from bertha_ir.backends.printing import place_of
from bertha_ir.backends.reach import Reach
from bertha_ir.diagnostics import Collector
from bertha_ir.legality import EARLIER
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.walk import spanned, walk

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Code, Diagnostic
    from bertha_ir.program import Block, DeviceProgram, State, Table
    from bertha_ir.source import Span

HOST = "keep the op on a host"
TURNS = 256
REFUSED: dict[type, tuple[type[Code], str]] = {
    e.Payload: (codes.CH321PayloadUnreadable, "a kernel program cannot read or write a payload"),
    e.Value: (codes.CH321PayloadUnreadable, "a kernel program cannot decode a message"),
    e.Secret: (codes.CH321PayloadUnreadable, "a kernel program is given no keys"),
    s.Attempt: (codes.CH325PrimitiveMissing, "the kernel has no primitive that can fail"),
    s.ForEach: (codes.CH326Loop, "a kernel program cannot visit the entries of a map"),
    s.Reply: (codes.CH322SecondMessage, "a kernel program cannot make a reply"),
    s.Emit: (codes.CH322SecondMessage, "a kernel program cannot emit a message"),
    s.Clone: (codes.CH322SecondMessage, "a kernel program cannot clone a message"),
} | {
    stage: (codes.CH329NotLowered, f"`{stage.__name__}` belongs to an earlier stage")
    for stage in EARLIER
}  # fmt: skip


def validate(program: DeviceProgram) -> tuple[Diagnostic, ...]:
    """Return the diagnostics for a program, in its order; empty when the backend can print it."""
    check = _Check(program)
    if program.root != "frame":
        check.report(codes.CH320NoFrames, f"the kernel's hooks see frames, not a `{program.root}`", None)
        return tuple(check.found.found)
    check.containers()
    check.parser()
    for block in program.blocks:
        check.needs(block)
        check.moves(block)
        check.body((block.guard, block.body))
    if not check.found.found:
        check.extent()
    return tuple(check.found.found)


@define
class _Check:
    program: DeviceProgram
    found: Collector = field(factory=Collector)
    uncertain: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.uncertain = Reach.of(self.program).uncertain() if self.program.parser else frozenset()

    def report(self, code: type[Code], message: str, span: Span | None, hint: str = HOST) -> None:
        self.found.add(code, message, span or self.program.span, hint)

    def containers(self) -> None:
        items: tuple[Table | State, ...] = (*self.program.tables, *self.program.states)
        for item in items:
            if not all(is_word(t) for t in (*item.keys, *item.values)):
                self.report(codes.CH324TooWide, f"`{item.name}` holds values of more than {REGISTER} bits", item.span)
        for table in self.program.tables:
            if table.kind == "range" and table.size > ROWS:
                message = f"`{table.name}` has room for {table.size} ranges, more than {ROWS}"
                self.report(codes.CH327TableTooLarge, message, table.span, f"give it a bound of at most {ROWS}")
            if table.kind == "lpm" and table.keys[0].width % 8:
                message = f"`{table.name}` matches prefixes of {table.keys[0].width} bits, not of whole bytes"
                self.report(codes.CH324TooWide, message, table.span)

    def parser(self) -> None:
        for state in self.program.parser:
            for name in dict.fromkeys(n for t in state.transitions for n, _ in t.when):
                wide = self.program.header(state.header).field(name).width > REGISTER
                if wide or self._straddles(state.header, name):
                    message = f"the parser compares `{state.header}.{name}`, which fits no register"
                    self.report(codes.CH324TooWide, message, None)

    def needs(self, block: Block) -> None:
        for header in block.needs:
            if header in self.uncertain:
                message = f"some frames come to `{block.name}` without the header `{header}`"
                self.report(codes.CH328HeaderMayMiss, message, None)

    def moves(self, block: Block) -> None:
        """Check what pushes and pops: at XDP, behind a header that is there, not in a loop, as there is room."""
        repeated = {id(n) for loop in walk(block.body) if isinstance(loop, s.Repeat) for n in walk(loop.body)}
        room = ROOM
        for node, span in spanned(block.body, self.program.span):
            if not isinstance(node, s.Push | s.Pop):
                continue
            what = f"{'push' if isinstance(node, s.Push) else 'pop'} `{node.header}`"
            room -= self.program.header(node.header).size if isinstance(node, s.Push) else 0
            if node.behind not in block.needs or (isinstance(node, s.Pop) and node.otherwise != (s.Drop(),)):
                message = f"a kernel program cannot {what} and keep the lengths and checksums around it right"
            elif self.program.hook == "egress":
                message = f"a kernel program at TC cannot {what}; one at XDP could"
            elif id(node) in repeated:
                message = f"a kernel program cannot {what} again and again"
            elif room < 0:
                message = f"a kernel program cannot {what}: a frame has room for {ROOM} bytes more"
            else:
                continue
            self.report(codes.CH323HeaderMoved, message, span)

    def extent(self) -> None:
        """Check what no cut makes fit the verifier's limits."""
        items: tuple[Table | State, ...] = (*self.program.tables, *self.program.states)
        containers = {item.name: container_of(item, item.name) for item in items}
        blocks = {block.name: block for block in self.program.blocks}
        for name, parts in parts_of(self.program, containers).items():
            for number, part in enumerate(parts, 1):
                body = part.block.body
                why = extent_of(body, containers, ways_to(self.program, blocks[name])).exceeded()
                if number > LONGEST:
                    why = f"the chain comes to {len(parts)} programs, and {LONGEST} may call one another"
                if why:
                    span = next((span for _, span in spanned(body, None) if span), None)
                    self.report(codes.CH330TooMuch, f"this is too much for the kernel's verifier: {why}", span)
                    break

    def body(self, tree: object) -> None:
        """Check a tree; nodes without a span of their own are reported at the one around them."""
        for node, span in spanned(tree, self.program.span, REFUSED):
            if type(node) in REFUSED:
                self.report(*REFUSED[type(node)], span)
            else:
                self._one(node, span)

    def _one(self, node: Any, span: Span | None) -> None:  # noqa: ANN401
        match node:
            case e.Call(name):
                primitive = PRIMITIVES[name]
                if "ebpf" not in primitive.targets or primitive.expand is not None:
                    self.report(codes.CH325PrimitiveMissing, f"the kernel has no `{name}`", span)
            case e.Field(header) | e.HeaderOffset(header) if header in self.uncertain:
                message = f"some frames come to the op without the header `{header}`"
                self.report(codes.CH328HeaderMayMiss, message, span)
            case e.Field(header, name) if self._straddles(header, name):
                self.report(codes.CH324TooWide, f"`{header}.{name}` lies in more than 8 bytes", span)
            case s.Repeat(count) if count > TURNS:
                self.report(codes.CH326Loop, f"{count} turns are more than {TURNS}", span, "repeat fewer times")
            case e.Const() | e.Local() | e.Field() | e.Cast() | e.Choose() if not is_word(node.type):
                self.report(codes.CH324TooWide, f"a value of type `{node.type}` fits no register", span)

    def _straddles(self, header: str, name: str) -> bool:
        place = place_of(self.program, header, name)
        return place.width <= REGISTER < 8 * place.size
