"""Expressions: the pure half of a body, from the typed source down to the device program.

Every node is frozen, compares by structure (its span is left out) and knows its type. A constructor refuses
operands of the wrong type, so an ill-typed expression cannot be built.

A stage uses the subset that its row in `bertha_ir.legality` names: bodies of chunnels read parameters, endpoints
and tables as values (`Param`, `Address`, `Element`, `Match`, `Contains`, `Get`); after lowering, only `Const`,
`Local`, `Field`, `Unary`, `Binary`, `Cast`, `Choose`, `Call` and the two frame measures are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from bertha_ir.types import BOOL, BYTES, ENDPOINT, U16, U32, Bits, Bool, Bytes, EndpointType, Record, Type, require

if TYPE_CHECKING:
    from bertha_ir.source import Span

Scalar = int | bool | bytes | tuple[int, int]

ARITHMETIC = ("+", "-", "*", "/", "%", "&", "|", "^")
SHIFTS = ("<<", ">>")
ORDER = ("<", "<=", ">", ">=")
EQUALITY = ("==", "!=")
LOGIC = ("and", "or")


@frozen
class Const:
    """A literal: an int for Bits, a bool, bytes, or an (ip, port) pair for an endpoint."""

    value: Scalar
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        match self.type, self.value:
            case Bool(), bool():
                return
            case Bits(width), int() if not isinstance(self.value, bool):
                require(0 <= self.value < 1 << width, f"{self.value} does not fit u{width}")
            case Bytes(size), bytes() if size in (None, len(self.value)):
                return
            case EndpointType(), (int(ip), int(port)):
                require(0 <= ip < 1 << 32 and 0 <= port < 1 << 16, "endpoint out of range")
            case _:
                require(False, f"{self.value!r} is no {self.type}")  # noqa: FBT003


@frozen
class Local:
    """A value bound by `Let`, a lookup or a loop."""

    name: str
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Param:
    """A scalar parameter of the chunnel; gone once the instance is expanded."""

    name: str
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class ParamField:
    """The message field that a `field` parameter names (`m.key`); gone once the instance is expanded."""

    name: str
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Secret:
    """Key material that the runtime is given under `name` when a connection is made."""

    name: str
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Field:
    """A field of a header: `KvRequest.key`, `ipv4.dscp`."""

    header: str
    name: str
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Address:
    """The endpoint a message comes from (`src`) or goes to (`dst`)."""

    which: Literal["src", "dst"]
    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = ENDPOINT


@frozen
class Part:
    """The `ip` (u32) or the `port` (u16) of an endpoint."""

    of: Expr
    part: Literal["ip", "port"]
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(self.of.type == ENDPOINT, f"`.{self.part}` of {self.of.type}")

    @property
    def type(self) -> Type:
        """u32 or u16."""
        return U32 if self.part == "ip" else U16


@frozen
class MakeEndpoint:
    """An endpoint from an address (u32) and a port (u16)."""

    ip: Expr
    port: Expr
    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = ENDPOINT

    def __attrs_post_init__(self) -> None:
        require(self.ip.type == U32 and self.port.type == U16, "endpoint(u32, u16)")


@frozen
class Payload:
    """The bytes of the message behind the headers that this position knows (`m.payload`)."""

    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = BYTES


@frozen
class Value:
    """The decoded message as the application sees it (`m.value`)."""

    message: str
    span: Span | None = field(default=None, eq=False, repr=False)

    @property
    def type(self) -> Type:
        """The record of the message."""
        return Record(self.message)


@frozen
class Unary:
    """`not` of a bool; `~` or `-` of bits."""

    op: Literal["not", "~", "-"]
    of: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        good = self.of.type == BOOL if self.op == "not" else isinstance(self.of.type, Bits)
        require(good, f"`{self.op}` of {self.of.type}")

    @property
    def type(self) -> Type:
        """The operand's type."""
        return self.of.type


@frozen
class Binary:
    """Arithmetic and bit operations wrap at the width; division by zero gives 0, a remainder by zero the dividend.

    A shift by the width or more gives 0. `and` and `or` decide from the left.
    """

    op: str
    left: Expr
    right: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        left, right = self.left.type, self.right.type
        if self.op in SHIFTS:
            good = isinstance(left, Bits) and isinstance(right, Bits)
        elif self.op in EQUALITY:
            good = left == right
        elif self.op in LOGIC:
            good = left == right == BOOL
        else:
            known = self.op in ARITHMETIC or self.op in ORDER
            good = known and left == right and isinstance(left, Bits)
        require(good, f"{left} {self.op} {right}")

    @property
    def type(self) -> Type:
        """Bits of the left operand for arithmetic and shifts, otherwise bool."""
        return self.left.type if self.op in ARITHMETIC or self.op in SHIFTS else BOOL


@frozen
class Cast:
    """Bits of another width: zero-extended or cut to the low bits. `Bytes(n)` and `Bits(8n)` convert both ways."""

    of: Expr
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        match self.of.type, self.type:
            case (Bits(), Bits()):
                return
            case (Bits(width), Bytes(size)) | (Bytes(size), Bits(width)) if size:
                require(width == 8 * size, f"{self.of.type} as {self.type}")
            case _:
                require(False, f"{self.of.type} as {self.type}")  # noqa: FBT003


@frozen
class Choose:
    """`if condition then yes else no`, as a value."""

    condition: Expr
    yes: Expr
    no: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(self.condition.type == BOOL, f"condition is {self.condition.type}")
        require(self.yes.type == self.no.type, f"{self.yes.type} or {self.no.type}")

    @property
    def type(self) -> Type:
        """The type of both branches."""
        return self.yes.type


@frozen
class Size:
    """The length in bytes of a byte string, as u32."""

    of: Expr
    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = U32

    def __attrs_post_init__(self) -> None:
        require(isinstance(self.of.type, Bytes), f"size of {self.of.type}")


@frozen
class Count:
    """The number of elements of a list parameter, as u32; a constant once the instance is expanded."""

    table: str
    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = U32


@frozen
class Call:
    """A primitive applied to arguments. `fallible` primitives stand only in `Attempt`."""

    primitive: str
    arguments: tuple[Expr, ...]
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Element:
    """`list[index]`. The index is always in range: the frontend accepts only `… % len(list)` or a literal."""

    table: str
    index: Expr
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        require(isinstance(self.index.type, Bits), f"index is {self.index.type}")


@frozen
class Match:
    """`ranges[key] else default`: the value of the range that holds `key`."""

    table: str
    key: Expr
    default: Expr
    span: Span | None = field(default=None, eq=False, repr=False)

    @property
    def type(self) -> Type:
        """The type of the default, which is that of the table's values."""
        return self.default.type


@frozen
class Contains:
    """`key in container`: a prefix set, a list, ranges, or the keys of a state map."""

    container: str
    key: Expr
    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = BOOL


@frozen
class Get:
    """`state[key]`, or `state` for a single cell (`key` None); zero where nothing is stored."""

    state: str
    key: Expr | None
    type: Type
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class FrameSize:
    """The bytes of the whole frame (or datagram) as it arrived, as u32."""

    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = U32


@frozen
class HeaderOffset:
    """The bytes in front of a parsed header, as u32."""

    header: str
    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = U32


@frozen
class Parsed:
    """Whether the parser came to a header and found room for it."""

    header: str
    span: Span | None = field(default=None, eq=False, repr=False)
    type: ClassVar[Type] = BOOL


Expr = (
    Const
    | Local
    | Param
    | ParamField
    | Secret
    | Field
    | Address
    | Part
    | MakeEndpoint
    | Payload
    | Value
    | Unary
    | Binary
    | Cast
    | Choose
    | Size
    | Count
    | Call
    | Element
    | Match
    | Contains
    | Get
    | FrameSize
    | HeaderOffset
    | Parsed
)
