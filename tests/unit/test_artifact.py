"""Artifact folders are written whole or not at all, and say what they hold."""

import errno
import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bertha_ir import artifact
from bertha_ir.artifact import Manifest, ManifestProgram, ManifestStack, manifest, stale, write
from bertha_ir.diagnostics import BerthaError

KILLS = 50
EVENTS = {
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.scandir",
    "os.listdir",
    "ctypes.dlsym",
    "shutil.rmtree",
}
WRITER = """
import itertools, sys
from pathlib import Path
from bertha_ir.artifact import Manifest, manifest, write
print("started", flush=True)
for generation in itertools.count():
    files = {f"d{i % 7}/f{i}": f"{generation} {i}".encode() * 300 for i in range(60)}
    write({**files, "manifest.json": manifest(Manifest("p"), files)}, Path(sys.argv[1]))
"""


def bundle(content: bytes = b"one", **more: bytes) -> dict[str, bytes]:
    files = {"plan.json": b"{}\n", "ebpf/h1/kv.bpf.c": content, **more}
    return {**files, "manifest.json": manifest(Manifest("plan"), files)}


def tree(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def refused(files: dict[str, bytes], out: Path) -> tuple[str, str]:
    with pytest.raises(BerthaError) as caught:
        write(files, out)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code.number(), diagnostic.message


def assert_complete(out: Path) -> None:
    written = json.loads((out / "manifest.json").read_bytes())["files"]
    found = {path: hashlib.sha256(content).hexdigest() for path, content in tree(out).items()}
    del found["manifest.json"]
    assert found == written


def test_new_folder_and_its_parents_are_made(tmp_path: Path) -> None:
    """A folder that does not exist is made, with its parents, and holds exactly the files."""
    write(bundle(), tmp_path / "a" / "b")
    assert tree(tmp_path / "a" / "b") == bundle()


def test_older_artifact_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Files of the older artifact that the new one lacks are gone, and nothing is left beside the folder."""
    write(bundle(**{"p4/tor/kv.p4": b"old"}), tmp_path / "out")
    write(bundle(b"two"), tmp_path / "out")
    assert tree(tmp_path / "out") == bundle(b"two")
    assert names(tmp_path) == {"out"}


def test_empty_folder_and_link_to_a_folder_are_taken(tmp_path: Path) -> None:
    """An empty folder is filled; through a symbolic link, the folder it names is replaced and the link stays."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for content in (b"one", b"two"):
        write(bundle(content), tmp_path / "link")
        assert tree(tmp_path / "real") == bundle(content)
        assert (tmp_path / "link").is_symlink()


def test_what_bertha_did_not_write_is_refused(tmp_path: Path) -> None:
    """A folder without our manifest, and a file, are refused and left as they are."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.json").write_text('{"schema": "someone else\'s"}')
    (tmp_path / "file").write_text("text")
    assert refused(bundle(), tmp_path / "mine")[0] == "CH401"
    assert refused(bundle(), tmp_path / "file")[0] == "CH401"
    assert tree(tmp_path) == {"mine/manifest.json": b'{"schema": "someone else\'s"}', "file": b"text"}


@pytest.mark.parametrize("name", ["notes.txt", "ebpf/h1/other.bpf.o", "python/mine.py", "p4/tor/kv.json", ".git/HEAD"])
def test_the_users_own_files_are_not_deleted(tmp_path: Path, name: str) -> None:
    """An artifact's folder with a file that its manifest does not list is refused by the file's name, and kept."""
    out = tmp_path / "out"
    write(bundle(), out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    code, message = refused(bundle(b"two"), out)
    assert (code, f": `{name}`" in message) == ("CH401", True)
    assert tree(out) == {**bundle(), name: b"mine"}


def test_links_are_the_users_and_many_files_are_counted(tmp_path: Path) -> None:
    """A link to a folder is a file like others; of many files five are named."""
    out = tmp_path / "out"
    write(bundle(), out)
    for number in range(8):
        (out / f"link{number}").symlink_to(tmp_path)
    assert refused(bundle(), out)[1].endswith("`link0`, `link1`, `link2`, `link3`, `link4` and 3 more")


def test_what_was_built_in_the_folder_is_replaced(tmp_path: Path) -> None:
    """Objects of the Makefile, p4c's output and Python's bytecode are made again: they do not keep a folder."""
    out = tmp_path / "out"
    write(bundle(**{"p4/tor/kv.p4": b""}), out)
    for name in ("ebpf/h1/kv.bpf.o", "p4/tor/kv.json", "python/__pycache__/kv.cpython-311.pyc"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("made")
    assert stale(out, bundle(**{"p4/tor/kv.p4": b""})) == ()
    write(bundle(b"two"), out)
    assert tree(out) == bundle(b"two")


def test_system_refusal_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, the error says so, the old folder is whole, and nothing is left beside it."""
    write(bundle(), tmp_path / "out")

    def no_space(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    code, message = refused(bundle(b"two"), tmp_path / "out")
    assert (code, "no space left on device" in message) == ("CH402", True)
    assert tree(tmp_path / "out") == bundle()
    assert names(tmp_path) == {"out"}


def test_parent_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A parent that cannot be a folder is named, in one sentence."""
    (tmp_path / "file").write_text("text")
    for out in (tmp_path / "file" / "out", tmp_path / "file" / "a" / "out"):
        assert refused(bundle(), out) == ("CH402", f"`{out}` cannot be written: `{tmp_path}/file` is not a folder")


def test_names_of_our_own_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal while the folder is built beside its place names that place, not the temporary folder."""
    real = Path.mkdir

    def refuse(path: Path, *arguments, **options) -> None:
        if ".bertha-" in path.as_posix():
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        real(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    out = tmp_path / "out"
    assert refused(bundle(), out) == ("CH402", f"`{out}` cannot be written: permission denied")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "a/../../x", "a//b", "", ".", "a/", "a\\b", "a\0b", "a b", "a\n", "ebpf", "é"]
)
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, path: str) -> None:
    """Absolute paths, `..`, names that are also folders, and characters that not every system takes are refused."""
    assert refused({**bundle(), path: b""}, tmp_path / "out")[0] == "CH403"
    assert not (tmp_path / "out").exists()


def test_without_exchange_the_fallback_replaces_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without an atomic exchange, two renames do the same, and nothing is left beside the folder."""
    monkeypatch.setattr(artifact, "_exchange", lambda _a, _b: False)
    for content in (b"one", b"two"):
        write(bundle(content), tmp_path / "out")
        assert tree(tmp_path / "out") == bundle(content)
    assert names(tmp_path) == {"out"}


def test_leftovers_of_dead_compilers_are_removed(tmp_path: Path) -> None:
    """Temporary folders of processes that ended are removed; those of running ones, and other names, are not."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    keep = {".out.bertha-1-0123abcd", ".out.bertha-notes", f".other.bertha-{dead.pid}-0123abcd"}
    for name in (*keep, f".out.bertha-{dead.pid}-0123abcd", f".out.bertha-{os.getpid()}-0123abcd"):
        (tmp_path / name).mkdir()
    write(bundle(), tmp_path / "out")
    assert names(tmp_path) == {"out", *keep}


def test_stale_names_every_difference(tmp_path: Path) -> None:
    """`stale` says which files differ, are missing or are not part of the artifact, and nothing else."""
    out = tmp_path / "out"
    assert stale(out, {"plan.json": b""}) == ("plan.json: missing",)
    write(bundle(), out)
    (out / "ebpf" / "h1" / "kv.bpf.o").write_bytes(b"built")
    assert stale(out, bundle()) == ()
    (out / "extra").write_text("")
    (out / "plan.json").unlink()
    assert stale(out, bundle(b"two")) == (
        "ebpf/h1/kv.bpf.c: differs",
        "extra: not part of the artifact",
        "manifest.json: differs",
        "plan.json: missing",
    )


def test_stale_refuses_other_folders(tmp_path: Path) -> None:
    """Asking whether a folder that Bertha did not write is up to date is a mistake, not a list of differences."""
    (tmp_path / "notes").write_text("")
    with pytest.raises(BerthaError, match="CH401"):
        stale(tmp_path, bundle())


def test_manifest_is_deterministic_and_complete() -> None:
    """The manifest's text depends on its content alone, and holds the hash of every file."""
    stacks = {"kv": ManifestStack(("client", "server"), ("10.0.0.1", 4242), "udp")}
    program = ManifestProgram("kv_h1", "kv", "ebpf", "h1", "frame", "ingress", ("ebpf/h1/kv.bpf.c",), active=True)
    one = manifest(Manifest("id", stacks, [program]), {"a": b"1", "b": b"2"})
    two = manifest(Manifest("id", stacks, [program]), {"b": b"2", "a": b"1"})
    assert one == two
    assert one.endswith(b"}\n")
    content = json.loads(one)
    assert content["schema"] == 1
    assert content["files"] == {"a": hashlib.sha256(b"1").hexdigest(), "b": hashlib.sha256(b"2").hexdigest()}
    none = {"secrets": [], "endpoints": []}
    assert content["stacks"] == {
        "kv": {"ends": ["client", "server"], "service": ["10.0.0.1", 4242], "transport": "udp", **none}
    }
    assert content["programs"][0]["active"] is True


def test_killed_at_any_moment_the_old_folder_or_the_new_one_is_there(tmp_path: Path) -> None:
    """A compiler killed at 50 moments leaves a folder that is complete by its manifest; the next run cleans up."""
    out = tmp_path / "out"
    leftovers = 0
    for kill in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", WRITER, out], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"started\n"
            time.sleep(0.020 if kill == 0 else kill * 0.0013)
            writer.kill()
        if out.exists():
            assert_complete(out)
        leftovers += len(names(tmp_path)) > out.exists()
    assert out.exists()
    assert leftovers > KILLS // 4, "the kills came between the writes, so this test showed nothing"
    write(bundle(), out)
    assert tree(out) == bundle()
    assert names(tmp_path) == {"out"}


def killed_at_event(number: int, files: dict[str, bytes], out: Path) -> bool:
    """Write in a child that dies just before its `number`-th use of the file system; False when it came to its end."""
    child = os.fork()
    if child == 0:
        events = itertools.count()

        def die(event: str, _arguments: object) -> None:
            if event in EVENTS and next(events) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        write(files, out)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def test_killed_before_every_step_the_old_folder_or_the_new_one_is_there(tmp_path: Path) -> None:
    """However far a compiler came, the folder is the old one or the new one, and new only once it is complete."""
    out, seen = tmp_path / "out", []
    for number in itertools.count():
        write(bundle(b"one"), out)
        killed = killed_at_event(number, bundle(b"two"), out)
        seen.append([bundle(b"one"), bundle(b"two")].index(tree(out)))
        if not killed:
            break
    assert seen == sorted(seen)
    assert 0 < sum(seen) < len(seen)
    write(bundle(), out)
    assert names(tmp_path) == {"out"}
