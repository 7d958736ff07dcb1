"""What a body does on every way through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.program import ADDRESS
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.program import Root
    from bertha_ir.stmt import Body


def ends_always(body: Body) -> bool:
    """Whether a body ends with a verdict of its own, whatever happens."""
    match body[-1:]:
        case (s.Drop() | s.Bounce(),):
            return True
        case (s.If(_, then, otherwise),):
            return ends_always(then) and ends_always(otherwise)
        case _:
            return False


def changes_packet(body: Body) -> bool:
    """Whether a body writes to the packet's bytes."""
    for node in walk(body):
        match node:
            case s.Push() | s.Pop() | s.FixChecksum():
                return True
            case s.Assign(target) | s.Attempt(target):
                if isinstance(target, e.Payload) or (isinstance(target, e.Field) and target.header != ADDRESS):
                    return True
    return False


def sets(body: Body, target: type) -> bool:
    """Whether a body gives the payload, or the value, another value."""
    return any(isinstance(n, s.Assign | s.Attempt) and isinstance(n.target, target) for n in walk(body))


def reads(nodes: object, header: str | None = None) -> bool:
    """Whether fields of a header, or of any, are read."""
    fields = (n.header for n in walk(nodes) if isinstance(n, e.Field) and n.header != ADDRESS)
    return any(header in {None, found} for found in fields)


def only_around(body: Body, root: Root) -> bool:
    """Whether a body of an end leaves headers as they were put in front of the payload, or taken off it."""
    wrong = {"send": s.Pop, "recv": s.Push}[root]
    for node in walk(body):
        match node:
            case s.Assign(e.Field(header)) | s.Attempt(e.Field(header)) if header != ADDRESS:
                return False
            case s.FixChecksum():
                return False
        if isinstance(node, wrong):
            return False
    return True


def sets_payload(body: Body) -> bool:
    """Whether a body begins by giving the payload a value that does not depend on the old one."""
    match body[:1]:
        case (s.Assign(e.Payload(), value),):
            return not any(isinstance(node, e.Payload) for node in walk(value))
        case _:
            return False
