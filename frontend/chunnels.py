"""Chunnels: bodies typed once where they are declared, and again for every use in a stack.

Where it is declared, a chunnel with a field parameter has no types for what depends on it: the first typing checks
everything else. What stands in `Specification.chunnels` is typed as if each such field had the first of a few common
types that the bodies accept; the copy in a stack has the types of its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from bertha_ir.diagnostics import Collector
from bertha_ir.frontend import ast, scan, tables
from bertha_ir.frontend.body import Body, Signature
from bertha_ir.frontend.clauses import Clauses, period, read_clauses
from bertha_ir.frontend.codes import CH013Reserved
from bertha_ir.frontend.headers import own_headers
from bertha_ir.frontend.names import MESSAGE_PARTS, Names
from bertha_ir.frontend.statements import TYPERS, block
from bertha_ir.frontend.types import TypeReader
from bertha_ir.spec import Chunnel, Handler, Parameter, StateDeclaration
from bertha_ir.types import U8, U16, U32, U48, U64, U128, Bytes, Type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.frontend import tree
    from bertha_ir.source import Span

STAND_INS: tuple[Type, ...] = (U32, U8, U16, U64, U48, U128, Bytes(4), Bytes(8))


@frozen
class Declared:
    """A declaration whose clauses were checked; `names` are those of the run, `typed` what uses made of it."""

    node: tree.Chunnel
    clauses: Clauses
    names: Names
    typed: dict[object, Chunnel | None] = field(factory=dict, eq=False, repr=False)

    def of_type(self, word: str) -> tuple[str, ...]:
        """Return the parameters whose written type is this word: `field` or `message`."""
        return tuple(p.name.text for p in self.node.parameters if isinstance(p.type, ast.Type) and p.type.name == word)


def declare(node: tree.Chunnel, names: Names) -> tuple[Declared, Chunnel | None]:
    """Check a declaration. The chunnel is None after an error, or when no stand-in type suits its bodies."""
    declared = Declared(node, read_clauses(node, names), names)
    for name in (p.name for p in node.parameters if p.name.text in MESSAGE_PARTS):
        message = f"`{name.text}` is a part of every message"
        names.collector.add(CH013Reserved, message, name.span, "choose another name for the parameter")
    fields, records = declared.of_type("field"), {m: m for m in declared.of_type("message")}
    before = len(names.collector.found)
    chunnel = instantiate(declared, dict.fromkeys(fields), records)
    if len(names.collector.found) > before:
        return declared, None
    for type_ in STAND_INS if fields else ():
        scratch = evolve(declared, names=evolve(names, collector=Collector()))
        chunnel = instantiate(scratch, dict.fromkeys(fields, type_), records)
        if chunnel is not None and not scratch.names.collector.found:
            return declared, chunnel
    return declared, None if fields else chunnel


def instantiate(
    declared: Declared, fields: Mapping[str, Type | None], records: Mapping[str, str], use: Span | None = None
) -> Chunnel | None:
    """Return the chunnel with these types for its field parameters; None when something could not be typed."""
    node, clauses, names = declared.node, declared.clauses, declared.names
    reader = TypeReader(names.collector, fields)
    parameters = {p.name.text: reader.parameter(p.type) for p in node.parameters}
    defaults = {p.name.text: tables.default_of(p, parameters[p.name.text], names) for p in node.parameters}
    states = {s.name.text: reader.state(s.type) for s in clauses.states}
    signature = Signature(parameters, states, fields, records, use)
    handlers = [_handler(h, signature, names) for h in clauses.handlers]
    known = tuple(h for h in handlers if h is not None)
    if None in parameters.values() or None in states.values() or len(known) < len(handlers):
        return None
    return Chunnel(
        node.name.text,
        tuple(
            Parameter(p.name.text, type_, defaults[p.name.text], p.span)
            for p in node.parameters
            if (type_ := parameters[p.name.text])
        ),
        clauses.place,
        clauses.both_ends,
        clauses.provides,
        clauses.requires,
        tuple(_state(s, states[s.name.text]) for s in clauses.states),
        known,
        clauses.transport,
        clauses.laws,
        scan.doc_comment(node.span.source, node.span.start),
        node.name.span,
    )


def _state(node: tree.State, type_: object) -> StateDeclaration:
    words = {m.text for m in node.modifiers}
    return StateDeclaration(node.name.text, type_, "volatile" in words, "evicts" in words, node.span)  # type: ignore[arg-type]  # checked not to be None


def _handler(node: tree.Handler, signature: Signature, names: Names) -> Handler | None:
    subject = node.subject.text if isinstance(node.subject, ast.Name) else None
    body = Body(signature, names, subject, TYPERS, own=own_headers(node.body))
    typed = block(body, node.body)
    event = node.event.text
    return Handler(event, typed, period(node), node.span) if body.complete else None  # type: ignore[arg-type]  # one of EVENTS
