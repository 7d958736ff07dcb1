"""`bertha prove` and `bertha laws`: verdicts, their packets, exit statuses, and the answers that are remembered."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bertha_ir.cli.main import main
from bertha_ir.passes.smt import cache, solve

COUNT, FIREWALL = "count(by = ipv4.dscp)", "firewall(deny = [10.0.0.0/8])"
RULES = """
rule twice: compress |> compress => compress;
rule deaf: firewall([10.0.0.0/8]) |> count(ipv4.dscp) => count(ipv4.dscp) over wire;
"""
CODEC = """
message stamp { number: u16; }
chunnel good() { place: endpoint; needs both ends;
  on send(m) { push stamp { number = 7 }; } on recv(m) { pop stamp else drop; }
  law recv(send(m)) == m; }
chunnel bad() { place: endpoint; needs both ends;
  on send(m) { push stamp { number = 7 }; } on recv(m) { pop stamp else drop;
  if m.stamp.number == 7 { m.payload = http2_unframe(m.payload) else drop; } } law recv(send(m)) == m; }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The folder of remembered answers."""
    monkeypatch.setenv("BERTHA_CACHE", str(tmp_path / "proofs"))
    return tmp_path / "proofs"


def answer(capsys, *arguments: str) -> tuple[int, dict]:
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        ((COUNT, "count(by = ipv4.ttl)"), 0, "proved"),
        ((COUNT, FIREWALL), 1, "refuted"),
        (('encrypt(secret("k"))', "http2"), 1, "refuted"),
        (('encrypt(secret("k"))', "http2", "--equivalence", "end-to-end"), 0, "proved"),
        (("shard(udp.src_port, [10.0.0.1:1, 10.0.0.2:2])", 'encrypt(secret("k"))'), 0, "proved"),
        (("shard(dns.id, [10.0.0.1:1, 10.0.0.2:2])", 'encrypt(secret("k"))'), 1, "refuted"),
        (("limit(7, 7, udp.src_port)", FIREWALL), 1, "refuted"),
        (("nat(192.0.2.1)", FIREWALL), 1, "refuted"),
        (("rewrite(10.0.0.1:1, 10.0.0.2:2)", FIREWALL), 0, "proved"),
        (("mirror(10.0.0.9:1)", "tag(ipv4.dscp, 46)"), 1, "refuted"),
        (("mirror(10.0.0.9:1)", COUNT), 0, "proved"),
        (("cache(dns.id, dns.opcode, 1, dns.answers)", "count(dns.id)"), 1, "refuted"),
    ],
)
def test_the_exit_status_is_the_answer(capsys, arguments, status, word):
    """0 proved, 1 refuted; the JSON says the same, and names the part that decides."""
    found, data = answer(capsys, "prove", *arguments)
    assert (found, data["status"], data["ok"]) == (status, word, status == 0)
    assert word in {part["status"] for part in data["parts"]}


def test_a_counterexample_is_shown_field_by_field(capsys):
    """`count` before `firewall` counts a message that is dropped; after it, it does not."""
    _, data = answer(capsys, "prove", COUNT, FIREWALL)
    part = data["parts"][-1]
    assert part["start"]["src"][0] >> 24 == 10
    counted = {run["what"]: (run["left"], run["right"]) for run in part["runs"] if run["differs"]}
    assert counted == {"count.hits[0]": ("1", ""), "count.hits entries": ("1", "0")}
    main(["prove", COUNT, FIREWALL])
    text = capsys.readouterr().out
    assert "as written" in text
    assert "→ count.hits[" in text


def test_compressing_and_encrypting_is_refused_for_a_reason(capsys):
    """They commute for the application; the sizes on the link say more, or are too large for it."""
    pair = ("compress", 'encrypt(secret("k"))', "--equivalence", "end-to-end")
    _, secret = answer(capsys, "prove", *pair)
    assert {p["part"]: p["status"] for p in secret["parts"]} == {
        "guarantees": "proved", "whole": "proved", "secrecy": "refuted"
    }  # fmt: skip
    status, sized = answer(capsys, "prove", *pair, "--max-size", "1400")
    assert (status, sized["parts"][-1]["part"]) == (1, "size")
    assert "more than 1400" in sized["parts"][-1]["reason"]


def test_what_the_link_shows_is_shown(capsys):
    """Two messages that look alike as written, and have different sizes when changed."""
    main(["prove", 'encrypt(secret("k"))', "compress", "--equivalence", "end-to-end"])
    written, changed = capsys.readouterr().out.splitlines()[-2:]
    sizes = [re.findall(r"\((\d+) bytes\)", line) for line in (written, changed)]
    assert sizes[0][0] == sizes[0][1]
    assert sizes[1][0] != sizes[1][1]


def test_a_guarantee_that_is_lost_refutes(capsys):
    """Where it is known what lies below, `compress` may not lose the boundaries that `http2` gives it."""
    pair = ("prove", "compress", "http2", "--equivalence", "end-to-end")
    assert answer(capsys, *pair)[1]["relies_on"] == ["boundaries", "ordered", "reliable"]
    status, data = answer(capsys, *pair, "--below", "ordered,reliable")
    assert (status, data["parts"][0]["part"]) == (1, "guarantees")
    assert answer(capsys, *pair, "--below", "ordered,reliable,boundaries")[0] == 0


def test_rules_of_users(tmp_path, capsys):
    """A rule that holds is proved, one that leaves out a check is refuted with a packet that the check would drop."""
    file = tmp_path / "rules.chunnel"
    file.write_text(RULES)
    assert answer(capsys, "prove", "--rule", "twice", "--file", str(file))[0] == 0
    status, data = answer(capsys, "prove", "--rule", "deaf", "--file", str(file))
    assert status == 1
    assert data["parts"][-1]["start"]["src"][0] >> 24 == 10
    assert main(["prove", "--rule", "none", "--file", str(file)]) == 2
    assert "deaf" in capsys.readouterr().err


def test_laws(tmp_path, capsys):
    """The library's laws hold; a codec that does not give back what it was given is found out."""
    status, data = answer(capsys, "laws")
    assert status == 0
    assert {"serialize", "compress", "encrypt", "http2"} <= {law["chunnel"] for law in data["laws"]}
    file = tmp_path / "codec.chunnel"
    file.write_text(CODEC)
    status, data = answer(capsys, "laws", "good", "bad", "--file", str(file))
    assert (status, [law["status"] for law in data["laws"]]) == (1, ["proved", "refuted"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "two chains"),
        ([COUNT], "two chains"),
        ([COUNT, COUNT, COUNT], "two chains"),
        ([COUNT, "--rule", "x"], "neither --all nor chains"),
        (["--all", "--rule", "x"], "neither --all nor chains"),
        ([COUNT, FIREWALL, "--markdown"], "--all alone"),
        (["--all", "--markdown", "--json"], "--all alone"),
        ([COUNT, "udp(1)"], "`udp` is a transport"),
        ([COUNT, FIREWALL, "--below", "order"], "no guarantee is called `order`"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(arguments, why, capsys):
    """One line says what, and the status is 2."""
    assert main(["prove", *arguments]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--timeout", "0"), ("--timeout", "nan"), ("--timeout", "x"), ("--max-size", "-1")])
def test_numbers_that_make_no_sense_are_wrong_usage(option, capsys):
    """Argument by argument."""
    with pytest.raises(SystemExit) as caught:
        main(["prove", COUNT, FIREWALL, *option])
    assert caught.value.code == 2
    assert f"argument {option[0]}" in capsys.readouterr().err


def test_a_mistake_in_a_chain_is_underlined(capsys):
    """The chain is a source like any other."""
    assert main(["prove", "count(by = ipv4.dcsp)", FIREWALL]) == 1
    assert "did you mean `dscp`" in capsys.readouterr().err


def test_answers_are_remembered(capsys, monkeypatch, folder):
    """The second time nothing is asked, though another process has asked the first time."""
    script = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"
    pair = ["prove", COUNT, FIREWALL, "--json"]
    runs = [
        subprocess.Popen([sys.executable, "-c", script, *pair], stdout=subprocess.PIPE, env={**os.environ})
        for _ in range(2)
    ]
    first, second = (json.loads(run.communicate()[0]) for run in runs)
    assert first == second
    assert list(folder.rglob("*.json"))
    monkeypatch.setattr(solve, "encode", refuse)
    assert answer(capsys, *pair[:-1])[1] == first


def refuse(_question):
    pytest.fail("it was asked again")


@pytest.mark.parametrize("damage", [b"", b"x", b"\xff\xfe", b"{}", None])
def test_a_damaged_answer_is_asked_again(capsys, folder, damage):
    """Whatever is in the file; then the file is whole again."""
    first = answer(capsys, "prove", COUNT, FIREWALL)
    (file,) = folder.rglob("*.json")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"refuted", b"proved!") if damage is None else damage)
    assert answer(capsys, "prove", COUNT, FIREWALL) == first
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_no_obstacle(capsys, tmp_path, monkeypatch):
    """Answers are then not remembered."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BERTHA_CACHE", str(tmp_path / "file" / "below"))
    assert answer(capsys, "prove", COUNT, FIREWALL)[0] == 1


def test_an_answer_that_is_unknown_is_not_remembered(capsys, folder):
    """Squares: a hard question and no time. The exit status is 3."""
    chunnels = folder.parent / "hard.chunnel"
    chunnels.write_text(
        """chunnel hard(a: u64) { on packet(m) {
          let x = ((m.src.ip as u64) << 32) | (m.dst.ip as u64);
          let y = ((m.dst.port as u64) << 48) | ((m.src.port as u64) << 32) | a;
          if x * x * y * y == 0x1234_5678_9abc_def1 * x { m.dst = endpoint(m.dst.ip + 1, 1); }
        } }"""
    )
    pair = ("hard(77)", "hard(78)")
    status, data = answer(capsys, "prove", *pair, "--file", str(chunnels), "--timeout", "0.05")
    assert (status, data["status"]) == (3, "unknown")
    assert not list(folder.rglob("*.json"))


def test_the_folder_is_the_users(monkeypatch):
    """`$BERTHA_CACHE`, else the user's cache folder."""
    monkeypatch.delenv("BERTHA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.default_folder() == Path("/somewhere/bertha/proofs")
