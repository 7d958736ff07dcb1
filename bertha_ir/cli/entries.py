"""How entries of tables are written on the command line, and shown."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from bertha_ir.cli.status import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Numbers = tuple[int, ...]
WORD, STATION = 32, 48  # bits of an address, of IP and of Ethernet


def numbers(text: str, widths: Sequence[int]) -> Numbers:
    """Return numbers separated by commas, none if they are not as many as the widths. Raises `UsageError`."""
    parts = text.split(",")
    if len(parts) != len(widths):
        return ()
    try:
        return tuple(fitting(_number(p), w) for p, w in zip(parts, widths, strict=True))
    except ValueError as error:
        msg = f"`{text}` is no row of numbers: {error}"
        raise UsageError(msg, "write 7, 0x1f, 10.0.0.1 or 02:00:00:00:00:01") from error


def prefix(text: str, width: int) -> tuple[int, int]:
    """Return the length and the beginning of a prefix, with zeros behind it. Raises `UsageError`."""
    try:
        if width == WORD:
            network = IPv4Network(text)
            return network.prefixlen, int(network.network_address)
        begins, _, length = text.partition("/")
        number, bits = fitting(_number(begins), width), int(length)
    except ValueError as error:
        msg = f"`{text}` is no key of this table: {error}"
        raise UsageError(msg, "write a prefix, such as 10.8.0.0/16") from error
    if not 0 <= bits <= width or number & (1 << width - bits) - 1:
        msg = f"`{text}` is no key of this table: a prefix has 0 to {width} bits, and zeros behind them"
        raise UsageError(msg, "write a prefix, such as 0x1200/8")
    return bits, number


def key(text: str, widths: Sequence[int]) -> Numbers:
    """Return the numbers of a key. Raises `UsageError`."""
    found = numbers(text, widths)
    if len(found) != len(widths):
        message = f"`{text}` is no key of this table, which has {len(widths)} parts"
        raise UsageError(message, "separate numbers by commas")
    return found


def shown_prefix(length: int, begins: int, width: int) -> str:
    """Return a prefix as it is written."""
    return f"{IPv4Address(begins) if width == WORD else begins}/{length}"


def fitting(number: int, width: int) -> int:
    """Return a number of that width; `ValueError` when it has more bits."""
    if not 0 <= number < 1 << width:
        message = f"{number} does not fit into {width} bits"
        raise ValueError(message)
    return number


def _number(text: str) -> int:
    if text.count(".") == 3:  # noqa: PLR2004  (dotted)
        return int(IPv4Address(text))
    if text.count(":") == 5:  # noqa: PLR2004  (an Ethernet address)
        return int.from_bytes(bytes.fromhex(text.replace(":", "")), "big")
    return int(text, 0)
