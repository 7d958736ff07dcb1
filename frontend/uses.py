"""Sample uses of chunnels, made from the types of their parameters: for asking something of the whole library.

Fields are taken in turn from `FIELDS`, through the whole library, so that chunnels that choose by a field do not all
choose by the same one; endpoints are numbered within a use; integers are 7, or as much as fits.
"""

from __future__ import annotations

from itertools import count, cycle
from typing import TYPE_CHECKING

from bertha_ir.frontend.load import library
from bertha_ir.types import (
    Bits,
    Bool,
    Bytes,
    EndpointType,
    FieldType,
    ListType,
    MessageType,
    PrefixesType,
    RangesType,
    SecretType,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.spec import Chunnel
    from bertha_ir.types import ParameterType

FIELDS = ("dns.id", "ipv4.identification", "dns.questions", "udp.src_port", "dns.answers")
"""Of whole bytes, in the message or in front of it."""


def library_uses() -> tuple[str, ...]:
    """Return one use of each chunnel of the library that is no transport."""
    fields = cycle(FIELDS)
    return tuple(sample_use(c, fields) for c in library() if c.transport is None)


def sample_use(chunnel: Chunnel, fields: Iterator[str]) -> str:
    """Return a use of a chunnel with an argument for each parameter that has no default."""
    numbers = count(1)
    needed = [p for p in chunnel.parameters if p.default is None]
    given = ", ".join(f"{p.name} = {_sample(p.type, fields, numbers)}" for p in needed)
    return f"{chunnel.name}({given})" if given else chunnel.name


def _sample(  # noqa: C901, PLR0911  (a row a type)
    type_: ParameterType, fields: Iterator[str], numbers: Iterator[int]
) -> str:
    match type_:
        case FieldType():
            return next(fields)
        case MessageType():
            return "dns"
        case EndpointType():
            number = next(numbers)
            return f"10.0.0.{number}:{9000 + number}"
        case ListType(element, low, high):
            return f"[{', '.join(_sample(element, fields, numbers) for _ in range(max(low, min(2, high))))}]"
        case PrefixesType():
            return "[10.1.0.0/16]"
        case RangesType(Bits(width), value):
            return f"[0..{min(9, (1 << width) - 1)} -> {_sample(value, fields, numbers)}]"
        case SecretType():
            return 'secret("k")'
        case Bool():
            return "true"
        case Bits(width):
            return str(min(7, (1 << width) - 1))
        case Bytes(size):
            return '"' + "x" * (size or 1) + '"'
    msg = f"no sample of {type_}"
    raise TypeError(msg)
