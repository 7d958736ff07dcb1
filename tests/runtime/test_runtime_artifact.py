"""Artifact folders as a host reads them: whole and unchanged, or refused in one line."""

import json
import shutil
import subprocess
import sys

import pytest

from bertha_ir.runtime.__main__ import main
from bertha_ir.runtime.artifact import Artifact, ArtifactError


@pytest.fixture
def folder(compiled_examples, tmp_path):
    """A copy of the key-value store's artifact, to be damaged."""
    return shutil.copytree(compiled_examples["kv_shard"], tmp_path / "kv")


def changed(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def refused(folder) -> str:
    with pytest.raises(ArtifactError) as found:
        Artifact(folder)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_an_artifact_says_what_is_in_it(folder):
    """Programs, stacks, and modules that run."""
    artifact = Artifact(folder)
    assert artifact.stack("kv").service == ("10.0.0.1", 4242)
    assert artifact.stack("kv").ends == ("client", "server")
    (program,) = (p for p in artifact.programs if p.name == "kv_request")
    assert (program.backend, program.device, program.root) == ("python", "h1", "datagram")
    assert artifact.module("kv_request").run(bytes(26))[3][1] in {9001, 9002, 9003}


def test_each_import_has_state_of_its_own(folder):
    """Two modules of one program are two runs of it, and `sys.modules` knows neither."""
    artifact = Artifact(folder)
    assert artifact.module("kv_request") is not artifact.module("kv_request")
    assert "kv_request" not in sys.modules


def test_a_folder_without_manifest_is_refused(tmp_path):
    """So is none, and a file."""
    assert "no manifest.json" in refused(tmp_path)
    assert "no manifest.json" in refused(tmp_path / "none")
    (tmp_path / "file").touch()
    assert "cannot be read" in refused(tmp_path / "file")


def test_a_changed_file_is_refused(folder):
    """One byte more, in any file."""
    with (folder / "plan.json").open("a") as file:
        file.write(" ")
    assert "plan.json` is not what the manifest says" in refused(folder)


def test_a_missing_file_is_refused(folder):
    """Named, with the system's reason."""
    (folder / "python" / "kv_request.py").unlink()
    assert "kv_request.py` cannot be read: no such file" in refused(folder)


def test_what_was_checked_is_what_runs(folder):
    """A module that changes after the folder was opened is not run, nor is bytecode that lies beside it."""
    artifact = Artifact(folder)
    path = folder / "python" / "kv_request.py"
    path.write_text("raise SystemExit")
    with pytest.raises(ArtifactError, match="not what the manifest says"):
        artifact.module("kv_request")
    assert not list(folder.rglob("__pycache__"))


@pytest.mark.parametrize(("schema", "hint"), [(2, "newer bertha-ir"), (0, "compile again")])
def test_other_schemas_are_refused(folder, schema, hint):
    """With what to do about it."""
    assert hint in refused(changed(folder, schema=schema))


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "1"},
        {"schema": True},
        {"plan": 5},
        {"programs": {}},
        {"programs": [5]},
        {"programs": [{"name": "p"}]},
        {"stacks": []},
        {"stacks": {"kv": {"ends": ["a"], "service": None}}},
        {"stacks": {"kv": {"ends": ["a", "b"], "service": ["10.0.0.1"]}}},
        {"files": {"../plan.json": "00"}},
        {"files": {"/etc/passwd": "00"}},
        {"files": {"plan.json": 5}},
    ],
    ids=str,
)
def test_damaged_manifests_are_refused(folder, changes):
    """Wrong types, missing keys, paths that leave the folder."""
    assert "manifest.json` is " in refused(changed(folder, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "\0", "[" * 100_000])
def test_manifests_that_are_no_json_objects_are_refused(folder, text):
    """Whatever is there."""
    (folder / "manifest.json").write_text(text)
    assert "is not JSON" in refused(folder) or "no schema number" in refused(folder)


def test_new_keys_are_no_reason_to_refuse(folder):
    """docs/json.md promises that new keys may appear."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for program in manifest["programs"]:
        program["later"] = 1
    Artifact(changed(folder, programs=manifest["programs"], later={}))


def test_the_front_refuses_what_is_no_datagram(folder, caplog):
    """A stack over TCP, by its name; an artifact that does not say its transport is served as before."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["stacks"]["kv"]["transport"] == Artifact(folder).stack("kv").transport == "udp"
    manifest["stacks"]["kv"]["transport"] = "tcp"
    assert main(["front", str(changed(folder, stacks=manifest["stacks"])), "kv"]) == 1
    assert caplog.messages == ["error: `kv` runs over `tcp`, and the front serves UDP datagrams only"]
    del manifest["stacks"]["kv"]["transport"]
    assert Artifact(changed(folder, stacks=manifest["stacks"])).stack("kv").transport is None


def test_unknown_names_are_refused_with_the_known_ones(folder):
    """Stacks and programs; a program of another backend is none for Python."""
    artifact = Artifact(folder)
    with pytest.raises(ArtifactError, match="no stack `vk`; it has `kv`"):
        artifact.stack("vk")
    for name in ("nothing", "kv_pipeline"):
        with pytest.raises(ArtifactError, match=f"no Python program `{name}`; it has `kv_request`"):
            artifact.module(name)


def test_reading_an_artifact_imports_nothing_of_the_compiler():
    """Nor any package from outside the standard library."""
    code = "import sys, bertha_ir.runtime.__main__; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {m for m in modules if m.startswith("bertha_ir")}
    assert ours == {"bertha_ir", *(f"bertha_ir.runtime{m}" for m in ("", ".__main__", ".artifact", ".udp"))}
    assert not {"attrs", "attr", "lark", "networkx", "rich"} & set(modules)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["front", "{folder}/none", "kv"], "no artifact folder"),
        (["front", "{folder}", "other"], "no stack `other`"),
        (["front", "{folder}", "kv", "--listen", "192.0.2.1:1"], "cannot listen at 192.0.2.1:1"),
    ],
)
def test_the_command_says_in_one_line_why_it_cannot_run(folder, arguments, message, capsys, caplog):
    """And exits with 1."""
    assert main([a.format(folder=folder) for a in arguments]) == 1
    assert message in caplog.text or message in capsys.readouterr().err
    assert len(caplog.records) <= 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["back"],
        ["front"],
        ["front", "a", "kv", "--listen", "4242"],
        ["front", "a", "kv", "--listen", "127.0.0.1:70000"],
        ["front", "a", "kv", "--listen", "localhost:1"],
        ["front", "a", "kv", "--map", "10.0.0.1:1"],
        ["front", "a", "kv", "--clients", "0"],
        ["front", "a", "kv", "--idle", "-1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    """And says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_help_has_an_example(capsys):
    """One that can be pasted."""
    with pytest.raises(SystemExit) as ended:
        main(["front", "--help"])
    assert ended.value.code == 0
    assert "python -m bertha_ir.runtime front build/kv kv --listen" in capsys.readouterr().out
