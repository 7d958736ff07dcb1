"""The specification: what the four roles wrote, resolved and typed. The frontend makes it, the passes read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from bertha_ir.expr import Const, Field, Param

if TYPE_CHECKING:
    from bertha_ir.expr import Expr
    from bertha_ir.message import Message
    from bertha_ir.source import Span
    from bertha_ir.stmt import Body
    from bertha_ir.types import MapType, ParameterType, Type

Event = Literal["send", "recv", "packet", "reply", "timer"]
Place = Literal["endpoint", "path", "anywhere"]
DeviceKind = Literal["host", "kernel", "smartnic", "switch"]


@frozen
class ListArgument:
    """The elements of a `list` parameter."""

    elements: tuple[Const, ...]


@frozen
class PrefixesArgument:
    """The (value, length) pairs of a `prefixes` parameter."""

    prefixes: tuple[tuple[int, int], ...]


@frozen
class RangesArgument:
    """The (low, high, value) rows of a `ranges` parameter: closed, disjoint, ascending."""

    ranges: tuple[tuple[int, int, Const], ...]


@frozen
class MessageArgument:
    """The name of a message."""

    message: str


@frozen
class SecretArgument:
    """Key material, by the name under which the runtime is given it."""

    name: str


TableArgument = ListArgument | PrefixesArgument | RangesArgument
Argument = Const | Param | Field | TableArgument | MessageArgument | SecretArgument  # Param: in a rule alone


@frozen
class Parameter:
    """A parameter of a chunnel, with its default if it has one."""

    name: str
    type: ParameterType
    default: Argument | None = None
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class StateDeclaration:
    """State of a chunnel: a bounded map, or one cell of a value type.

    `volatile`: losing it, or keeping it once per processor, is allowed. `evicts`: when full, the least recently used
    entry goes; otherwise a new key is not stored.
    """

    name: str
    type: MapType | Type
    volatile: bool = False
    evicts: bool = False
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen(cache_hash=True)  # handlers and instances are keys of what is known of them
class Handler:
    """What a chunnel does on an event. `packet` meets the messages of its own direction on the path, `reply` those of
    the other, on the same device. A timer runs every `period` nanoseconds, at an endpoint, without a message.
    """

    event: Event
    body: Body
    period: int | None = None
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Transport:
    """How addresses and payload lie on the wire below a transport chunnel.

    `header` is the transport's message; its parents lead down to Ethernet. The four fields hold the parts of a
    message's `src` and `dst`.
    """

    header: str
    src_ip: Field
    src_port: Field
    dst_ip: Field
    dst_port: Field


@frozen
class Law:
    """An equation the bodies must satisfy, such as `recv(send(m)) == m`."""

    left: tuple[Event, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Chunnel:
    """A chunnel with its bodies typed. In an `Instance`, the types are those of the instance's arguments.

    `provides` and `requires` name guarantees (`ordered`, `reliable`, `boundaries`, `confidential`, `authentic`,
    `exactly_once`, …).
    """

    name: str
    parameters: tuple[Parameter, ...]
    place: Place
    both_ends: bool
    provides: tuple[str, ...]
    requires: tuple[str, ...]
    states: tuple[StateDeclaration, ...]
    handlers: tuple[Handler, ...]
    transport: Transport | None = None
    laws: tuple[Law, ...] = ()
    doc: str = field(default="", eq=False, repr=False)
    span: Span | None = field(default=None, eq=False, repr=False)

    def handler(self, event: Event) -> Handler | None:
        """Return the handler of an event, if the chunnel has one."""
        return next((h for h in self.handlers if h.event == event), None)


@frozen(cache_hash=True)
class Instance:
    """One use of a chunnel in a stack. `id` is unique in the stack and direction: `shard`, then `shard_2`."""

    id: str
    chunnel: Chunnel
    arguments: tuple[tuple[str, Argument], ...]
    scope: Literal["application", "host", "network", "anywhere"] = "anywhere"
    span: Span | None = field(default=None, eq=False, repr=False)

    def argument(self, name: str) -> Argument:
        """Return the argument of a parameter; KeyError when there is none."""
        return dict(self.arguments)[name]


@frozen
class Direction:
    """One direction of a connection, `request` (first end to second) or `response`, top of the stack first.

    `forks`: for each, its branches, by the ids of their instances; no branch depends on what another does.
    """

    name: Literal["request", "response"]
    instances: tuple[Instance, ...]
    forks: tuple[tuple[tuple[str, ...], ...], ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Stack:
    """What an application wants from its connection between two ends.

    Of a stack with `select`, each way through the branches is a stack. `branches` are those taken, as text with the
    direction in front, `rank` is how many of them are not the preferred one, and `alternatives` has the other ways.
    """

    name: str
    ends: tuple[str, str]
    directions: tuple[Direction, ...]
    requires: tuple[str, ...] = ()
    prefer: str = "latency"
    branches: tuple[str, ...] = ()
    rank: int = 0
    alternatives: tuple[Stack, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Rule:
    """The claim that `left` may be replaced by `right` whatever the parameters are, as far as `condition` holds.

    `equivalence`: `wire` when both chains do the same to every packet and state, `end-to-end` when the ends cannot
    tell them apart. An argument may be a `Param` of the rule, or, of a secret one, a `SecretArgument` of its name.
    Instances' ids are unique in each chain, not in both: the `count` on the left is the `count` on the right.
    """

    name: str
    parameters: tuple[Parameter, ...]
    left: tuple[Instance, ...]
    right: tuple[Instance, ...]
    equivalence: Literal["wire", "end-to-end"] = "end-to-end"
    condition: Expr | None = None
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Implementation:
    """An offload that the maker of a kind of device supplies for neighbouring chunnels, named top of the stack first.

    Bertha makes no program for it; `assumed` says on whose word it does what their bodies say. `profile`: the devices
    of the kind that have it, all when None. `resources`: what one connection takes of the device's `flows`, `entries`
    and `slots`. `init`, `teardown`: commands. Of those that fit, the one of higher `priority` is preferred.
    """

    name: str
    chunnels: tuple[str, ...]
    kind: DeviceKind
    profile: str | None
    assumed: str
    resources: tuple[tuple[str, int], ...] = ()
    init: str | None = None
    teardown: str | None = None
    priority: int = 0
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Workload:
    """What the traffic of one direction of a stack is like; None, or nothing of a chunnel or a field, is not known.

    `size`: bytes of the application's messages, (least, mean, most). `rate`: messages a second. `drops`, `hits`,
    `shrinks`: shares in thousandths by chunnel (for `shrinks`: what is left of the size). `skews`: the exponent of a
    Zipf distribution by message and field, in thousandths.
    """

    stack: str
    direction: Literal["request", "response"]
    size: tuple[int, int, int] | None = None
    rate: int | None = None
    drops: tuple[tuple[str, int], ...] = ()
    hits: tuple[tuple[str, int], ...] = ()
    shrinks: tuple[tuple[str, int], ...] = ()
    skews: tuple[tuple[str, str, int], ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Attribute:
    """`rate 100 Gbit/s;` of a device or a link: a number in base units (bit/s, bytes, ns), an address or a word."""

    name: str
    value: int | str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Device:
    """Where ops can run. Every host `h` has a kernel, the device `kernel(h)`, whether or not the site names it."""

    name: str
    kind: DeviceKind
    attributes: tuple[Attribute, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)

    def get(self, name: str) -> int | str | None:
        """Return an attribute's value, or None."""
        return next((a.value for a in self.attributes if a.name == name), None)


@frozen
class Link:
    """A link between two devices: `pcie`, `ethernet` or `loopback`."""

    a: str
    b: str
    kind: str
    attributes: tuple[Attribute, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Deny:
    """`deny encrypt on tor;`: never run this chunnel there."""

    chunnel: str
    device: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Prefer:
    """`prefer shard on [tor, kernel(h1)];`: the first of these that can."""

    chunnel: str
    devices: tuple[str, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Demand:
    """`require confidential on tor;`: every stack whose messages pass the device gives these guarantees."""

    guarantees: tuple[str, ...]
    device: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Policy:
    """The operator's rules. With `trust` empty, every device is trusted."""

    deny: tuple[Deny, ...] = ()
    prefer: tuple[Prefer, ...] = ()
    trust: tuple[str, ...] = ()
    demands: tuple[Demand, ...] = ()


@frozen
class Runs:
    """`run kv.server on h1;`: where an end of a stack runs."""

    stack: str
    end: str
    device: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Site:
    """The operator's side: devices, links, policy, and where the ends run."""

    devices: tuple[Device, ...] = ()
    links: tuple[Link, ...] = ()
    policy: Policy = Policy()
    runs: tuple[Runs, ...] = ()


@frozen
class Specification:
    """Everything one compilation is about. `chunnels` holds the declared ones; stacks hold their own, typed, copies."""

    messages: tuple[Message, ...]
    chunnels: tuple[Chunnel, ...]
    stacks: tuple[Stack, ...]
    site: Site
    rules: tuple[Rule, ...] = ()
    implementations: tuple[Implementation, ...] = ()
    workloads: tuple[Workload, ...] = ()

    def message(self, name: str) -> Message:
        """Return a message; KeyError when there is none of that name."""
        return {m.name: m for m in self.messages}[name]
