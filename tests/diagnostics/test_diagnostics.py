"""Malformed specifications: each is reported by its code, with the text underlined that is wrong.

A case is a file of this folder, or a folder with a `main.chunnel`. Its first lines say what is expected, in order:

    // expect: CH012 "shrad" help "did you mean `shard`?"

The code, the underlined text as a JSON string, and, if given, a part of the help. Nothing else may be reported.
"""

import json
import re
from pathlib import Path

import pytest

from bertha_ir.diagnostics import Diagnostic
from bertha_ir.frontend.load import check

HERE = Path(__file__).parent
CASES = sorted([*HERE.glob("*.chunnel"), *HERE.glob("*/main.chunnel")])
STRING = r'"(?:[^"\\]|\\.)*"'
EXPECT = re.compile(rf"^// expect: (CH\d{{3}}) ({STRING})(?: help ({STRING}))?$", re.MULTILINE)


def expected(path: Path) -> list[tuple[str, str, str]]:
    """Code, underlined text and a part of the help, for each diagnostic."""
    found = EXPECT.findall(path.read_text(encoding="utf-8"))
    return [(code, json.loads(text), json.loads(help_) if help_ else "") for code, text, help_ in found]


def underlined(diagnostic: Diagnostic) -> str:
    return diagnostic.span.text if diagnostic.span else ""


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.relative_to(HERE).as_posix())
def test_case(path: Path) -> None:
    """The case's mistakes are reported, all of them and nothing else, each at the text that is wrong."""
    wanted, found = expected(path), check([path])
    assert wanted, "the case expects nothing"
    assert [(d.code.number(), underlined(d)) for d in found] == [(code, text) for code, text, _ in wanted]
    for diagnostic, (_, _, help_) in zip(found, wanted, strict=True):
        assert help_ in (diagnostic.help or "")


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.relative_to(HERE).as_posix())
def test_every_mistake_says_what_to_do(path: Path) -> None:
    """A diagnostic of the frontend has a help."""
    assert all(d.help for d in check([path]))
