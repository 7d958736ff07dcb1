"""The page of a plan: well formed, self-contained, with everything that the text has."""

from html.parser import HTMLParser

import pytest
from catalogue import NAMES, built
from explained import FILES, HOSTILE, ODD

from bertha_ir import api
from bertha_ir.cli.main import main
from bertha_ir.report.html import html
from bertha_ir.report.reasons import reasons

VOID = {"meta"}


class Page(HTMLParser):
    """Reads a page, and insists that what is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_what_the_plan_says(name):
    """Each op, device, crossing, reason, refusal, rewrite and assumption is in it, and tables have whole rows."""
    (plan,) = built(name).plans
    page = Page(html([plan]))
    text = "".join(page.words)
    for binding in plan.bindings:
        assert {binding.op, binding.device} <= set(page.words)
        assert binding.reason in page.words
    assert all(f"→ {c.b}" in page.words and c.kind in page.words for c in plan.crossings)
    assert all(r.reason in page.words for r in plan.refusals)
    assert all(e.detail in page.words for e in plan.ledger)
    assert all((e.certificate or "")[:12] in text for e in plan.ledger)
    assert all(a.text in page.words for a in plan.assumptions)
    assert plan.id in text
    assert all(reason in page.words for reason in reasons(plan))


def test_a_page_has_the_other_branches(tmp_path):
    """Of a stack with a select: what was chosen, and why not the others."""
    file = tmp_path / "s.chunnel"
    file.write_text("stack s(a, b) { request: select { compress | none } |> udp(1); }")
    (plan,) = api.build([file], pipeline="plan").plans
    words = Page(html([plan])).words
    assert {"request: none", "request: compress", "chosen", "not better, by latency"} <= set(words)


def test_tables_have_whole_rows():
    """As many cells in each row as there are heads."""
    (plan,) = built("web_edge").plans
    parts = html([plan]).split("<table>")[1:]
    assert len(parts) >= 6
    for part in parts:
        heads = part.count("<th>")
        rows = part.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[:-1]
        assert rows
        assert {row.count("<td") for row in rows} == {heads}


def test_nothing_comes_from_elsewhere_and_nothing_runs():
    """No script, no address, no handler of an event; a policy forbids what a browser might fetch; both themes."""
    (plan,) = built("web_edge").plans
    text = html([plan])
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object", "embed", "form"}
    attributes = {name for _, found in page.elements for name in found}
    assert not attributes & {"src", "href", "action", "data"}
    assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": policy}) in page.elements
    assert text.count("@media (prefers-color-scheme: dark)") == 2


def test_names_are_words_in_a_page():
    """Whatever they are; control characters are spelled out."""
    page = Page(html([ODD]))
    assert "script" not in {tag for tag, _ in page.elements}
    assert any(HOSTILE.replace("\x1b", "\\u{1b}") in word for word in page.words)


def test_the_command_writes_a_page(tmp_path, capsys):
    """With both states of the plan drawn in it; with JSON the answer is JSON."""
    path = tmp_path / "plan.html"
    assert main(["plan", *FILES, "--html", str(path), "--json"]) == 0
    assert capsys.readouterr().out.startswith("{")
    page = Page(path.read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.elements].count("svg") == 1
    assert any(word.startswith("as written: 10 µs a request") for word in page.words)
    assert "offload card_encrypt" in page.words
