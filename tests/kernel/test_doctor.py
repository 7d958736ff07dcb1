"""`bertha doctor` says what a host lacks, and whether its kernel takes an artifact's programs, with what margin."""

import json
import re

import pytest
from loading import needs_kernel
from project import ROOT

from bertha_ir import api, artifact
from bertha_ir.cli import doctor
from bertha_ir.cli.main import main

pytestmark = needs_kernel
EXAMPLE = ROOT / "examples" / "kv_shard"


@pytest.fixture
def out(tmp_path):
    """The artifact of an example."""
    artifact.write(api.artifact(api.build(sorted(EXAMPLE.glob("*.chunnel")))), tmp_path / "out")
    return tmp_path / "out"


def said(capsys, *words):
    """The answer, and its status."""
    status = main(["doctor", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_an_artifacts_programs_are_tried(out, capsys):
    """Each kernel program, with what the verifier walked through."""
    status, answer = said(capsys, str(out))
    assert status == 0
    assert {f["status"] for f in answer["programs"]} == {"ok"}
    assert len(answer["programs"]) == 4
    assert all(re.match(r"[\d,]+ instructions, [\d,]+ verified of 1,000,000", f["text"]) for f in answer["programs"])


def test_little_margin_is_a_warning(out, capsys, monkeypatch):
    """Where another kernel may refuse what this one takes, the answer is no."""
    monkeypatch.setattr(doctor, "LIMIT", 5000)
    status, answer = said(capsys, str(out))
    assert status == 1
    assert {f["status"] for f in answer["programs"]} == {"ok", "warning"}


def test_what_is_missing_says_what_to_do(out, capsys, monkeypatch, tmp_path):
    """Without a compiler: what it is for, how to get it, and that programs cannot be tried."""
    monkeypatch.setenv("PATH", str(tmp_path))
    status, answer = said(capsys, str(out))
    assert status == 1
    host = {f["what"]: f for f in answer["host"]}
    assert (host["clang"]["status"], host["clang"]["hint"]) == ("missing", "apt-get install clang libbpf-dev")
    assert all("clang is not installed" in f["text"] for f in answer["programs"])


def test_a_host_alone(capsys):
    """Without an artifact, what the host lacks is no fault of anything."""
    assert main(["doctor"]) == 0
    assert re.search(r"^ok +clang +compiles kernel programs$", capsys.readouterr().out, re.MULTILINE)
