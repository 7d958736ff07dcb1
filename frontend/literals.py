"""Literals: from the characters of a token to a value, or a diagnostic."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from bertha_ir.frontend import ast
from bertha_ir.frontend.codes import CH020BadLiteral
from bertha_ir.frontend.suggest import shorten

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.source import Span

MAX_DIGITS = 160  # more than any u128 needs, in binary and with underscores; keeps int() linear
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}


def integer(text: str, span: Span, collector: Collector) -> int:
    """Return the value of `1_000`, `0x2a` or `0b1010`; 0 after an error."""
    digits = text.replace("_", "")
    base = {"0x": 16, "0b": 2}.get(digits[:2].lower(), 10)
    try:
        if len(digits) <= MAX_DIGITS:
            return int(digits, base)
        message = "the number is longer than any type holds"
    except ValueError:
        message = f"`{shorten(text)}` is no number"
    collector.add(CH020BadLiteral, message, span, "write a number of at most 128 bits, such as 1_000 or 0x2a")
    return 0


def decimal(text: str, span: Span, collector: Collector) -> Fraction:
    """Return the value of `12.5`; 0 after an error."""
    if len(text) <= MAX_DIGITS:
        return Fraction(text)
    message, hint = "the number is longer than any quantity needs", "write a number of fewer digits, such as 12.5"
    collector.add(CH020BadLiteral, message, span, hint)
    return Fraction(0)


def address(text: str, span: Span, collector: Collector) -> int:
    """Return an IPv4 address as an int; 0 after an error."""
    octets = text.split(".")
    if any(len(o) > 3 or int(o) > 255 for o in octets):  # noqa: PLR2004  an octet
        collector.add(
            CH020BadLiteral, f"`{shorten(text)}` is no IPv4 address", span, "each of the four numbers is at most 255"
        )
        return 0
    return int.from_bytes(bytes(map(int, octets)), "big")


def endpoint(text: str, span: Span, collector: Collector) -> tuple[int, int]:
    """Return (address, port)."""
    ip, _, port = text.partition(":")
    if len(port) > 5 or int(port) > 0xFFFF:  # noqa: PLR2004  digits of a port
        collector.add(CH020BadLiteral, f"`{shorten(port)}` is no port", span, "a port is at most 65535")
        return 0, 0
    return address(ip, span, collector), int(port)


def prefix(text: str, span: Span, collector: Collector) -> ast.Prefix:
    """Return the prefix; an error when bits behind its length are set."""
    ip, _, length = text.partition("/")
    value = address(ip, span, collector)
    if len(length) > 2 or int(length) > 32:  # noqa: PLR2004  an IPv4 prefix
        collector.add(
            CH020BadLiteral, f"`/{shorten(length)}` is no prefix length", span, "an IPv4 prefix has at most 32 bits"
        )
        return ast.Prefix(0, 0, span)
    kept = value >> (32 - int(length)) << (32 - int(length))
    if kept != value:
        proper = ".".join(map(str, kept.to_bytes(4, "big"))) + f"/{length}"
        collector.add(CH020BadLiteral, f"`{shorten(text)}` sets bits behind its length", span, f"write `{proper}`")
    return ast.Prefix(kept, int(length), span)


def string(text: str, span: Span, collector: Collector) -> bytes:
    r"""Return the bytes of a string, UTF-8; escapes are `\n \r \t \0 \\ \" \xHH`."""
    out, at, inner = b"", 0, text[1:-1]
    for found in _ESCAPE.finditer(inner):
        out += inner[at : found.start()].encode()
        at, escape = found.end(), found[1]
        if len(escape) == 3:  # noqa: PLR2004  xHH
            out += bytes.fromhex(escape[1:])
        elif escape in _ESCAPES:
            out += _ESCAPES[escape]
        else:
            known = r"known escapes are `\n \r \t \0 \\ \" \xHH`"
            collector.add(CH020BadLiteral, f"unknown escape `{found[0]}`", span, known)
    return out + inner[at:].encode()
