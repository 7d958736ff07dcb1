"""Another site: declarations that take the place of a file's, or are added to them."""

from pathlib import Path

import pytest

from bertha_ir.diagnostics import BerthaError
from bertha_ir.frontend.load import load

TEXT = """
device h1: host { address 10.0.0.1; cores 4; }
device h2: host { cores 2; }
link h1 <-> h2 ethernet { rate 10 Gbit/s; }
stack kv(client, server) { request: udp(1); }
run kv.server on h1;
policy { trust h1; deny tag on h1; prefer tag on [h1]; prefer count on [h2]; }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.chunnel"
    path.write_text(TEXT)
    return path


def test_what_declares_the_same_takes_its_place(file):
    """A device, a link written the other way round, where an end runs; the rest stays, in its place."""
    site = load([file], ["device h1: host { cores 8; } link h2 <-> h1 pcie;", "run kv.server on h2;"]).site
    assert [(d.name, d.get("cores"), d.get("address")) for d in site.devices] == [("h1", 8, None), ("h2", 2, None)]
    assert [link.kind for link in site.links] == ["pcie"]
    assert [(r.end, r.device) for r in site.runs] == [("server", "h2")]


def test_of_policies_some_rules_are_replaced_and_others_added(file):
    """`trust` as a whole, `prefer` by its chunnel; `deny` is added."""
    policy = load([file], ["policy { trust h2; deny count on h1; prefer tag on [h2]; }"]).site.policy
    assert policy.trust == ("h2",)
    assert [(d.chunnel, d.device) for d in policy.deny] == [("tag", "h1"), ("count", "h1")]
    assert {p.chunnel: p.devices for p in policy.prefer} == {"count": ("h2",), "tag": ("h2",)}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("stack other(a, b) { request: udp(1); }", "CH016"),
        ("", "CH010"),
        ("device h3 host;", "CH005"),
        ("\udce9", "CH003"),
    ],
)
def test_what_is_no_declaration_of_a_site_is_refused(file, text, code):
    """Each with its place in the argument."""
    with pytest.raises(BerthaError) as caught:
        load([file], [text])
    assert [(d.code.number(), d.span.source.path) for d in caught.value.diagnostics] == [(code, "argument 1")]
