"""Messages: layouts with their rules, checked bit by bit."""

from __future__ import annotations

from itertools import dropwhile
from typing import TYPE_CHECKING, Literal, cast

from bertha_ir.frontend import ast, tree
from bertha_ir.frontend.codes import (
    CH023BadType,
    CH024NotWholeBytes,
    CH025TailNotLast,
    CH026BadRule,
    CH027MessageCycle,
    CH028EmptyMessage,
    CH032DoesNotFit,
)
from bertha_ir.frontend.names import Names, check_names, unknown
from bertha_ir.frontend.suggest import counted, shorten, shown
from bertha_ir.frontend.types import TypeReader
from bertha_ir.message import Checksum, Fixed, Length, Message, MessageField, Parent, Rule
from bertha_ir.types import BYTES, U16, Bits, Bytes, bit_width

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector


def resolve_messages(names: Names) -> None:
    """Fill `names.layouts`. A message with an error in its fields is left out."""
    for declaration in names.messages.values():
        fields = _fields(declaration, names)
        if fields is not None:
            names.layouts[declaration.name.text] = Message(declaration.name.text, (), fields, declaration.name.span)
    for declaration in names.messages.values():
        if declaration.name.text in names.layouts:
            layout = names.layouts[declaration.name.text]
            parents = tuple(p for p in (_parent(p, names) for p in declaration.parents) if p is not None)
            names.layouts[layout.name] = Message(layout.name, parents, layout.fields, layout.span)
    _refuse_cycles(names)


def literal(node: ast.Expression, type_: Bits | Bytes, collector: Collector) -> int | bytes | None:
    """Return the value of a literal as the type holds it; None after an error."""
    match node, type_:
        case (ast.Number(value) | ast.Fixed(value), Bits(width)) if value < 1 << width:
            return value
        case ast.Text(value), Bytes(size) if size in (None, len(value)):
            return value
        case ast.Text(value), Bits(width) if 8 * len(value) == width:
            return int.from_bytes(value, "big")
    collector.add(CH032DoesNotFit, f"`{shown(node)}` is no {type_}", node.span, f"write a constant of type {type_}")
    return None


def _fields(declaration: tree.Message, names: Names) -> tuple[MessageField, ...] | None:
    collector = names.collector
    before = len(collector.found)
    if not declaration.fields:
        message = f"`{declaration.name.text}` has no fields"
        collector.add(CH028EmptyMessage, message, declaration.name.span, "declare at least one field")
    check_names((f.name for f in declaration.fields), "field", collector)
    fields = tuple(f for f in (_field(f, collector) for f in declaration.fields) if f is not None)
    for field in fields[:-1]:
        if field.type == BYTES:
            message = f"`{field.name}` takes all that is left, and is not the last field"
            collector.add(CH025TailNotLast, message, field.span, "move it to the end, or write its size: `bytes[n]`")
    bits = sum(bit_width(f.type) or 0 for f in fields)
    if bits % 8 and len(fields) == len(declaration.fields):
        message = f"the fixed part of `{declaration.name.text}` is {counted(bits, 'bit')}, not a whole number of bytes"
        hint = f"add a reserved field of {counted(8 - bits % 8, 'bit')}"
        collector.add(CH024NotWholeBytes, message, declaration.name.span, hint)
    return fields if len(collector.found) == before else None


def _field(field: tree.MessageField, collector: Collector) -> MessageField | None:
    type_ = TypeReader(collector).value(field.type)
    if type_ is None:
        return None
    if not isinstance(type_, Bits | Bytes):
        message = f"a field cannot be of type {type_}"
        collector.add(CH023BadType, message, field.type.span, "fields are u1 to u128, bytes[n], mac, ipv4 or ipv6")
        return None
    rule = _rule(field, type_, collector) if field.rule else None
    return MessageField(field.name.text, type_, rule, field.span)


def _rule(field: tree.MessageField, type_: Bits | Bytes, collector: Collector) -> Rule | None:
    match field.rule:
        case tree.FixedRule(value):
            constant = literal(value, type_, collector)
            return None if constant is None else Fixed(constant)
        case tree.LengthRule(minus) if isinstance(type_, Bits):
            return Length(minus)
        case tree.ChecksumRule(over, optional) if type_ == U16 and over.text in ("header", "pseudo"):
            return Checksum(cast("Literal['header', 'pseudo']", over.text), optional)
        case rule:
            place = rule.span if rule else field.span
            hint = "a length is an integer; a checksum is a u16, `checksum(header)` or `checksum(pseudo)`"
            collector.add(CH026BadRule, f"`{shorten(place.text)}` does not fit a field of type {type_}", place, hint)
            return None


def _parent(parent: tree.Parent, names: Names) -> Parent | None:
    if parent.message.text not in names.messages:
        unknown("message", parent.message.text, parent.message.span, names.messages, names.collector)
        return None
    layout = names.layouts.get(parent.message.text)
    if layout is None:
        return None
    when = []
    for name, value in parent.when:
        field = next((f for f in layout.fixed_fields if f.name == name.text), None)
        if field is None:
            known = (f.name for f in layout.fixed_fields)
            unknown(f"field of `{layout.name}`", name.text, name.span, known, names.collector)
            continue
        constant = literal(value, field.type, names.collector)
        if isinstance(constant, bytes):
            constant = int.from_bytes(constant, "big")
        if constant is not None:
            when.append((name.text, constant))
    return Parent(layout.name, tuple(when), parent.span)


def _refuse_cycles(names: Names) -> None:
    """Report each message from which `over` leads back to itself, and cut it there."""
    settled: set[str] = set()
    for name in tuple(names.layouts):
        path: dict[str, None] = {}  # in order
        stack = [(name, iter(names.layouts[name].parents))]
        while stack:
            current, parents = stack[-1]
            path[current] = None
            step = next((p for p in parents if p.message not in settled and p.message in names.layouts), None)
            if step is None:
                settled.add(current)
                stack.pop()
                del path[current]
            elif step.message in path:
                circle = (*dropwhile(lambda m: m != step.message, path), step.message)  # noqa: B023  (used at once)
                chain = " over ".join(f"`{m}`" for m in circle)
                names.collector.add(CH027MessageCycle, f"{chain}: a circle", step.span, "remove one of the `over`s")
            else:
                stack.append((step.message, iter(names.layouts[step.message].parents)))
