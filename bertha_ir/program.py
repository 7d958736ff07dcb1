"""The device program: what one device runs, merged and lowered. The three backends print this form.

A program is a parser, tables, state and *blocks*. A packet is parsed as deep as it goes; then the first block runs
whose headers were all parsed (`needs`) and whose `guard` holds; a packet that no block takes passes unchanged.

Where it sits (`root`):

- `frame`: the input is an Ethernet frame (XDP, TC, a switch, a SmartNIC);
- `datagram`: the input is a transport payload with the addresses it came with (a userspace process). The four
  address parts are the fields `src_ip`, `src_port`, `dst_ip`, `dst_port` of the pseudo-header `address`, and
  `Payload` is the whole input;
- `send`, `recv`: as `datagram`, but the application's side is a decoded record, `Value`: `send` starts with the
  record and an empty payload and ends with a payload; `recv` starts with a payload and ends with the record.

Semantics of a run, which `bertha_ir.interpreter.program` defines and every backend must match bit for bit:

1. Parsing starts at the first state. A state extracts its header if enough bytes are left, else parsing stops. Then
   the first transition whose fields all hold their values names the next state; when none does, parsing stops.
2. The first block with every header of `needs` extracted and a true `guard` runs on the packet in place.
3. The body's end or no block at all: verdict `pass`. `Drop`: `drop`. `Bounce`: `bounce` (out where it came in).

The ends of a stack with ops that reply, emit, or have timers are made of *stages* instead, each a block: see `Stage`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from bertha_ir.types import U16, U32, Bits, Bool, Bytes, bit_width

if TYPE_CHECKING:
    from bertha_ir.expr import Expr
    from bertha_ir.source import Span
    from bertha_ir.stmt import Body

Root = Literal["frame", "datagram", "send", "recv"]
ADDRESS = "address"


@frozen
class HeaderField:
    """A field of the fixed part of a header."""

    name: str
    type: Bits | Bytes

    @property
    def width(self) -> int:
        """Bits on the wire."""
        width = bit_width(self.type)
        assert width is not None  # noqa: S101  INVARIANT: the tail is no HeaderField
        return width


@frozen
class Header:
    """A header instance; its fields lie one after another, most significant bit first; a whole number of bytes."""

    name: str
    fields: tuple[HeaderField, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(f.width for f in self.fields) // 8

    def bit_offset(self, name: str) -> int:
        """Return the bits in front of the field `name`; KeyError when there is none."""
        offset = 0
        for candidate in self.fields:
            if candidate.name == name:
                return offset
            offset += candidate.width
        raise KeyError(name)

    def field(self, name: str) -> HeaderField:
        """Return the field called `name`; KeyError when there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


ADDRESS_HEADER = Header(
    ADDRESS,
    (
        HeaderField("src_ip", U32),
        HeaderField("src_port", U16),
        HeaderField("dst_ip", U32),
        HeaderField("dst_port", U16),
    ),
)


@frozen
class Transition:
    """Go on to state `to` when each field of the header just extracted holds its value."""

    when: tuple[tuple[str, int], ...]
    to: str


@frozen
class ParseState:
    """Extract `header`, then follow the first transition that holds. A state is named by its header."""

    header: str
    transitions: tuple[Transition, ...] = ()


@frozen
class Entry:
    """One row: what it matches and the values it gives.

    `match` is: array — (index,); exact — one value per key; lpm — (prefix value, prefix length);
    range — (low, high), both included.
    """

    match: tuple[int, ...]
    values: tuple[int, ...] = ()


@frozen
class Table:
    """Constant data that a body reads and an operator may change at run time: at most `size` entries.

    `array`: entries 0 … n-1, read by an index that is in range. `exact`, `lpm`, `range`: a key either hits one
    entry or misses; the longest prefix wins, ranges are disjoint.
    """

    name: str
    kind: Literal["array", "exact", "lpm", "range"]
    keys: tuple[Bits, ...]
    values: tuple[Bits, ...]
    size: int
    entries: tuple[Entry, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class State:
    """What a program remembers between packets: a bounded map, or one cell when there are no keys.

    Starts empty, or zero. `volatile`: it may be lost or kept once per processor. When a map is full, a new key is not
    stored, or, if it `evicts`, the least recently used goes.
    """

    name: str
    keys: tuple[Bits | Bytes, ...]
    values: tuple[Bits | Bytes, ...]
    size: int = 1
    volatile: bool = False
    evicts: bool = False
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Block:
    """One direction of one stack on this device: the merged bodies of its ops, in order."""

    name: str
    needs: tuple[str, ...]
    guard: Expr
    body: Body
    ops: tuple[str, ...] = ()


Begin = Literal["message", "returned", "timer"]


@frozen
class Stage:
    """A block of an end whose ops send further messages: what such an op passes on or emits, the stage `then` takes.

    `entry`: what it begins with, None of a stage that others lead to: a `message`, to send or received; what was
    `returned` by the other end, of which nothing goes on; a `timer`, every `period` nanoseconds, which has no message.
    `root`: `send` of a stage towards the wire, `recv` of one towards the application; `message`: the record that it
    takes or gives. `then`: None where what goes on leaves the end. `back`: the stage that takes what its op replies,
    towards the wire; None where that leaves the end, apart from the messages of the other direction.
    """

    block: str
    root: Root
    entry: Begin | None = None
    then: str | None = None
    back: str | None = None
    message: str | None = None
    period: int = 0


@frozen
class DeviceProgram:
    """See the module's text. `name` is a plain identifier; `hook` is where in the device it is attached. `stages`: of
    an end whose ops send further messages, what each block is for; then no block runs but by these.
    """

    name: str
    device: str
    root: Root
    hook: Literal["ingress", "egress", "pipeline", "process"]
    headers: tuple[Header, ...]
    parser: tuple[ParseState, ...]
    tables: tuple[Table, ...]
    states: tuple[State, ...]
    blocks: tuple[Block, ...]
    message: str | None = None
    stages: tuple[Stage, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)

    def header(self, name: str) -> Header:
        """Return the header instance called `name`; KeyError when there is none."""
        if name == ADDRESS:
            return ADDRESS_HEADER
        return {h.name: h for h in self.headers}[name]


LOCAL_TYPES = (Bits, Bool)
