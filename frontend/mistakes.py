"""Syntax errors in the reader's terms: what stands there, and what could have stood there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr

from bertha_ir.frontend.codes import CH005Unexpected
from bertha_ir.frontend.suggest import shorten
from bertha_ir.frontend.syntax import parser
from bertha_ir.source import Span

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.frontend.scan import Piece
    from bertha_ir.source import SourceFile

_LISTED = 6
_WORDS = {
    "NAME": "a name",
    "INTEGER": "a number",
    "DECIMAL": "a number with a decimal point",
    "STRING": "a string",
    "TRUTH": "`true` or `false`",
    "ADDRESS": "an address",
    "ENDPOINT": "an endpoint such as `10.0.0.1:9001`",
    "MAC": "a MAC address",
    "PREFIX": "a prefix",
    "COMPARE": "a comparison",
    "SHIFT": "a shift",
    "AUGMENT": "`+=`",
    "AND": "`&&`",
    "OR": "`||`",
    "NOT": "`not`",
}
_LAST_TOKEN = re.compile(r"(?:\w+|.)$", re.DOTALL)


# A statement may begin with a name as an expression may; the larger group is looked for first.
_GROUPS = {
    "a statement": frozenset(
        {"LET", "DELETE", "IF", "REPEAT", "FOR", "DROP", "BOUNCE", "REPLY", "EMIT", "PUSH", "POP"}
    ),
    "an expression": frozenset({"INTEGER", "STRING", "TRUTH", "ADDRESS", "ENDPOINT", "MAC", "PREFIX", "LPAR", "LSQB"}),
    "an operator": frozenset({"OR", "AND", "COMPARE", "IN", "BIT_OR", "BIT_XOR", "BIT_AND", "SHIFT", "PLUS", "MINUS"}),
}


def report(error: UnexpectedInput, source: SourceFile, piece: Piece, collector: Collector) -> None:
    """Add the diagnostic of one syntax error in the declaration `piece`."""
    at, length, accepted = _where(error, piece)
    before = _last_token(source, piece.start, at)
    found = source.text[at : at + length]
    expected = _expected(accepted)
    if at >= piece.end and "`}`" in expected:
        message, span, expected = "a `}` is missing behind this", before, ["`}`"]
    elif at >= piece.end:
        message, span = f"the {'declaration' if piece.word else 'chain'} ends too early", before
    elif "`;`" in expected and "\n" in source.text[before.end : at]:
        message, span, expected = "a `;` is missing here", before, ["`;`"]
    else:
        message, span = f"`{shorten(found)}` cannot stand here", Span(source, at, at + length)
    listed = [*expected[:_LISTED], *(["…"] if len(expected) > _LISTED else [])]
    hint = f"expected {' or '.join(listed)}" if listed else "remove it"
    if found == "=" and "COMPARE" in accepted:
        hint = "did you mean `==`?"
    collector.add(CH005Unexpected, message, span, hint)


def _where(error: UnexpectedInput, piece: Piece) -> tuple[int, int, set[str]]:
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        start = piece.start + (error.token.start_pos or 0)
        return start, len(error.token), set(error.accepts or error.expected)
    if isinstance(error, UnexpectedCharacters):
        return piece.start + (error.pos_in_stream or 0), 1, set(error.allowed or ())
    return piece.end, 0, set(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())


def _last_token(source: SourceFile, start: int, at: int) -> Span:
    """Return the place of the last word or sign in front of `at`, comments left out."""
    text = source.text[start:at]
    text = text[: len(text) - len(_trailing(text))]
    last = _LAST_TOKEN.search(text)
    return Span(source, start + last.start(), start + last.end()) if last else Span(source, start, at)


def _trailing(text: str) -> str:
    """Return the blanks and comment lines at the end of `text`."""
    kept = len(text)
    while True:
        shorter = len(text[:kept].rstrip())
        line = text.rfind("\n", 0, shorter) + 1
        comment = text.find("//", line, shorter)
        if comment >= 0 and '"' not in text[line:comment]:
            kept = comment
            continue
        return text[shorter:]


def _expected(terminals: set[str]) -> list[str]:
    """Return what could have stood there, whole groups of terminals by what they begin or continue."""
    words = []
    for word, group in _GROUPS.items():
        if group <= terminals:
            words.append(word)
            terminals = terminals - group
    patterns = {t.name: t.pattern for t in parser().terminals}
    for name in terminals - {"$END"}:
        pattern = patterns.get(name)
        words.append(f"`{pattern.value}`" if isinstance(pattern, PatternStr) else _WORDS.get(name, name.lower()))
    return sorted(set(words))
