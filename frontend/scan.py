"""A first look at a file, before the grammar: where each declaration begins and ends, and how deep it nests.

Cutting first means that a mistake in one declaration hides no mistake in another, and that the depth is known to be
bounded before anything recurses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.frontend.codes import CH004NestedTooDeep
from bertha_ir.source import Span

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.source import SourceFile

MAX_NESTING = 200
KEYWORDS = (
    *("import", "endpoint", "message", "chunnel", "stack", "rule"),
    *("implementation", "workload", "device", "link", "run", "policy"),
)
_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<open>[(\[{])|(?P<close>[)\]}])"""
    r"""|(?P<end>;)|(?P<word>[A-Za-z_]\w*)|(?P<other>.)""",
    re.DOTALL,
)


@frozen
class Piece:
    """The characters `[start, end)` of one declaration; `word` is its first."""

    start: int
    end: int
    word: str


def cut(source: SourceFile, collector: Collector) -> tuple[Piece, ...]:
    """Return the declarations of a file; none, after an error, when it nests more than 200 deep."""
    pieces, depth, too_deep = _cut(source.text, heal=False)
    if too_deep is not None:
        collector.add(
            CH004NestedTooDeep,
            f"brackets are nested more than {MAX_NESTING} deep",
            Span(source, too_deep, too_deep + 1),
            "name the inner parts with `let`, or split the body",
        )
        return ()
    return _cut(source.text, heal=True)[0] if depth else pieces


def _cut(text: str, *, heal: bool) -> tuple[tuple[Piece, ...], int, int | None]:
    """Return the pieces, the brackets left open, and where the nesting is too deep.

    With `heal`, a declaration's keyword at the beginning of a line starts a new piece whatever is still open.
    """
    pieces: list[Piece] = []
    start, word, depth, last = None, "", 0, 0
    for token in _TOKEN.finditer(text):
        kind, at = token.lastgroup, token.start()
        if kind == "skip":
            continue
        if start is not None and heal and depth and token[0] in KEYWORDS and text[at - 1 : at] == "\n":
            pieces.append(Piece(start, last, word))
            start, depth = None, 0
        if start is None:
            if kind == "end":
                continue
            start, word = at, token[0]
        last = token.end()
        depth = max(depth + (kind == "open") - (kind == "close"), 0)
        if depth > MAX_NESTING:
            return (), depth, at
        if depth == 0 and (kind == "end" or token[0] == "}"):
            pieces.append(Piece(start, last, word))
            start = None
    if start is not None:
        pieces.append(Piece(start, last, word))
    return tuple(pieces), depth, None


def doc_comment(source: SourceFile, start: int) -> str:
    """Return the text of the `///` lines directly above character `start`."""
    text, lines, end = source.text, [], source.text.rfind("\n", 0, start)
    while end >= 0:
        begin = text.rfind("\n", 0, end) + 1
        line = text[begin:end].strip()
        if not line.startswith("///"):
            break
        lines.append(line[3:].strip())
        end = begin - 1
    return "\n".join(reversed(lines))
