"""The messages of a negotiation as bytes: an envelope `[version, inner, mac]` in CBOR (RFC 8949), at most 64 KiB.

`inner` is the CBOR of `[connection, kind, fields]`, kept as the bytes that were sent, because these are what is
authenticated. Only the deterministic encoding is taken (RFC 8949, section 4.2.1), with nothing behind it, so that a
message has one form; and only integers, byte strings, text, lists and maps, so that nothing but data comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, get_type_hints

import cbor2

VERSION = 1
LARGEST = 65_000  # bytes of a message: what a UDP datagram holds, less headers
CONNECTION = 8  # bytes that name a connection
MAC = 32  # bytes of HMAC-SHA256
IDENTITY = 32  # bytes of a plan's id
PLANS = 64  # plans in an offer
PIECE = 1100  # bytes of a file in a message: with the rest of it, what any network carries in one packet
_DEEPEST = 8
# Tags that the library would make other things of than data: dates, fractions, regular expressions, shared values ...
_TAGS = (*range(6), 25, 28, 29, 30, *range(35, 38), 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)

Check = Callable[[Any], bool]


class WireError(ValueError):
    """Bytes that are no message; says why in a few words."""


class VersionError(WireError):
    """A message of another version of the protocol, which `version` says."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} of the protocol; this is version {VERSION}")
        self.version = version


def _bytes(least: int, most: int) -> Check:
    return lambda value: type(value) is bytes and least <= len(value) <= most


def _text(most: int) -> Check:
    return lambda value: type(value) is str and len(value) <= most


def _number(most: int) -> Check:
    return lambda value: type(value) is int and 0 <= value <= most


def _list(each: Check, most: int) -> Check:
    return lambda value: type(value) is tuple and len(value) <= most and all(each(one) for one in value)


def _is_endpoint(value: object) -> bool:
    return type(value) is tuple and len(value) == 2 and _U32(value[0]) and _U16(value[1])  # noqa: PLR2004  (ip, port)


def _is_row(value: object) -> bool:
    """Whether a value is a row of a table: what it matches, and what it gives."""
    numbers = _list(_number((1 << 128) - 1), 16)
    return type(value) is tuple and len(value) == 2 and all(map(numbers, value))  # noqa: PLR2004  (match, values)


def _is_tables(value: object) -> bool:
    rows = _list(_is_row, 1 << 12)
    return type(value) is dict and all(_text(200)(name) and rows(table) for name, table in value.items())


_U16, _U32 = _number((1 << 16) - 1), _number((1 << 32) - 1)
Identity = Annotated[bytes, _bytes(IDENTITY, IDENTITY)]
Nonce = Annotated[bytes, _bytes(16, 16)]
Number = Annotated[int, _U32]
Endpoint = Annotated[tuple[int, int], _is_endpoint]
Name = Annotated[str, _text(200)]
Why = Annotated[str, _text(300)]
Ticket = Annotated[bytes, _bytes(0, 256)]
Rows = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True)
class Offer:
    """A client's: the stack, by its name and by the hash of what it means, and the plans that it can run, best first.
    Its datagrams will come from where this one does. `ticket`: an answer that it remembers, or nothing.
    """

    KIND: ClassVar = 1
    stack: Name
    specification: Annotated[bytes, _bytes(0, IDENTITY)]
    plans: Annotated[tuple[bytes, ...], _list(_bytes(IDENTITY, IDENTITY), PLANS)]
    nonce: Nonce
    ticket: Ticket = b""


@dataclass(frozen=True)
class Answer:
    """The server's choice, which it has started. `at`: where data goes; address 0 is where the offer went. `ticket`:
    what to show in `seconds` to be served without waiting. `way`: what runs, for people.
    """

    KIND: ClassVar = 2
    plan: Identity
    nonce: Nonce
    at: Endpoint
    way: Why
    ticket: Ticket = b""
    seconds: Number = 0


@dataclass(frozen=True)
class Refusal:
    """Why there is no connection."""

    KIND: ClassVar = 3
    code: Name
    why: Why


@dataclass(frozen=True)
class Ready:
    """The client has started the plan as well: data may flow both ways."""

    KIND: ClassVar = 4


@dataclass(frozen=True)
class Done:
    """A request of that kind and number was carried out."""

    KIND: ClassVar = 5
    of: Number
    number: Number = 0


@dataclass(frozen=True)
class Returned:
    """What a chunnel at the receiving end replies to its other half, on the plan of that epoch."""

    KIND: ClassVar = 6
    epoch: Number
    data: Annotated[bytes, _bytes(0, LARGEST)]


@dataclass(frozen=True)
class Push:
    """Rows for the tables of a program that the client may run itself. `number` counts up."""

    KIND: ClassVar = 7
    number: Number
    program: Name
    tables: Annotated[dict[str, Rows], _is_tables]


@dataclass(frozen=True)
class Move:
    """The server's wish to go on with another plan from this epoch on."""

    KIND: ClassVar = 8
    epoch: Number
    plan: Identity
    at: Endpoint


@dataclass(frozen=True)
class Moved:
    """The client has started the plan of that epoch, and its datagrams will come from where this one does; or `why` it
    has not.
    """

    KIND: ClassVar = 9
    epoch: Number
    why: Why = ""


@dataclass(frozen=True)
class Close:
    """This end has ended the connection."""

    KIND: ClassVar = 10
    why: Why = ""


@dataclass(frozen=True)
class Fetch:
    """A client's wish for a file of the server's artifact, from a byte on. `room` is as long as what is asked for may
    be, so that nobody can have a server send others more than it is sent itself.
    """

    KIND: ClassVar = 12
    stack: Name
    path: Name
    offset: Number
    room: Annotated[bytes, _bytes(0, PIECE)]


@dataclass(frozen=True)
class Piece:
    """What lies in a file from a byte on, and how long it is."""

    KIND: ClassVar = 13
    path: Name
    offset: Number
    total: Number
    data: Annotated[bytes, _bytes(0, PIECE)]


@dataclass(frozen=True)
class Ping:
    """Are you there?"""

    KIND: ClassVar = 11
    number: Number = 0


Message = Offer | Answer | Refusal | Ready | Done | Returned | Push | Move | Moved | Close | Ping | Fetch | Piece
_KINDS: dict[int, type[Message]] = {kind.KIND: kind for kind in Message.__args__}
_CHECKS: dict[int, dict[str, Check]] = {
    number: {
        name: hint.__metadata__[0]
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if hasattr(hint, "__metadata__")
    }
    for number, kind in _KINDS.items()
}


@dataclass(frozen=True)
class Envelope:
    """A message, the connection that it is of, the bytes that its `mac` is of, and that."""

    connection: bytes
    message: Message
    inner: bytes
    mac: bytes = b""

    @property
    def data(self) -> bytes:
        """The bytes of the envelope; `WireError` when they are more than a datagram holds."""
        data: bytes = cbor2.dumps([VERSION, self.inner, self.mac], canonical=True)
        if len(data) > LARGEST:
            msg = f"a message of {len(data)} bytes; a datagram holds {LARGEST}"
            raise WireError(msg)
        return data


def inner(connection: bytes, message: Message) -> bytes:
    """Return the bytes of a message that are authenticated."""
    values = {f.name: getattr(message, f.name) for f in fields(message)}
    return bytes(cbor2.dumps([connection, message.KIND, values], canonical=True))


def opened(data: bytes) -> Envelope:
    """Read an envelope; `VersionError` of another version, `WireError` of anything else that is none."""
    if len(data) > LARGEST:
        msg = "too long"
        raise WireError(msg)
    outer = _items(_decoded(data), "an envelope", None)
    if not outer or type(outer[0]) is not int:
        msg = "no envelope"
        raise WireError(msg)
    if outer[0] != VERSION:
        raise VersionError(outer[0])
    _, body, mac = _items(outer, "an envelope", 3)
    if type(body) is not bytes or not (mac == b"" or _bytes(MAC, MAC)(mac)):
        msg = "no envelope"
        raise WireError(msg)
    connection, kind, given = _items(_decoded(body), "a message", 3)
    if not _bytes(CONNECTION, CONNECTION)(connection):
        msg = "no connection's name"
        raise WireError(msg)
    return Envelope(connection, _message(kind, given), body, mac)


def _message(kind: object, given: object) -> Message:
    if type(kind) is not int or kind not in _KINDS:
        msg = "a message of an unknown kind"
        raise WireError(msg)
    checks = _CHECKS[kind]
    if type(given) is not dict or given.keys() != checks.keys():
        msg = f"other fields than those of {_KINDS[kind].__name__}"
        raise WireError(msg)
    for name, check in checks.items():
        if not check(given[name]):
            msg = f"`{name}` of {_KINDS[kind].__name__} is out of bounds"
            raise WireError(msg)
    return _KINDS[kind](**given)


def _items(value: object, what: str, count: int | None) -> tuple[Any, ...]:
    if type(value) is not tuple or (count is not None and len(value) != count):
        msg = f"no list of {what}"
        raise WireError(msg)
    return value


def _decoded(data: bytes) -> object:
    """Return the value of deterministic CBOR, lists as tuples; `WireError` of any other bytes."""
    try:
        value = cbor2.loads(
            data, semantic_decoders=_REFUSED, max_depth=_DEEPEST, allow_indefinite=False, allow_duplicate_keys=False
        )
        same = cbor2.dumps(value, canonical=True) == data
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        msg = "no CBOR of this protocol"
        raise WireError(msg) from error
    if not same:
        msg = "not in its deterministic form"
        raise WireError(msg)
    return _plain(value)


def _plain(value: object) -> object:
    if type(value) in {int, bytes, str}:
        return value
    if type(value) is list:
        return tuple(_plain(one) for one in value)
    if type(value) is dict:
        return {_plain(key): _plain(one) for key, one in value.items()}
    msg = f"a {type(value).__name__} in a message"
    raise WireError(msg)


def _refuse(_decoder: object, *_rest: object) -> None:
    msg = "a tag"
    raise WireError(msg)


_REFUSED: dict[int, Any] = dict.fromkeys(_TAGS, _refuse)
