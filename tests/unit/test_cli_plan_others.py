"""`bertha plan` asked about other sites: what they would change, and which limit keeps a plan from a better one."""

import json

import pytest
from explained import SLIDES

from bertha_ir.cli.main import main

LIMITED = """
policy { deny encrypt on nic; trust h1, h2; }
"""


@pytest.fixture
def limited(tmp_path) -> list[str]:
    """The slides' example on a card with no room for a flow, that may not encrypt, and is not trusted."""
    site = (SLIDES / "site.chunnel").read_text()
    assert "flows 1024" in site
    (tmp_path / "card.toml").write_bytes((SLIDES / "card.toml").read_bytes())
    (tmp_path / "site.chunnel").write_text(site.replace("flows 1024", "flows 0") + LIMITED)
    return [str(SLIDES / "web.chunnel"), str(SLIDES / "offloads.chunnel"), "--site", str(tmp_path / "site.chunnel")]


def asked(capsys, *words: str) -> dict:
    assert main(["plan", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_another_site_would_change(capsys):
    """Distrust sends encryption back to the host: the op, both costs, and the id of the plan that would be."""
    files = [str(SLIDES / name) for name in ("web.chunnel", "offloads.chunnel", "site.chunnel")]
    (found,) = asked(capsys, *files, "--what-if", "policy { trust h1, h2; }")["what_if"]
    assert found["changes"]["moves"] == [{"op": "request.encrypt.send", "before": "nic", "after": "h1"}]
    assert found["latency_ns"]["after"] > found["latency_ns"]["before"]
    assert not found["same"]
    assert main(["plan", *files, "--what-if", "policy { trust h1, h2; }"]) == 0
    text = capsys.readouterr().out
    assert "encrypt.send  h1 *" in text
    assert "tcp.send is then done by `card_tcp` on nic" in text


def test_several_texts_are_one_other_site(capsys):
    """Together they are asked about, not one after another."""
    files = [str(SLIDES / name) for name in ("web.chunnel", "offloads.chunnel", "site.chunnel")]
    texts = ("policy { trust h1, h2; }", "policy { deny tcp on nic; }")
    (found,) = asked(capsys, *files, "--what-if", texts[0], "--what-if", texts[1])["what_if"]
    assert {move["op"]: move["after"] for move in found["changes"]["moves"]} == {
        "request.encrypt.send": "h1",
        "request.tcp.send": "kernel(h1)",
    }


def test_a_site_that_changes_nothing(capsys):
    """It says so, with the cost."""
    files = [str(SLIDES / name) for name in ("web.chunnel", "offloads.chunnel", "site.chunnel")]
    assert main(["plan", *files, "--what-if", "device h3: host;"]) == 0
    assert "the plan stays as it is" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stack x(a, b) { request: udp(1); }", "CH016"),
        ("policy { deny encrpyt on nic; }", "did you mean `encrypt`?"),
        ("device nic smartnic;", "argument 1:1:12"),
        ("policy { trust nowhere; }", "argument 1:1:16"),
        ("", "CH010"),
    ],
)
def test_a_text_with_mistakes_is_one_diagnostic(capsys, text, said):
    """With its place in the argument."""
    files = [str(SLIDES / name) for name in ("web.chunnel", "offloads.chunnel", "site.chunnel")]
    assert main(["plan", *files, "--what-if", text]) == 1
    assert said in capsys.readouterr().err


def test_the_limits_that_cost_most_come_first(capsys, limited):
    """Each is left out alone: more flows gain, and what another limit still forbids does not."""
    found = asked(capsys, *limited, "--next")["next"]
    assert [row["condition"] for row in found] == ["if `nic` had more than 0 flows"]
    assert found[0]["objective"]["after"] < found[0]["objective"]["before"]
    assert {"op": "request.tcp.send", "before": "kernel(h1)", "after": "nic"} in found[0]["changes"]["moves"]


def test_no_limit_is_said_too(capsys):
    """Where nothing gains, the answer is a sentence, and an empty list in JSON."""
    files = [str(SLIDES / name) for name in ("web.chunnel", "offloads.chunnel", "site.chunnel")]
    assert asked(capsys, *files, "--next")["next"] == []
    assert main(["plan", *files, "--next"]) == 0
    assert capsys.readouterr().out == "no limit of the site stands between its plans and better ones\n"


def test_what_is_too_little_is_among_the_refusals_with_figures(capsys, limited):
    """What the op needs, and what there is."""
    (plan,) = asked(capsys, *limited)["plans"]
    assert {"op": "tcp.send", "device": "nic"}.items() <= next(
        r for r in plan["refusals"] if r["op"] == "tcp.send"
    ).items()
    reasons = [r["reason"] for r in plan["refusals"] if r["op"] == "tcp.send" and r["device"] == "nic"]
    assert "it would be better there, but takes 1 of its flows, and it has 0" in reasons
