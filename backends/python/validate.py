"""Finds what an emitted process does not run, each with the place in the source that caused it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.python import codes
from bertha_ir.backends.python.flow import ends_always
from bertha_ir.diagnostics import Collector
from bertha_ir.legality import EARLIER
from bertha_ir.program import ADDRESS
from bertha_ir.walk import spanned

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Code, Diagnostic
    from bertha_ir.program import Block, DeviceProgram
    from bertha_ir.source import Span

WITHOUT = "leave the chunnel out of the stack"
REFUSED: dict[type, tuple[type[Code], str]] = {
    s.Reply: (codes.CH300SecondMessage, "a process cannot reply yet"),
    s.Emit: (codes.CH300SecondMessage, "a process cannot emit further messages yet"),
    s.Clone: (codes.CH300SecondMessage, "a process cannot clone messages yet"),
} | {
    stage: (codes.CH302NotLowered, f"`{stage.__name__}` belongs to an earlier stage")
    for stage in EARLIER
}  # fmt: skip


def validate(program: DeviceProgram) -> tuple[Diagnostic, ...]:
    """Return the diagnostics for a program, in its order; empty when the backend can print it."""
    check = _Check(program)
    for block in program.blocks:
        check.block(block)
    return tuple(check.found.found)


@define
class _Check:
    program: DeviceProgram
    found: Collector = field(factory=Collector)

    def block(self, block: Block) -> None:
        """Check a block; nodes without a span of their own are reported at the one around them."""
        top = {id(statement) for statement in block.body}
        for node, span in spanned((block.guard, block.body), self.program.span, REFUSED):
            if isinstance(node, s.Reply | s.Emit) and self.program.stages:
                continue
            if type(node) in REFUSED:
                self.found.add(*REFUSED[type(node)], span, WITHOUT)
            else:
                self._one(node, span, nested=id(node) not in top)

    def _one(self, node: Any, span: Span | None, *, nested: bool) -> None:  # noqa: ANN401
        framed = self.program.root == "frame"
        match node:
            case s.Pop(_, otherwise) if not ends_always(otherwise):
                self.found.add(
                    codes.CH301NestedHeader, "a body goes on without the header it pops", span, "end it with `drop;`"
                )
            case s.Push() | s.Pop() if nested:
                self.found.add(
                    codes.CH301NestedHeader, "a header is pushed or popped under a condition", span, "do it at the top"
                )
            case s.Push() | s.Pop() | e.Payload() | e.Value() if framed:
                self.found.add(codes.CH304PayloadInFrame, "a frame's payload cannot be changed here", span, WITHOUT)
            case e.Field(header) if header == ADDRESS and self.program.root in {"send", "recv"}:
                self.found.add(codes.CH303AddressAtEnd, "an end's codec does not see addresses", span, WITHOUT)
