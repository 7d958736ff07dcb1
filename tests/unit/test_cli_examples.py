"""The main job through the command line: each example becomes an artifact folder, the same one everywhere."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

from bertha_ir import api
from bertha_ir.cli.main import main
from bertha_ir.diagnostics import BerthaError
from bertha_ir.text import parse_ir, print_ir

START = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"
EXAMPLES = sorted(p for p in (ROOT / "examples").iterdir() if (p / "site.chunnel").exists())


def files_of(example: Path) -> list[str]:
    files = [str(p) for p in sorted(example.glob("*.chunnel")) if p.name != "site.chunnel"]
    return [*files, "--site", str(example / "site.chunnel")]


def tree(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_there_are_examples() -> None:
    """The two examples that must run are there."""
    assert {p.name for p in EXAMPLES} >= {"kv_shard", "memcached_steer"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_artifact_is_the_same_everywhere(example: Path, tmp_path: Path) -> None:
    """The folder's bytes depend on neither the hash seed, nor the compiler's folder, nor how files are named."""
    outs = []
    for seed, folder in (("1", ROOT), ("2", tmp_path), ("3", example)):
        arguments = [str(os.path.relpath(a, folder)) if a.startswith("/") else a for a in files_of(example)]
        out = tmp_path / f"out{seed}"
        subprocess.run(
            [sys.executable, "-c", START, "compile", *arguments, "-o", out],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
        outs.append(tree(out))
    assert outs[0] == outs[1] == outs[2]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_artifact_is_whole(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest has the hash of every file and lists each program's; the folder is up to date afterwards."""
    out = tmp_path / "out"
    assert main(["compile", *files_of(example), "-o", str(out)]) == 0
    files = tree(out)
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    listed = {path for program in manifest["programs"] for path in program["files"]}
    assert listed == {path for path in files if path != "plan.json" and not path.startswith(("ir/", "proofs/"))}
    assert {path.split("/")[0] for path in listed} in ({"ebpf", "p4", "python"}, {"python"})
    ids = [plan["id"] for plan in json.loads(files["plan.json"])["plans"]]
    assert manifest["plan"] == (ids[0] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest())
    assert main(["compile", *files_of(example), "--check", str(out)]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("stage", ["stack", "plan", "program"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_every_stage_prints_and_parses_back(example: Path, stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Printing what was parsed gives the same text again, for each stage of each example."""
    assert main(["ir", *files_of(example), "--stage", stage]) == 0
    text = capsys.readouterr().out
    assert len(text) > 100
    assert print_ir(parse_ir(text)) == text


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_plan_answers(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan names a device for every op; as JSON it has what plan.json has."""
    assert main(["plan", *files_of(example), "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert all(any(b["active"] for b in plan["bindings"]) for plan in plans)
    assert main(["plan", *files_of(example)]) == 0
    text = capsys.readouterr().out
    assert all(plan["id"] in text for plan in plans)


def test_unknown_stack_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for a stack that is not there is an error with a code, and nothing is written."""
    assert main(["compile", *files_of(EXAMPLES[0]), "--stack", "nope", "-o", str(tmp_path / "out")]) == 1
    assert "error[CH211]: no stack is called `nope`" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "pipeline", "message"),
    [
        (
            ["compile", "-o", "OUT"],
            "expand",
            "an artifact takes a pipeline with the pass `lower`, and `expand` has none",
        ),
        (["compile", "--check", "OUT"], "plan", "an artifact takes a pipeline with the pass `lower`"),
        (["plan"], "expand", "a plan takes a pipeline with the pass `place`, and `expand` has none"),
        (["ir", "--stage", "plan"], "expand", "the stage `plan` takes a pipeline with the pass `place`"),
        (["ir", "--stage", "program"], "plan", "the stage `program` takes a pipeline with the pass `lower`"),
    ],
)
def test_a_pipeline_that_stops_short_is_refused(command, pipeline, message, tmp_path, capsys) -> None:
    """CH210 for what would have been an answer about nothing; an artifact that is there stays as it is."""
    out = tmp_path / "out"
    assert main(["compile", *files_of(EXAMPLES[0]), "-o", str(out)]) == 0
    before = tree(out)
    capsys.readouterr()
    arguments = [str(out) if a == "OUT" else a for a in command]
    assert main([*arguments, *files_of(EXAMPLES[0]), "--pipeline", pipeline]) == 1
    answer = capsys.readouterr()
    assert answer.out == ""
    assert f"error[CH210]: {message}" in answer.err
    assert tree(out) == before


def test_an_artifact_of_what_was_not_lowered_is_refused() -> None:
    """The same of the Python API, where the two steps are two calls."""
    example = EXAMPLES[0]
    files = [Path(name) for name in files_of(example) if name != "--site"]
    with pytest.raises(BerthaError, match="CH210"):
        api.artifact(api.build(files, pipeline="plan"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_an_artifact_holds_what_it_was_made_of(example: Path) -> None:
    """Its `ir/` parses back to the specification, the directions before they were placed, and the programs."""
    built = api.build([Path(name) for name in files_of(example) if name != "--site"])
    files = api.artifact(built)
    stages = (built.specification, dict(built.snapshots)["after undo"], built.programs)
    for name, stage in zip(("specification", "graphs", "programs"), stages, strict=True):
        assert stage
        assert parse_ir(files[f"ir/{name}.ir"].decode()) == stage
