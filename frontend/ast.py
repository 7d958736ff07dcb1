"""The syntax tree: what was written, before names and types mean anything. Every node knows its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from fractions import Fraction

    from bertha_ir.source import Span


@frozen
class Name:
    """An identifier at a place; also the expression that it is."""

    text: str
    span: Span = field(eq=False, repr=False)


# Types


@frozen
class Type:
    """`u32`, `bytes[4]`, `list[T; 1..64]`, `map[K -> V; N]`: `size` is a number in brackets, `bound` follows `;`."""

    name: str
    span: Span = field(eq=False, repr=False)
    inner: Type | None = None
    size: int | None = None
    second: Type | None = None
    bound: tuple[int | None, int] | None = None


@frozen
class TypeOf:
    """`type(by)`: the type of the field that a parameter names."""

    parameter: Name
    span: Span = field(eq=False, repr=False)


AnyType = Type | TypeOf

# Expressions


@frozen
class Number:
    """An integer without a width of its own."""

    value: int
    span: Span = field(eq=False, repr=False)


@frozen
class Decimal:
    """A number with a decimal point: a quantity of a device, a link or a workload, never of an expression."""

    value: Fraction
    span: Span = field(eq=False, repr=False)


@frozen
class Text:
    """A string: bytes, or one u8 where a u8 is wanted."""

    value: bytes
    span: Span = field(eq=False, repr=False)


@frozen
class Truth:
    """`true` or `false`."""

    value: bool
    span: Span = field(eq=False, repr=False)


@frozen
class Fixed:
    """A literal whose form tells its type: an IPv4 address (u32) or a MAC address (u48)."""

    value: int
    width: int
    span: Span = field(eq=False, repr=False)


@frozen
class EndpointLiteral:
    """`10.0.0.1:9001`."""

    value: tuple[int, int]
    span: Span = field(eq=False, repr=False)


@frozen
class Prefix:
    """`10.0.0.0/8`."""

    value: int
    length: int
    span: Span = field(eq=False, repr=False)


@frozen
class Member:
    """`of.name`."""

    of: Expression
    name: Name
    span: Span = field(eq=False, repr=False)


@frozen
class Index:
    """`of[index]`."""

    of: Expression
    index: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Call:
    """`function(argument, …)`."""

    function: Name
    arguments: tuple[Argument, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Unary:
    """`not e`, `~e`, `-e`."""

    op: str
    of: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Binary:
    """`left op right`; `&&` and `||` are `and` and `or` here."""

    op: str
    left: Expression
    right: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Cast:
    """`of as type`."""

    of: Expression
    type: AnyType
    span: Span = field(eq=False, repr=False)


@frozen
class Choose:
    """`if condition then yes else no`."""

    condition: Expression
    yes: Expression
    no: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class OrElse:
    """`value else default`: a look-up that may miss."""

    value: Expression
    default: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class RangeRow:
    """`low..high -> value` in a list; one number alone is a range of one."""

    low: Expression
    high: Expression | None
    value: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Listing:
    """`[item, …]`."""

    items: tuple[Expression, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Argument:
    """`name = value` or just `value`."""

    name: Name | None
    value: Expression
    span: Span = field(eq=False, repr=False)


Expression = (
    Name
    | Number
    | Text
    | Truth
    | Fixed
    | EndpointLiteral
    | Prefix
    | Member
    | Index
    | Call
    | Unary
    | Binary
    | Cast
    | Choose
    | OrElse
    | RangeRow
    | Listing
)

# Statements


@frozen
class Let:
    """`let name: type = value;`, where the type may be left out."""

    name: Name
    type: AnyType | None
    value: Expression
    otherwise: tuple[Statement, ...] | None
    span: Span = field(eq=False, repr=False)


@frozen
class Assign:
    """`target = value;`, with what to do when the value fails."""

    target: Expression
    value: Expression
    otherwise: tuple[Statement, ...] | None
    span: Span = field(eq=False, repr=False)


@frozen
class Augment:
    """`target += value;` and its like; `op` is without the `=`."""

    target: Expression
    op: str
    value: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Delete:
    """`delete state[key];`."""

    target: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class If:
    """`if condition { … } else { … }`."""

    condition: Expression
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Repeat:
    """`repeat 4 { … }`."""

    count: Number
    body: tuple[Statement, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class ForEach:
    """`for (key, value) in state { … }`."""

    key: Name
    value: Name
    state: Name
    body: tuple[Statement, ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Drop:
    """`drop;`."""

    span: Span = field(eq=False, repr=False)


@frozen
class Bounce:
    """`bounce;`."""

    span: Span = field(eq=False, repr=False)


@frozen
class Reply:
    """`reply payload;`."""

    payload: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Emit:
    """`emit payload;`."""

    payload: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Clone:
    """`clone to endpoint;`."""

    to: Expression
    span: Span = field(eq=False, repr=False)


@frozen
class Push:
    """`push header { field = value, … }`."""

    header: Name
    fields: tuple[tuple[Name, Expression], ...]
    span: Span = field(eq=False, repr=False)


@frozen
class Pop:
    """`pop header else { … }`."""

    header: Name
    otherwise: tuple[Statement, ...]
    span: Span = field(eq=False, repr=False)


Statement = Let | Assign | Augment | Delete | If | Repeat | ForEach | Drop | Bounce | Reply | Emit | Clone | Push | Pop
