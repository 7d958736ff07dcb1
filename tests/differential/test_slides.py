"""The paper's example: an order and places that cross PCIe once instead of three times, found and not coded."""

import json
from pathlib import Path

import pytest

from bertha_ir.cli.main import main

FOLDER = Path(__file__).parents[2] / "examples" / "slides_smartnic"


def planned(capsys, *options, site="site.chunnel", offloads="offloads.chunnel"):
    """The plan as JSON."""
    files = [str(FOLDER / "web.chunnel"), str(FOLDER / offloads)]
    assert main(["plan", *files, "--site", str(FOLDER / site), "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)["plans"][0]


def devices(outline):
    """Where the sender's ops run, in their order."""
    return [(r["op"].split(".")[1], r["device"]) for r in outline["runs"] if r["op"].endswith(".send")]


def test_three_crossings_become_one(capsys):
    """As written a request goes to the card, back, and to the card again; as planned it is framed first."""
    plan = planned(capsys)
    assert plan["before"]["crossings"]["pcie"] == 3
    assert plan["after"]["crossings"]["pcie"] == 1
    assert devices(plan["before"]) == [("encrypt", "nic"), ("http2", "h1"), ("tcp", "nic")]
    assert devices(plan["after"]) == [("http2", "h1"), ("encrypt", "nic"), ("tcp", "nic")]
    assert plan["after"]["latency_ns"] < plan["before"]["latency_ns"]
    (swap,) = {e["rewrite"] for e in plan["ledger"] if e["status"] == "proved"}
    assert swap == "request: http2 above encrypt, at both ends"
    assert {e["by"] for e in plan["ledger"] if e["status"] == "assumed"} == {"the card's data sheet"}


def test_another_profile_changes_the_answer(capsys):
    """A card that encrypts slowly is left the sending."""
    plan = planned(capsys, site="other/slow.chunnel")
    assert dict(devices(plan["after"])) == {"encrypt": "h1", "http2": "h1", "tcp": "nic"}


def test_distrust_brings_encryption_back_to_the_host(capsys):
    """With the reason; what is encrypted already may go to the card."""
    plan = planned(capsys, site="other/distrust.chunnel")
    assert dict(devices(plan["after"])) == {"encrypt": "h1", "http2": "h1", "tcp": "nic"}
    (refusal,) = [r for r in plan["refusals"] if r["op"] == "encrypt.send"]
    assert refusal["device"] == "nic"
    assert refusal["reason"] == "it holds a key, and the site's policy does not trust the device"


def test_a_card_that_has_only_tls_is_given_what_makes_it(capsys):
    """Encryption and TCP are no neighbours as written; framed first, they are, and one offload does both."""
    plan = planned(capsys, offloads="other/tls.chunnel")
    assert devices(plan["after"]) == [("http2", "h1"), ("encrypt", "nic"), ("tcp", "nic")]
    assert {b["implementation"] for b in plan["bindings"] if b["device"] == "nic"} == {"card_tls"}
    assert devices(plan["before"]) == [("encrypt", "h1"), ("http2", "h1"), ("tcp", "kernel(h1)")]


@pytest.mark.parametrize("offloads", ["offloads.chunnel", "other/tls.chunnel"])
def test_what_is_compiled_is_what_was_written(tmp_path, capsys, offloads):
    """What the host packs, and the card then does, the server unpacks; every certificate is one for cvc5, too."""
    files = [str(FOLDER / "web.chunnel"), str(FOLDER / offloads), "--site", str(FOLDER / "site.chunnel")]
    assert main(["compile", *files, "-o", str(tmp_path / "out")]) == 0
    assert main(["verify", str(tmp_path / "out")]) == 0
    assert "1000 requests" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "out"), "--no-assumptions"]) == 1
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    programs = {p["name"]: p for p in manifest["programs"]}
    assert programs["web_request_send"]["offloads"] == sorted({o["name"] for o in manifest["offloads"]})
    assert programs["web_request_send_standby"]["offloads"] == []
    assert "CIPHERS[" not in (tmp_path / "out" / "python" / "web_request_send.py").read_text()
    assert "CIPHERS[" in (tmp_path / "out" / "python" / "web_request_send_standby.py").read_text()
