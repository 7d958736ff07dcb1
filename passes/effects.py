"""The effects of a body, read off its statements: what it reads, writes, remembers, drops and sends.

A location is `src.ip`, `src.port`, `dst.ip`, `dst.port`, `Header.field`, `payload`, `value` or `headers` (which headers
there are).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.message import Fixed
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bertha_ir.message import Message

Sent = Literal["reply", "emit", "clone"]
_SENT: dict[type, Sent] = {s.Reply: "reply", s.Emit: "emit", s.Clone: "clone"}


@frozen
class Effects:
    """What a body may do. `reads` and `writes` are locations; adding to a state writes it, without reading it.

    `state_reads` may name a table, too: the body alone does not tell which is asked whether it holds a key, and nothing
    writes a table. `sent`: which further messages are made; `inputs`: the primitives that give time or chance.
    """

    reads: frozenset[str]
    writes: frozenset[str]
    state_reads: frozenset[str]
    state_writes: frozenset[str]
    drops: bool
    bounces: bool
    sent: frozenset[Sent]
    inputs: frozenset[str]

    @property
    def may_end(self) -> bool:
        """Whether a message may go no further."""
        return self.drops or self.bounces

    @property
    def redirects(self) -> bool:
        """Whether the destination may change."""
        return any(location.startswith("dst.") for location in self.writes)

    @property
    def pure(self) -> bool:
        """Whether the body does nothing that anyone could notice."""
        return not (self.writes or self.state_writes or self.may_end or self.sent)


def effects(body: s.Body, messages: Iterable[Message] = ()) -> Effects:
    """Return the effects of a body. `messages`: those whose fixed fields count as read, too, by who reads others of the
    message: it is skipped where they do not hold.
    """
    nodes = tuple(walk(body))
    laid = {node.header for node in nodes if isinstance(node, e.Field)}
    demanded = {f"{m.name}.{f.name}" for m in messages if m.name in laid for f in m.rules(Fixed)}
    calls = {node.primitive for node in nodes if isinstance(node, e.Call)}
    return Effects(
        frozenset(location for node in nodes for location in _reads(node)) | demanded,
        frozenset(location for node in nodes for location in _writes(node)),
        frozenset(name for node in nodes for name in _state_reads(node)),
        frozenset(node.state for node in nodes if isinstance(node, s.Store | s.Delete)),
        any(isinstance(node, s.Drop) for node in nodes),
        any(isinstance(node, s.Bounce) for node in nodes),
        frozenset(_SENT[type(node)] for node in nodes if type(node) in _SENT),
        frozenset(name for name in calls if "input" in PRIMITIVES[name].laws),
    )


def _locations(node: object) -> tuple[str, ...]:
    match node:
        case e.Address(which):
            return f"{which}.ip", f"{which}.port"
        case e.Part(e.Address(which), part):
            return (f"{which}.{part}",)
        case e.Field(header, name):
            return (f"{header}.{name}",)
        case e.Payload():
            return ("payload",)
        case e.Value():
            return ("value",)
        case _:
            return ()


def _reads(node: object) -> Iterator[str]:
    """Yield what the expressions directly below a node read."""
    match node:
        case s.Assign(_, value) | s.Attempt(_, value, _) | s.Let(_, value):
            yield from _reads_of(value)
        case s.Pop() | s.Push():
            yield "headers"
            for _, value in getattr(node, "fields", ()):
                yield from _reads_of(value)
        case s.If(condition):
            yield from _reads_of(condition)
        case s.Store(_, keys, _, values):
            yield from _reads_of(keys + values)
        case s.Delete(_, keys) | s.Lookup(_, keys):
            yield from _reads_of(keys)
        case s.Reply(value) | s.Emit(value) | s.Clone(value):
            yield from _reads_of(value)


def _reads_of(tree: object) -> Iterator[str]:
    parts = {id(n.of) for n in walk(tree) if isinstance(n, e.Part)}
    for node in walk(tree):
        if id(node) not in parts:
            yield from _locations(node)


def _writes(node: object) -> Iterator[str]:
    match node:
        case s.Assign(target) | s.Attempt(target):
            yield from _locations(target)
        case s.Push() | s.Pop():
            yield from ("headers", "payload")


def _state_reads(node: object) -> Iterator[str]:
    match node:
        case s.ForEach(name) | e.Get(name) | e.Contains(name) | s.Lookup(name):
            yield name


def independent(moved: Effects, over: Effects) -> str | None:
    """Return why an op may not trade places with another, judged by effects alone; None when it may.

    Sufficient, not necessary: the test of Bernstein (1966) on what is read and written; no op that ends messages may
    cross one that touches state or sends, and none that sends them back one that writes or ends them. To read a state
    counts as touching it: a map that evicts keeps longer what was read. Reading time or chance on both sides is
    refused, too.
    """
    touched, touches = moved.state_reads | moved.state_writes, over.state_reads | over.state_writes
    for ours, theirs, how in (
        (moved.writes, over.reads, "writes what the other reads"),
        (moved.reads, over.writes, "reads what the other writes"),
        (moved.writes, over.writes, "writes what the other writes"),
        (touched, touches, "shares state with the other"),
    ):
        if both := _overlap(ours, theirs):
            return f"{how}: {', '.join(both)}"
    for first, second in ((moved, over), (over, moved)):
        if first.may_end and (second.state_reads or second.state_writes or second.sent):
            return "one ends messages that the other remembers or sends"
        if first.bounces and (second.writes or second.may_end):
            return "one sends messages back that the other writes or ends"
    if moved.sent or over.sent:
        return "one sends further messages"
    if moved.inputs and over.inputs:
        return "both read time or chance"
    return None


def _overlap(ours: frozenset[str], theirs: frozenset[str]) -> list[str]:
    """Return the locations both sides touch. The payload holds every field of every message in it."""
    both = ours & theirs
    for one, other in ((ours, theirs), (theirs, ours)):
        if "payload" in one:
            both |= {location for location in other if _in_payload(location)}
    return sorted(both)


def _in_payload(location: str) -> bool:
    return "." in location and not location.startswith(("src.", "dst."))
