"""Diagnostics as text and as data: what people and programs are shown."""

import io
import re
from textwrap import dedent

import pytest

from bertha_ir.codes import CH401OutputNotArtifact
from bertha_ir.diagnostics import Diagnostic, Label
from bertha_ir.diagnostics.render import WINDOW, render, to_data, wants_colour
from bertha_ir.source import SourceFile, Span


def span(source: SourceFile, text: str) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def diagnostic(place: Span | None, *labels: Label, hint: str | None = None) -> Diagnostic:
    return Diagnostic(CH401OutputNotArtifact, "a message", place, hint, labels)


def underlined(text: str, target: str) -> tuple[str, str]:
    """Return the shown source line and the line below it, without the gutter."""
    source = SourceFile("f.chunnel", text)
    lines = render([diagnostic(span(source, target))]).splitlines()
    return lines[3].partition("| ")[2], lines[4].partition("| ")[2]


def test_whole_form() -> None:
    """Code, message, place, the line with its underline, labels in order of place, other files, and help."""
    source = SourceFile("a.chunnel", "one two\nthree\n\n\nfour five\n")
    other = SourceFile("b.chunnel", "six\n")
    labels = (Label(span(source, "one"), "first"), Label(span(other, "six"), "there"), Label(span(source, "five"), "x"))
    text = render([diagnostic(span(source, "four"), *labels, hint="do this")])
    assert text == dedent("""\
        error[CH401]: a message
         --> a.chunnel:5:1
          |
        1 | one two
          | --- first
        ...
        5 | four five
          | ^^^^
          |      ---- x
         ::: b.chunnel:1:1
          |
        1 | six
          | --- there
          = help: do this
        """)


def test_without_a_place() -> None:
    """A diagnostic about no place in a file has its message and help alone; two are separated by a blank line."""
    plain = diagnostic(None, hint="do this")
    one = "error[CH401]: a message\n  = help: do this\n"
    assert render([plain]).replace(" ", "") == one.replace(" ", "")
    assert render([plain, plain]) == f"{render([plain])}\n{render([plain])}"
    assert render([]) == ""


def test_tabs_and_wide_characters_keep_the_underline_in_place() -> None:
    """The underline begins and ends below its text, whatever tabs, wide or combining characters stand before it."""
    assert underlined("\tab", "b") == ("    ab", "     ^")
    assert underlined("a\tb\tc", "b\tc") == ("a   b   c", "    ^^^^^")
    assert underlined("漢字 x", "x") == ("漢字 x", "     ^")
    assert underlined("漢字 x", "字") == ("漢字 x", "  ^^")
    assert underlined("e\u0301 x", "x") == ("e\u0301 x", "  ^")


def test_what_could_steer_a_terminal_is_spelled_out() -> None:
    """Escape sequences and direction overrides from the source, the path or the message never reach the terminal."""
    assert underlined("\x1b[31m x\r\n", "x") == ("\\u{1b}[31m x", " " * 11 + "^")
    source = SourceFile("\x1b]0;p", "a\u202eb")
    text = render([Diagnostic(CH401OutputNotArtifact, "unknown `\x07`", Span(source, 0, 1), "\x08")])
    assert not set(text) & set("\x1b\u202e\x07\x08")


def test_span_over_lines_and_at_the_end() -> None:
    """Of a span over several lines the first is underlined to its end; at the end of the text one column is."""
    assert underlined("ab cd\nef", "cd\nef") == ("ab cd", "   ^^")
    assert underlined("ab", "") == ("ab", "^")
    source = SourceFile("f", "ab\n")
    assert render([diagnostic(Span(source, 3, 3))]).splitlines()[2:] == ["  |", "2 |", "  | ^"]


def test_long_line_is_cut_around_the_place() -> None:
    """Of a line of a megabyte only the part around the underlined text is shown."""
    line, below = underlined("x" * 500_000 + "here" + "y" * 500_000, "here")
    assert len(line) <= WINDOW + 1
    assert line[below.index("^") :].startswith("here")
    assert below.strip() == "^^^^"


def test_gutter_is_as_wide_as_the_largest_line_number() -> None:
    """Line numbers are right-aligned, so that the bars stand below each other."""
    source = SourceFile("f", "a\n" * 9 + "b\n")
    lines = render([diagnostic(span(source, "b"), Label(Span(source, 0, 1), "z"))]).splitlines()
    assert [line.index("|") for line in lines if "|" in line] == [3] * 5


def test_colour_only_where_it_is_wanted() -> None:
    """Colour goes to terminals; NO_COLOR, FORCE_COLOR and TERM=dumb decide otherwise, NO_COLOR above all."""
    pipe, terminal = io.StringIO(), io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]  # a stand-in
    assert not wants_colour(pipe, {})
    assert wants_colour(terminal, {})
    assert not wants_colour(terminal, {"NO_COLOR": "1"})
    assert not wants_colour(terminal, {"TERM": "dumb"})
    assert wants_colour(pipe, {"FORCE_COLOR": "1"})
    assert not wants_colour(pipe, {"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert wants_colour(terminal, {"NO_COLOR": ""})


def test_colour_changes_nothing_but_the_colour() -> None:
    """Without its escape sequences, the coloured text is the plain one."""
    source = SourceFile("a.chunnel", "one two\n")
    found = [diagnostic(span(source, "two"), Label(span(source, "one"), "first"), hint="do this")]
    coloured = render(found, colour=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(found)


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_data_has_every_part(ending: str) -> None:
    """The data has 1-based lines and columns with an exclusive end, and nulls where there is no place."""
    source = SourceFile("a.chunnel", f"one\ntwo three{ending}")
    data = to_data(diagnostic(span(source, "three"), Label(span(source, "one"), "first"), hint="do this"))
    assert data == {
        "code": "CH401",
        "severity": "error",
        "message": "a message",
        "file": "a.chunnel",
        "line": 2,
        "column": 5,
        "end_line": 2,
        "end_column": 10,
        "help": "do this",
        "labels": [{"text": "first", "file": "a.chunnel", "line": 1, "column": 1, "end_line": 1, "end_column": 4}],
    }
    assert to_data(diagnostic(None))["line"] is None
