"""Statements: what a body does to a message, to state and to the verdict.

A body is a tuple of statements run in order. It is total: the only loops are `Repeat` (a constant count) and
`ForEach` (over a bounded map). `Drop` and `Bounce` end the body for this message.

Bodies of chunnels may use every statement but `Lookup` and `FixChecksum`, which lowering makes; a device program
uses `Let`, `Assign`, `If`, `Lookup`, `Store`, `Delete`, `FixChecksum`, `Drop`, `Bounce`, `Clone`, `Push`, `Pop`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from bertha_ir.expr import Address, Expr, Field, Local, ParamField, Part, Payload, Value
from bertha_ir.types import BOOL, BYTES, ENDPOINT, Bits, Bytes, require

if TYPE_CHECKING:
    from bertha_ir.source import Span

Target = Local | Field | ParamField | Address | Part | Payload | Value


@frozen
class Let:
    """Bind a new local. A later `Assign` may change it."""

    name: str
    value: Expr
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Assign:
    """Give a field, an address, the payload, the value or a local a new value of the same type."""

    target: Target
    value: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        target, value = self.target.type, self.value.type
        same = target == value or (target == BYTES and isinstance(value, Bytes))
        require(same, f"{target} = {value}")


@frozen
class Attempt:
    """`target = call else { … }`: a primitive that can fail; then `otherwise` runs and the target is unchanged."""

    target: Target
    value: Expr
    otherwise: tuple[Stmt, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class If:
    """Run `then` or `otherwise`."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(self.condition.type == BOOL, f"condition is {self.condition.type}")


@frozen
class Repeat:
    """Run `body` a constant number of times."""

    count: int
    body: tuple[Stmt, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class ForEach:
    """Run `body` for every entry of a state map, in the order of insertion, over a snapshot taken at the start."""

    state: str
    key: Local
    value: Local
    body: tuple[Stmt, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Store:
    """`state[keys] = values` or `+=` (mode "add", wrapping, atomic on every target). No keys for a single cell.

    Bodies of chunnels have one key and one value; lowered programs have one per component. When the map is full a
    new key is not stored.
    """

    state: str
    keys: tuple[Expr, ...]
    mode: Literal["set", "add"]
    values: tuple[Expr, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Delete:
    """Remove a key from a state map, if it is there."""

    state: str
    keys: tuple[Expr, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Drop:
    """Discard the message and end the body."""

    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Bounce:
    """Send the message, as it is now, back where it came from (source and destination swapped) and end the body."""

    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Reply:
    """Send a new message with this payload to where `m` came from; `m` itself goes on."""

    payload: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(isinstance(self.payload.type, Bytes), f"reply with {self.payload.type}")


@frozen
class Emit:
    """Send a further message with this payload the way `m` goes, after it; it skips this body."""

    payload: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(isinstance(self.payload.type, Bytes), f"emit of {self.payload.type}")


@frozen
class Clone:
    """Send a copy of the message, as it is now, to another endpoint; `m` itself goes on."""

    to: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(self.to.type == ENDPOINT, f"clone to {self.to.type}")


@frozen
class Push:
    """Put a header in front of the payload. Fields not named are 0, or what the message fixes for them.

    `behind`: in a lowered program of frames, the header at whose end the payload begins; what is in front keeps its
    place. Without it, the payload is the whole packet.
    """

    header: str
    fields: tuple[tuple[str, Expr], ...]
    span: Span | None = field(default=None, eq=False, repr=False)
    behind: str | None = None


@frozen
class Pop:
    """Take the outermost header off the payload so that its fields can be read; a payload too short for it, or one
    that breaks a fixed field, runs `otherwise`. `behind`: as in `Push`.
    """

    header: str
    otherwise: tuple[Stmt, ...]
    span: Span | None = field(default=None, eq=False, repr=False)
    behind: str | None = None


@frozen
class Lookup:
    """Find `keys` in a table or a state and bind `into`; `hit` (bool) tells whether it was there.

    Locals of `into` are 0 on a miss. For an `array` table the key is the index and a hit is certain; for a single
    cell there are no keys. Lowered programs only.
    """

    container: str
    keys: tuple[Expr, ...]
    hit: str | None
    into: tuple[Local, ...]
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class FixChecksum:
    """Update an Internet checksum for one changed value, by RFC 1624, equation 3: `HC' = ~(~HC + ~m + m')`.

    `old` and `new` are u16 or u32 and lie on even offsets of what the checksum covers. With `optional` (UDP), a
    checksum of 0 means none and stays 0, and a result of 0 is written as 0xffff. `part`: what changed, a part of the
    checksum's own `header`, or, of a transport's checksum, an `address` of its pseudo-header or its `content`: a kernel
    that leaves the sum to the network card has summed the former only. Lowered programs only.
    """

    checksum: Field
    old: Expr
    new: Expr
    optional: bool
    part: Literal["header", "address", "content"] = "header"
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(self.checksum.type == Bits(16), f"checksum is {self.checksum.type}")
        require(self.old.type == self.new.type, f"{self.old.type} becomes {self.new.type}")
        require(self.old.type in (Bits(16), Bits(32)), f"checksum over {self.old.type}")


Stmt = (
    Let
    | Assign
    | Attempt
    | If
    | Repeat
    | ForEach
    | Store
    | Delete
    | Drop
    | Bounce
    | Reply
    | Emit
    | Clone
    | Push
    | Pop
    | Lookup
    | FixChecksum
)
Body = tuple[Stmt, ...]
