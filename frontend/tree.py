"""The syntax tree of declarations: what a file is made of. Expressions and statements are in `ast`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from bertha_ir.frontend.ast import Name, Number, Text
from bertha_ir.frontend.facts import Workload

if TYPE_CHECKING:
    from fractions import Fraction

    from bertha_ir.frontend.ast import AnyType, Argument, Expression, Statement
    from bertha_ir.source import Span


@frozen
class Import:
    """`import "other.chunnel";`."""

    path: str
    span: Span = field(eq=False, repr=False)


@frozen
class Endpoint:
    """`endpoint s0 = 10.0.0.1:9001;`."""

    name: Name
    value: tuple[int, int]
    span: Span = field(eq=False, repr=False)


@frozen
class FixedRule:
    """`= literal`."""

    value: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class LengthRule:
    """`is length - minus`."""

    minus: int
    span: Span = field(eq=False, repr=False)


@frozen
class ChecksumRule:
    """`is checksum(over) or zero`."""

    over: Name
    optional: bool
    span: Span = field(eq=False, repr=False)


@frozen
class MessageField:
    """One field of a message."""

    name: Name
    type: AnyType
    rule: FixedRule | LengthRule | ChecksumRule | None
    span: Span = field(eq=False, repr=False)


@frozen
class Parent:
    """`over ipv4 when protocol == 17`."""

    message: Name
    when: tuple[tuple[Name, Expression], ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Message:
    """`message KvRequest over udp { … }`."""

    name: Name
    parents: tuple[Parent, ...]
    fields: tuple[MessageField, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Parameter:
    """A parameter of a chunnel. The unit (`per second`) is for the reader; it does not change the type."""

    name: Name
    type: AnyType
    unit: Name | None
    default: Expression | None
    span: Span = field(eq=False, repr=False)


@frozen
class Place:
    """`place: path;`."""

    place: Name
    span: Span = field(eq=False, repr=False)


@frozen
class BothEnds:
    """`needs both ends;`."""

    span: Span = field(eq=False, repr=False)


@frozen
class Provides:
    """`provides ordered, reliable;`."""

    names: tuple[Name, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Requires:
    """`requires ordered;` of a chunnel, `require exactly_once;` of a stack."""

    names: tuple[Name, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class State:
    """`state hits: map[u32 -> u64; 1024] volatile;`."""

    name: Name
    type: AnyType
    modifiers: tuple[Name, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Duration:
    """`20 ms`."""

    number: int
    unit: Name
    span: Span = field(eq=False, repr=False)


@frozen
class Handler:
    """`on packet(m) { … }`."""

    event: Name
    subject: Name | Duration | None
    body: tuple[Statement, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Law:
    """`law recv(send(m)) == m;`."""

    equation: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Transport:
    """`transport udp { src = (ipv4.src, udp.src_port); … }`."""

    header: Name
    addresses: tuple[tuple[Name, Expression, Expression], ...]
    span: Span = field(eq=False, repr=False)


Clause = Place | BothEnds | Provides | Requires | State | Handler | Law | Transport


@frozen
class Chunnel:
    """`chunnel shard(…) { … }`."""

    name: Name
    parameters: tuple[Parameter, ...]
    clauses: tuple[Clause, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Use:
    """`shard(key = KvRequest.key)` in a stack."""

    chunnel: Name
    arguments: tuple[Argument, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Fork:
    """`fork { a |> b | c }`: branches of which none depends on what another does."""

    branches: tuple[tuple[Use, ...], ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Select:
    """`select { a |> b | none prefer a }`: one of the branches; of `none`, no chunnel."""

    branches: tuple[tuple[Use, ...], ...]
    prefer: Name | None
    span: Span = field(eq=False, repr=False)


@frozen
class Direction:
    """`request: a |> fork { b | c } |> udp(4242);`."""

    name: Name
    stages: tuple[Use | Fork | Select, ...]
    span: Span = field(eq=False, repr=False)

    @property
    def uses(self) -> tuple[Use, ...]:
        """All uses, those in branches as well, in the order of the text."""
        return tuple(use for stage in self.stages for use in uses_of(stage))


def uses_of(stage: Use | Fork | Select) -> tuple[Use, ...]:
    """Return the uses in one stage of a direction, in the order of the text."""
    return (stage,) if isinstance(stage, Use) else tuple(use for branch in stage.branches for use in branch)


@frozen
class Prefer:
    """`prefer latency;` of a stack."""

    what: Name
    span: Span = field(eq=False, repr=False)


@frozen
class Stack:
    """`stack kv(client, server) { … }`."""

    name: Name
    ends: tuple[Name, Name]
    items: tuple[Direction | Requires | Prefer, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Rule:
    """`rule twice(k: secret[32]): encrypt(k) |> encrypt(k) => encrypt(k) over ends where true;`."""

    name: Name
    parameters: tuple[Parameter, ...]
    left: tuple[Use, ...]
    right: tuple[Use, ...]
    equivalence: Name | None
    condition: Expression | None
    span: Span = field(eq=False, repr=False)


Value = Number | Text | Name | tuple[tuple[Name, Number], ...]


@frozen
class Item:
    """`priority 10;` or `resources { flows 1; }` of an implementation: the value is what was written, of any kind."""

    name: Name
    value: Value | None
    span: Span = field(eq=False, repr=False)


@frozen
class Implementation:
    """`implementation nic_tls of encrypt |> tcp on smartnic "connectx-7" { … }`."""

    name: Name
    chunnels: tuple[Name, ...]
    kind: Name
    profile: Text | None
    items: tuple[Item, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class DeviceRef:
    """`h1` or `kernel(h1)`."""

    name: Name
    inner: Name | None
    span: Span = field(eq=False, repr=False)

    @property
    def text(self) -> str:
        """The device's name in the specification."""
        return f"{self.name.text}({self.inner.text})" if self.inner else self.name.text


@frozen
class Attribute:
    """`rate 100 Gbit/s;`: `number` in its unit, or a value that is an address or a word."""

    name: Name
    value: int | str
    number: Fraction | None
    unit: str | None
    span: Span = field(eq=False, repr=False)


@frozen
class Device:
    """`device h1: host { … }`."""

    ref: DeviceRef
    kind: Name
    attributes: tuple[Attribute, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Link:
    """`link h1 <-> tor ethernet { … }`."""

    a: DeviceRef
    b: DeviceRef
    kind: Name
    attributes: tuple[Attribute, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Run:
    """`run kv.server on h1;`."""

    stack: Name
    end: Name
    device: DeviceRef
    span: Span = field(eq=False, repr=False)


@frozen
class Deny:
    """`deny encrypt on tor;`."""

    chunnel: Name
    device: DeviceRef
    span: Span = field(eq=False, repr=False)


@frozen
class ChooseAmong:
    """`prefer shard on [tor, h1];`."""

    chunnel: Name
    devices: tuple[DeviceRef, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Demand:
    """`require confidential on tor;`."""

    names: tuple[Name, ...]
    device: DeviceRef
    span: Span = field(eq=False, repr=False)


@frozen
class Trust:
    """`trust h1, nic1;`."""

    devices: tuple[DeviceRef, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Policy:
    """`policy { … }`."""

    rules: tuple[Deny | ChooseAmong | Demand | Trust, ...]
    span: Span = field(eq=False, repr=False)


Declaration = (
    Import | Endpoint | Message | Chunnel | Stack | Rule | Implementation | Workload | Device | Link | Run | Policy
)
