"""The types of values, parameters and state, shared by every stage.

Values: `Bits`, `Bool`, `Bytes`, `EndpointType`, `Record`. The others only describe parameters and state of a
chunnel: a body reaches into them, but no expression has such a type.
"""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import ge, instance_of, le, optional

MAX_WIDTH = 128


class IllTypedError(TypeError):
    """An IR node was built from operands of the wrong type: a defect of the caller, not of the user's program."""


def require(condition: bool, message: str) -> None:  # noqa: FBT001  (a predicate is what it takes)
    """Raise `IllTypedError(message)` unless `condition` holds."""
    if not condition:
        raise IllTypedError(message)


@frozen
class Bits:
    """An unsigned integer of `width` bits; arithmetic wraps."""

    width: int = field(validator=[instance_of(int), ge(1), le(MAX_WIDTH)])

    def __str__(self) -> str:
        return f"u{self.width}"


@frozen
class Bool:
    """A truth value."""

    def __str__(self) -> str:
        return "bool"


@frozen
class Bytes:
    """A string of `size` bytes, or of any length when `size` is None."""

    size: int | None = field(default=None, validator=optional([instance_of(int), ge(1)]))

    def __str__(self) -> str:
        return "bytes" if self.size is None else f"bytes[{self.size}]"


@frozen
class EndpointType:
    """An IPv4 address and a port."""

    def __str__(self) -> str:
        return "endpoint"


@frozen
class Record:
    """The decoded fields of a message, by the message's name."""

    message: str

    def __str__(self) -> str:
        return self.message


Type = Bits | Bool | Bytes | EndpointType | Record


@frozen
class ListType:
    """A list of `low` to `high` elements."""

    element: Type
    low: int = field(validator=ge(0))
    high: int = field(validator=ge(1))

    def __str__(self) -> str:
        return f"list[{self.element}; {self.low}..{self.high}]"


@frozen
class PrefixesType:
    """A set of at most `limit` prefixes of `element`."""

    element: Bits
    limit: int = field(validator=ge(1))

    def __str__(self) -> str:
        return f"prefixes[{self.element}; {self.limit}]"


@frozen
class RangesType:
    """At most `limit` disjoint closed ranges of `key`, each with a value."""

    key: Bits
    value: Type
    limit: int = field(validator=ge(1))

    def __str__(self) -> str:
        return f"ranges[{self.key} -> {self.value}; {self.limit}]"


@frozen
class MapType:
    """A map of at most `limit` entries; when it is full, a new key is not stored."""

    key: Type
    value: Type
    limit: int = field(validator=ge(1))

    def __str__(self) -> str:
        return f"map[{self.key} -> {self.value}; {self.limit}]"


@frozen
class SecretType:
    """Key material of `size` bytes, given when a connection is made and never printed."""

    size: int = field(validator=ge(1))

    def __str__(self) -> str:
        return f"secret[{self.size}]"


@frozen
class FieldType:
    """A parameter that names a field of a message, such as `KvRequest.key`."""

    def __str__(self) -> str:
        return "field"


@frozen
class MessageType:
    """A parameter that names a message, such as `KvRequest`."""

    def __str__(self) -> str:
        return "message"


ParameterType = Type | ListType | PrefixesType | RangesType | SecretType | FieldType | MessageType

BOOL = Bool()
BYTES = Bytes()
ENDPOINT = EndpointType()
U8, U16, U32, U48, U64, U128 = (Bits(w) for w in (8, 16, 32, 48, 64, 128))
IPV4, MAC, IPV6 = U32, U48, U128


def bit_width(type_: Type) -> int | None:
    """Return how many bits a value of the type takes on the wire, or None when that varies or has no meaning."""
    match type_:
        case Bits(width):
            return width
        case Bool():
            return 1
        case Bytes(size) if size is not None:
            return 8 * size
        case _:
            return None
