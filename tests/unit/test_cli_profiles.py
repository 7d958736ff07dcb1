"""The commands that show profiles, measure this host, and compare the two."""

import json
import os
import sys
from xml.etree import ElementTree as ET

import pytest

from bertha_ir.cli import calibrate as command
from bertha_ir.cli import validate
from bertha_ir.cli.main import main
from bertha_ir.cost_models.calibration.run import Calibration
from bertha_ir.cost_models.calibration.trial import Result, Trial
from bertha_ir.cost_models.figures import Figure, Profile, load_profile, profile_names

TRIALS = Result(
    (
        Trial("count(by = ipv4.dscp)", "ingress", 110.0, 100.0),
        Trial("a<b>(&)", "ingress", 70.0, 100.0),
        Trial("nat", "process", 900.0, 300.0),
    ),
    ("the profile lacks figures for `x` at egress",),
)
MADE = Calibration(Profile("here", (("host", (("hook", Figure(5.5, "ns", "s s", "c c", "M")),)),)), ("no kernel",))


@pytest.fixture
def tried(monkeypatch):
    """What the command was asked to try; nothing is measured."""
    asked = []
    monkeypatch.setattr(validate, "validate", lambda name, **options: asked.append((name, options["quick"])) or TRIALS)
    return asked


@pytest.fixture
def measured(monkeypatch):
    """A calibration that is there at once."""
    monkeypatch.setattr(command, "calibrate", lambda **_: MADE)


def test_profiles_are_listed_with_how_sure_they_are(capsys):
    """Each profile that ships, with as many figures of each mark as it has."""
    assert main(["cost-models", "--profiles"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in profile_names())
    assert "recalled or judged: low confidence" in shown
    assert main(["cost-models", "--profiles", "--json"]) == 0
    listed = {p["name"]: p for p in json.loads(capsys.readouterr().out)["profiles"]}
    assert sorted(listed) == list(profile_names())
    assert sum(listed["tofino-1"]["marks"].values()) == len(load_profile("tofino-1").figures)
    assert listed["connectx-7"]["marks"] == {"A": 1, "C": 0, "M": 0, "B": 0, "R": 2}


def test_a_profile_is_shown_figure_by_figure(capsys, tmp_path):
    """With source, conditions and mark; one of the user's by its path."""
    assert main(["cost-models", "--profile", "connectx-7"]) == 0
    shown = capsys.readouterr().out
    assert "200 ns" in shown
    assert "Kalia, thesis" in shown
    path = tmp_path / "nic.toml"
    path.write_text(
        '[offload]\n"a+b" = { value = 3, unit = "ns", mark = "B", source = "x", conditions = "y" }\n[host]\n'
    )
    assert main(["cost-models", "--profile", str(path), "--json"]) == 0
    (figure,) = json.loads(capsys.readouterr().out)["figures"]
    assert figure == {
        "section": "offload", "name": "a+b", "value": 3.0, "unit": "ns", "source": "x", "conditions": "y", "mark": "B"
    }  # fmt: skip
    assert main(["cost-models", "--profile", str(path)]) == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--profile", "nope"],
        ["--profile", "missing.toml"],
        ["--profile", "bmv2", "--profiles"],
        ["--profile", "bmv2", "--check", "profile"],
        ["--svg", "x.svg"],
        ["--quick"],
        ["--validate", "--profile", "nope"],
        ["--validate", "--svg", "/nowhere/x.svg"],
    ],
)
def test_wrong_usage_is_one_line_and_a_hint(options, capsys, tried):
    """And nothing is measured."""
    assert main(["cost-models", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert not tried


def test_a_profile_is_compared_with_this_host(capsys, tried):
    """Errors by chain, mean and worst by hook, bars, and what could not be tried."""
    assert main(["cost-models", "--validate", "--quick"]) == 0
    shown = capsys.readouterr()
    assert tried == [("x86-server", True)]
    assert "kernel, XDP: mean error 20.0%, worst 30.0%" in shown.out
    rows = {line.split()[0]: line for line in shown.out.splitlines() if " ns " in line}
    assert rows["count(by"].endswith("+10.0%  ████")
    assert rows["a<b>(&)"].endswith("-30.0%  ░░░░░░░░░░░░")
    assert rows["nat"].endswith("…")
    assert "lacks figures" in shown.err


def test_the_comparison_as_json_and_as_a_drawing(capsys, tried, tmp_path):
    """All figures in JSON; the drawing is well-formed and has a point for each trial."""
    path = tmp_path / "p.svg"
    assert main(["cost-models", "--validate", "--json", "--svg", str(path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert tried == [("x86-server", False)]
    assert answer["hooks"][0] == {"hook": "ingress", "mean": pytest.approx(0.2), "worst": pytest.approx(0.3)}
    assert [t["error"] for t in answer["trials"]] == pytest.approx([0.1, -0.3, 2.0])
    root = ET.fromstring(path.read_text())  # noqa: S314  (our own)
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 3


def test_nothing_tried_is_not_settled(capsys, monkeypatch, tmp_path):
    """Where neither hook nor process could be tried, the status says so, and the drawing is empty."""
    monkeypatch.setattr(validate, "validate", lambda *_, **__: Result((), ("why",)))
    assert main(["cost-models", "--validate", "--svg", str(tmp_path / "p.svg")]) == 3
    assert "note: why" in capsys.readouterr().err


@pytest.mark.usefixtures("measured")
def test_a_calibration_is_written_or_printed(capsys, tmp_path):
    """As a profile that is read as one; what lacks is a note on standard error, or in the JSON."""
    path = tmp_path / "here.toml"
    assert main(["calibrate", "-o", str(path)]) == 0
    shown = capsys.readouterr()
    assert "1 figures" in shown.out
    assert shown.err == "note: no kernel\n"
    assert load_profile(str(path)).figure("host", "hook").value == 5.5
    assert main(["calibrate"]) == 0
    assert capsys.readouterr().out == path.read_text()
    assert main(["calibrate", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["notes"] == ["no kernel"]
    assert answer["figures"][0]["value"] == 5.5


def test_a_file_that_cannot_be_written_is_refused_at_once(capsys, monkeypatch, tmp_path):
    """Before minutes of measuring: a folder, a folder that is not there; and nothing is left when writing fails."""
    monkeypatch.setattr(command, "calibrate", lambda **_: pytest.fail("measured"))
    for path in (tmp_path, tmp_path / "no" / "here.toml"):
        assert main(["calibrate", "-o", str(path)]) == 2
        assert "hint: name a file" in capsys.readouterr().err

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "calibrate", lambda **_: MADE)
    monkeypatch.setattr("pathlib.Path.replace", full)
    assert main(["calibrate", "-o", str(tmp_path / "here.toml")]) == 2
    assert "no space left" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []  # noqa: PTH208  (pathlib is what was broken)


def test_progress_goes_away_in_a_pipe(capsys, monkeypatch):
    """Nothing is drawn where nobody is looking; a bar on a terminal."""
    with command.progress("measuring", 2) as step:
        step("one")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with command.progress("measuring", 2) as step:
        step("one")
    assert "measuring" in capsys.readouterr().err
