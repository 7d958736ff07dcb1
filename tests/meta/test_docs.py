"""The documents tell the truth: their paths exist, their commands parse, their JSON is what is answered."""

import json
import re
import shlex
from pathlib import Path

import pytest
from attrs import fields
from project import MAPPED, ROOT, shown

from bertha_ir.artifact import Manifest, ManifestProgram, ManifestStack, manifest
from bertha_ir.cli.arguments import make_parser
from bertha_ir.cli.main import main
from bertha_ir.codes import CH401OutputNotArtifact
from bertha_ir.diagnostics import Diagnostic
from bertha_ir.diagnostics.render import to_data
from bertha_ir.frontend.load import load
from bertha_ir.plan import Assumption, Binding, Crossing, LedgerEntry, Plan, Refusal
from bertha_ir.primitives import PRIMITIVES

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TOP = {p.name for p in ROOT.iterdir()} - {"build", "dist"}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def paths_in(text: str) -> set[str]:
    """What stands in backticks and begins with something at the top of the tree."""
    words = {word for quoted in re.findall(r"`([^`\n]+)`", text) for word in quoted.split()}
    found = {w.rstrip(",.;:") for w in words if w.split("/")[0].rstrip(",.;:") in TOP}
    return {w for w in found if not re.search(r"[<>*{}]|NAME|…", w)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_paths_exist(document: Path) -> None:
    """Every path and every link to a file names something that is there."""
    text = text_of(document)
    links = {t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:|#", t)}
    missing = {p for p in paths_in(text) if not (ROOT / p).exists()}
    missing |= {link for link in links if not (document.parent / link).exists()}
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_commands_parse(document: Path) -> None:
    """Every `bertha` command line that a document shows is one that the command takes."""
    commands = re.findall(r"^(?:\$ )?(bertha .*)$", text_of(document).replace("\\\n", " "), re.MULTILINE)
    for command in commands:
        words = shlex.split(command.partition(" |")[0], comments=True)
        if words[1:] not in (["--version"], ["--help"]):
            make_parser().parse_args(words[1:])


def test_architecture_names_every_folder() -> None:
    """The map of folders has all of them."""
    packages = {p.parent for top in ("bertha_ir", *MAPPED) for p in (ROOT / top).rglob("__init__.py")}
    tests = {p.parent for p in (ROOT / "tests").rglob("test_*.py")}
    text = text_of(ROOT / "docs" / "architecture.md")
    assert not [shown(folder) for folder in packages | tests if f"`{shown(folder)}/`" not in text]


def test_readme_and_ci_run_the_same_tests() -> None:
    """The test command of the README is the one that CI runs, and both install system packages by one script."""
    readme, ci = text_of(ROOT / "README.md"), text_of(ROOT / ".ci" / "run")
    for command in (".ci/test", ".ci/install-system"):
        assert re.search(rf"^{re.escape(command)}\b", readme, re.MULTILINE)
        assert re.search(rf"^{re.escape(command)}$", ci, re.MULTILINE)


def test_readme_shows_what_is_answered(update_golden, monkeypatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Below each command of a transcript is what it prints. `--update-golden` writes it there."""
    monkeypatch.chdir(ROOT)
    readme = ROOT / "README.md"

    def answered(transcript: re.Match[str]) -> str:
        main(shlex.split(transcript[1])[1:])
        return f"```console\n$ {transcript[1]}\n{''.join(capfd.readouterr())}```\n"

    real = re.sub(r"```console\n\$ (.*)\n(?:.*\n)*?```\n", answered, text_of(readme))
    if update_golden:
        readme.write_text(real, encoding="utf-8")
    assert text_of(readme) == real
    assert "```console" in real


def test_language_reference_compiles(tmp_path: Path) -> None:
    """The code blocks of the language's reference are, together, a specification without a mistake."""
    blocks = re.findall(r"```chunnel\n(.*?)```", text_of(ROOT / "docs" / "language.md"), re.DOTALL)
    (tmp_path / "reference.chunnel").write_text("".join(blocks), encoding="utf-8")
    assert [s.name for s in load([tmp_path / "reference.chunnel"]).stacks] == ["kv"]


def test_language_reference_names_the_library() -> None:
    """The reference names every chunnel and message of the standard library, and every primitive."""
    text = text_of(ROOT / "docs" / "language.md")
    library = load(())
    names = [c.name for c in library.chunnels] + [m.name for m in library.messages] + list(PRIMITIVES)
    assert not [n for n in names if not re.search(rf"\b{n}\b", text)]


def test_language_reference_has_the_librarys_parameters() -> None:
    """Each chunnel of the library stands in the reference with its parameters, as they are declared."""
    text = text_of(ROOT / "docs" / "language.md")
    used = {
        c.name: f"`{c.name}({', '.join(' '.join(p.span.text.split()) for p in c.parameters if p.span)})`"
        for c in load(()).chunnels
    }
    assert not [signature for signature in used.values() if signature not in text]
    assert "shards: list[endpoint; 1..64]" in used["shard"]


def test_json_reference_names_every_key() -> None:
    """Every key of a manifest, a plan and a diagnostic is in the reference."""
    text = text_of(ROOT / "docs" / "json.md")
    nodes = (Plan, Assumption, Binding, Refusal, Crossing, LedgerEntry, ManifestStack, ManifestProgram)
    keys = {a.name for cls in nodes for a in fields(cls)} - {"span"}
    keys |= set(to_data(Diagnostic(CH401OutputNotArtifact, "message", None)))
    keys |= set(json.loads(manifest(Manifest(""), {})))
    assert not [key for key in keys if f"`{key}`" not in text]
