"""Chains of uses outside a stack, as commands take them: typed like a stack's, every mistake with its place."""

import pytest

from bertha_ir.diagnostics import BerthaError
from bertha_ir.diagnostics.render import render
from bertha_ir.expr import Field
from bertha_ir.frontend.load import MAX_MISTAKES, load, load_uses
from bertha_ir.types import Bits


def mistakes(*texts, files=()):
    """Code, source and underlined text of each mistake; rendering them must work, too."""
    with pytest.raises(BerthaError) as caught:
        load_uses(files, texts)
    assert render(caught.value.diagnostics)
    return [(d.code.number(), d.span.source.path, d.span.text[:20]) for d in caught.value.diagnostics]


def ids(*texts, files=()):
    return [[i.id for i in chain] for chain in load_uses(files, texts)[1]]


def test_a_chain_needs_no_transport():
    """Arguments are typed as in a stack, and the specification comes with the chains."""
    specification, ((count,), rest) = load_uses(
        (), ["count(by = ipv4.dscp)", 'encrypt(secret("k")) |> http2 |> tcp(4)']
    )
    assert specification == load(())
    assert count.argument("by") == Field("ipv4", "dscp", Bits(6))
    assert [i.chunnel.name for i in rest] == ["encrypt", "http2", "tcp"]


def test_ids_are_unique_over_all_texts():
    """The second use of a chunnel in any text has another id than the first."""
    assert ids("count(ipv4.dscp) |> count(ipv4.ttl)", "count(ipv4.src)") == [["count", "count_2"], ["count_3"]]


def test_ids_are_unique_beside_names_that_look_like_them(tmp_path):
    """A chunnel whose name is what another's second use would be called makes that one take the next number."""
    file = tmp_path / "own.chunnel"
    file.write_text("chunnel count_2() { place: path; on packet(m) { drop; } }\n")
    assert ids("count_2 |> count(ipv4.dscp) |> count(ipv4.ttl)", files=[file]) == [["count_2", "count", "count_3"]]


def test_names_come_from_the_files(tmp_path):
    """Chunnels, endpoints and messages of a file can be named; without the file they are unknown."""
    file = tmp_path / "own.chunnel"
    file.write_text(
        "endpoint a = 10.0.0.1:1;\nmessage Own over udp { key: u16; }\n"
        "chunnel to(where: endpoint) { place: path; on packet(m) { m.dst = where; } }\n"
    )
    text = "to(a) |> count(Own.key)"
    assert ids(text, files=[file]) == [["to", "count"]]
    assert [m[0] for m in mistakes(text)] == ["CH012", "CH012"]


def test_every_mistake_of_texts_and_files_is_reported_at_once(tmp_path):
    """Each has its own source; a file's mistakes do not hide a text's."""
    file = tmp_path / "own.chunnel"
    file.write_text("endpoint a = 10.0.0.1:1;\nstack s(x, y) { request: nothing |> udp(1); }\n")
    found = mistakes("cuont(ipv4.dscp)", "mirror(a)", "udp |> mirror(1)", files=[file])
    assert found == [
        ("CH012", str(file), "nothing"),
        ("CH012", "argument 1", "cuont"),
        ("CH071", "argument 3", "udp"),
        ("CH030", "argument 3", "1"),
    ]


@pytest.mark.parametrize(
    ("text", "code", "underlined"),
    [
        ("", "CH005", ""),
        (" \n\t", "CH005", ""),
        ("// nothing", "CH005", ""),
        (";", "CH005", ""),
        ("\0", "CH005", "\0"),
        ("count(\0)", "CH005", "\0"),
        ("compress |>", "CH005", ">"),
        ("compress;", "CH005", ";"),
        ("compress compress", "CH005", "compress"),
        ("stack s(a, b) { }", "CH005", "s"),
        ("select { a | b }", "CH005", "{"),
        ("\udce9t\udce9", "CH003", "\udce9"),
        ("(" * 300, "CH004", "("),
        (f"http2({'-' * 5000}1)", "CH004", None),
        ("é" * (1 << 19) + "x", "CH002", ""),
        ("x" * (1 << 20), "CH014", "x" * 20),
        ("+" * (1 << 20), "CH005", "+"),
        ('"' * (1 << 20), "CH005", '""'),
        ("\n" * (1 << 20), "CH005", ""),
    ],
    ids=lambda value: None if isinstance(value, str) and len(value) > 40 else repr(value),
)
def test_no_text_is_too_odd_for_a_diagnostic(text, code, underlined):
    """Empty, garbage, zero bytes, a mebibyte, deep nesting: the first mistake has a code and a place, no traceback."""
    first = mistakes(text)[0]
    assert first[:2] == (code, "argument 1")
    assert underlined in (None, first[2])


def test_mistakes_without_end_are_cut_off():
    """A text of nothing but mistakes is given up after a thousand."""
    found = mistakes(" |> ".join(["nothing"] * 5000))
    assert len(found) == MAX_MISTAKES + 1
    assert "CH015" in {code for code, _, _ in found}
