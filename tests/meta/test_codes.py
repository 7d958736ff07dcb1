"""Every error code has a page, a place that reports it, and a test; messages have one style."""

import ast
import re
from pathlib import Path

import pytest
from project import ROOT, SOURCES, module_name, parsed, shown

from bertha_ir.cli.pages import MODULES, SECTIONS, all_codes, page
from bertha_ir.diagnostics import Code

RANGES = {
    "bertha_ir.codes": range(400, 500),
    "bertha_ir.frontend.codes": range(1, 200),
    "bertha_ir.passes.codes": range(200, 300),
    "bertha_ir.backends.python.codes": range(300, 320),
    "bertha_ir.backends.ebpf.codes": range(320, 340),
    "bertha_ir.backends.p4.codes": range(340, 360),
}
CODES = all_codes()
TESTS = "\n".join(
    p.read_text(encoding="utf-8", errors="replace")
    for p in sorted((ROOT / "tests").rglob("*"))
    if p.is_file() and p.suffix in {".py", ".chunnel", ".toml", ".json", ".txt", ".md"} and "meta" not in p.parts
)
OUTSIDE = "\n".join(p.read_text(encoding="utf-8") for p in SOURCES if p.name != "codes.py")


def test_list_of_modules_is_the_tree() -> None:
    """`bertha explain` knows every file of codes."""
    assert sorted(MODULES) == sorted(module_name(p) for p in SOURCES if p.name == "codes.py")


@pytest.mark.parametrize("code", CODES, ids=lambda c: c.__name__)
def test_code_has_a_page(code: type[Code]) -> None:
    """A code is named `CHnnnWhatWasFound`, has a number of its folder, a title and the four sections."""
    assert re.fullmatch(r"CH\d{3}[A-Z][A-Za-z0-9]+", code.__name__)
    assert int(code.number()[2:]) in RANGES[code.__module__]
    shown_page = page(code)
    assert re.fullmatch(r"[a-z`].*[^.]", shown_page.title)
    assert tuple(shown_page.sections) == SECTIONS
    assert all(len(text) > 10 for text in shown_page.sections.values())


@pytest.mark.parametrize("code", CODES, ids=lambda c: c.__name__)
def test_code_is_reported_and_tested(code: type[Code]) -> None:
    """A code is used by some file besides the one that declares it, and occurs in a test."""
    assert re.search(rf"\b{code.__name__}\b", OUTSIDE), "nothing reports it"
    assert code.number() in TESTS, "no test expects it"


def messages(path: Path) -> list[tuple[int, str]]:
    """The text of each message given with a code, as far as it is written out, by line."""
    found = []
    for call in (n for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)):
        for first, second in zip(call.args, call.args[1:], strict=False):
            if isinstance(first, ast.Name) and re.match(r"CH\d{3}", first.id):
                found.append((call.lineno, literal(second)))
    return found


def literal(node: ast.expr) -> str:
    """A string's text, with `_` for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "_" for v in node.values)
    return "_"


def test_messages_have_one_style() -> None:
    """A message is one line that begins in lower case, or with what the user wrote, and ends without a period."""
    wrong = [
        f"{shown(path)}:{line}: {text}"
        for path in SOURCES
        for line, text in messages(path)
        if not re.fullmatch(r"(?:[a-z`_0-9]|UTF-8|[A-Z]+[0-9-]).*[^.\s]|_", text)
    ]
    assert not wrong


def test_the_style_is_looked_for_where_messages_are() -> None:
    """The search for messages finds most of them: a file that reports codes has some."""
    assert sum(len(messages(p)) for p in SOURCES) > len(CODES) / 2
