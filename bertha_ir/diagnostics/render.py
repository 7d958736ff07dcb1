"""Diagnostics for people, as text with the source line underlined, and for programs, as plain data for JSON."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TextIO

    from bertha_ir.diagnostics.diagnostic import Diagnostic
    from bertha_ir.source import SourceFile, Span

TAB = 4
WINDOW = 160  # columns of a source line that are shown; of a longer line, those around what is underlined
_COLOURS = {"error": "1;31", "warning": "1;33", "help": "1;36", "frame": "1;34", "message": "1"}


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether to colour what goes to `stream`: on a terminal, unless NO_COLOR or FORCE_COLOR say otherwise.

    A variable counts when it is set and not empty (no-color.org, force-color.org); NO_COLOR wins.
    """
    if environment.get("NO_COLOR"):
        return False
    return bool(environment.get("FORCE_COLOR")) or (stream.isatty() and environment.get("TERM") != "dumb")


def render(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """Return the text of all diagnostics, a blank line between them, ending in a newline; empty for none."""
    return "\n".join("\n".join(_lines(d, _Paint(colour))) + "\n" for d in diagnostics)


def to_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data (docs/json.md). Lines and columns count from 1, columns in characters."""
    return {
        "code": diagnostic.code.number(),
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **_place(diagnostic.span),
        "help": diagnostic.help,
        "labels": [{"text": label.text, **_place(label.span)} for label in diagnostic.labels],
    }


def _place(span: Span | None) -> dict[str, str | int | None]:
    if span is None:
        return dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    (line, column), (end_line, end_column) = span.position, span.source.position(span.end)
    return {
        "file": span.source.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


@frozen
class _Paint:
    on: bool

    def __call__(self, kind: str, text: str) -> str:
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self.on and text else text


@frozen
class _Mark:
    """One underlined place: its span, the character that underlines it, and what stands beside."""

    span: Span
    sign: str
    text: str
    kind: str

    @property
    def line(self) -> int:
        return self.span.position[0]


def _lines(diagnostic: Diagnostic, paint: _Paint) -> Iterator[str]:
    head = paint(diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code.number()}]")
    yield head + paint("message", f": {_visible(diagnostic.message)}")
    marks = [] if diagnostic.span is None else [_Mark(diagnostic.span, "^", "", diagnostic.severity)]
    marks += [_Mark(label.span, "-", _visible(label.text), "frame") for label in diagnostic.labels]
    gutter = len(str(max((mark.line for mark in marks), default=0)))
    pad = " " * gutter
    arrow = "-->"
    # The primary span's file comes first, then each other file that a label is in.
    for source in dict.fromkeys(mark.span.source for mark in marks):
        inside = [mark for mark in marks if mark.span.source == source]
        yield f"{pad}{paint('frame', arrow)} {_visible(str(inside[0].span))}"
        yield f"{pad} {paint('frame', '|')}"
        yield from _snippet(source, inside, gutter, paint)
        arrow = ":::"
    if diagnostic.help:
        yield f"{pad} {paint('frame', '=')} {paint('help', 'help')}: {_visible(diagnostic.help)}"


def _snippet(source: SourceFile, marks: list[_Mark], gutter: int, paint: _Paint) -> Iterator[str]:
    """Yield the source lines that have marks, each followed by one line of underlining a mark."""
    before = None
    for number, group in groupby(sorted(marks, key=lambda m: m.span.start), key=lambda m: m.line):
        if before is not None and number > before + 1:
            yield paint("frame", "...")
        before = number
        on_line = list(group)
        line = _line(source.line(number))
        low, high = line.window(_extent(on_line[0], line)[0])
        yield f"{paint('frame', f'{number:>{gutter}} |')} {line.text(low, high)}".rstrip()
        for mark in on_line:
            start, end = (line.columns[min(max(at, low), high)] for at in _extent(mark, line))
            shown = mark.sign * max(1, end - start) + (f" {mark.text}" if mark.text else "")
            blank = " " * (start - line.columns[low])
            yield f"{' ' * gutter} {paint('frame', '|')} {blank}{paint(mark.kind, shown)}"


@frozen
class _Line:
    """A source line as a screen shows it: the text of each character, and the column at which each begins.

    `columns` has one more item, the line's width. Tabs reach to the next multiple of `TAB`.
    """

    cells: tuple[str, ...]
    columns: tuple[int, ...]

    def window(self, at: int) -> tuple[int, int]:
        """Return the characters [low, high) to show: all of a short line, else a part around character `at`."""
        if self.columns[-1] <= WINDOW:
            return 0, len(self.cells)
        low = bisect_left(self.columns, self.columns[at] - WINDOW // 4)
        return low, bisect_right(self.columns, self.columns[low] + WINDOW) - 1

    def text(self, low: int, high: int) -> str:
        """Return the text of the characters [low, high), with marks where the line goes on."""
        text = "".join(self.cells[low:high])
        return text + "…" if high < len(self.cells) else text


@lru_cache(maxsize=4)  # a file of one long line may have a thousand mistakes
def _line(text: str) -> _Line:
    cells, columns = [], [0]
    for character in text.removesuffix("\r"):
        cell = " " * (TAB - columns[-1] % TAB) if character == "\t" else _visible(character)
        cells.append(cell)
        columns.append(columns[-1] + sum(map(_width, cell)))
    return _Line(tuple(cells), tuple(columns))


def _extent(mark: _Mark, line: _Line) -> tuple[int, int]:
    """Return the characters, from 0, of the part of a mark that is on its first line."""
    first = mark.span.position[1] - 1
    last = first + mark.span.end - mark.span.start
    return min(first, len(line.cells)), min(last, len(line.cells))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _visible(text: str) -> str:
    """Return text in which nothing can steer a terminal or hide: control and format characters are spelled out."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in hidden else c for c in text)
