"""The command line: exit statuses, streams, JSON, and failures that never show a traceback."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import ROOT

from bertha_ir import __version__, api
from bertha_ir.cli.arguments import make_parser
from bertha_ir.cli.main import main
from bertha_ir.codes import CH401OutputNotArtifact
from bertha_ir.cost_models import UnknownModelError
from bertha_ir.diagnostics import BerthaError, Diagnostic
from bertha_ir.plan import Assumption, Binding, Crossing, LedgerEntry, Plan, Refusal
from bertha_ir.source import SourceFile, Span
from bertha_ir.spec import Site, Specification
from bertha_ir.text import parse_ir

START = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"
SLOW = """
import sys, time
from bertha_ir import api
from bertha_ir.cli.arguments import make_parser
from bertha_ir.cli.main import main

def build(*files, **options):
    print("working", flush=True)
    time.sleep(60)

api.build = build
sys.exit(main(["plan", "f"]))
"""
SOURCE = SourceFile("kv.chunnel", "stack kv(a, b) { }\n")
MISTAKE = Diagnostic(CH401OutputNotArtifact, "a mistake", Span(SOURCE, 6, 8), "do this")
PLAN = Plan(
    "kv",
    ("client", "server"),
    ("c1", "h1"),
    (0x0A000001, 4242),
    ("c1", "tor", "h1"),
    (
        Binding(
            "shard.packet", "request", "kernel(h1)", "ebpf", "ingress", active=True, reason="first", latency_ns=80.0
        ),
        Binding("shard.packet", "request", "tor", "p4", "pipeline", active=False, reason="second", latency_ns=None),
    ),
    (Refusal("shard.packet", "c1", "is no device of the path"),),
    (Crossing("request", "c1", "tor", "ethernet", 1500.0),),
    (LedgerEntry("undo", "wire", "proved", "effects", "shard.packet"),),
    (Assumption("messages have 64 bytes", "compiler", "costs"),),
    64,
    "profile",
)
COMPILED = api.Compiled(
    Specification((), (), (), Site()),
    (PLAN,),
    (),
    (("stack", ()), ("after expand", ()), ("after place", (PLAN,))),
    "expand,place",
)
FILES = {"plan.json": b"{}\n", "manifest.json": b'{"bertha": "0", "files": {"plan.json": ""}, "schema": 1}\n'}


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Compiling gives a fixed answer; the list has what each call was given."""
    calls: list[dict[str, object]] = []

    def build(files, **options):
        calls.append({"files": list(files), **options})
        return COMPILED

    monkeypatch.setattr(api, "build", build)
    monkeypatch.setattr(api, "artifact", lambda _compiled: FILES)
    return calls


def refusing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def build(*_files, **_options):
        raise error

    monkeypatch.setattr(api, "build", build)


def bertha(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_version_and_help_answer_on_standard_output() -> None:
    """`--version` prints one line, and every command's help has examples and the exit statuses."""
    assert bertha("--version").stdout == f"bertha {__version__}\n"
    commands = "check compile plan ir explain effects passes targets load unload stats prove schedule calibrate"
    for command in (*commands.split(), "run", "status"):
        examples = [line for line in bertha(command, "--help").stdout.splitlines() if line.startswith("  bertha ")]
        assert examples
        for example in examples:
            assert make_parser().parse_args(shlex.split(example)[1:]).command == command


def test_the_nearest_word_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    """For a command, and for a choice of an option; a word that is near none has no offer."""
    for arguments, word in ((["chek"], "check"), (["ir", "f", "--stage", "plant"], "plan"), (["zzz"], None)):
        with pytest.raises(SystemExit):
            main(arguments)
        hint = capsys.readouterr().err.splitlines()[1]
        assert hint.startswith(f"hint: did you mean `{word}`? see `bertha" if word else "hint: see `bertha")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["chek"],
        ["check"],
        ["--vers"],
        ["compile", "f", "-o", ""],
        ["plan", "--json"],
        ["compile", "f", "--check", ""],
        ["compile", "f"],
        ["compile", "f", "-o", "x", "--check", "y"],
        ["compile", "f", "--ou", "x"],
        ["ir", "f"],
        ["ir", "f", "--stage", "machine"],
        ["explain", "CH999"],
    ],
)
def test_wrong_usage_is_one_line_and_a_hint(arguments, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage exits with 2; standard error has one line that says what, and one that says where help is."""
    try:
        code: object = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith("bertha")
    assert ": error: " in first
    assert second.startswith("hint: ")


def test_check_says_nothing_when_all_is_well(built, capsys: pytest.CaptureFixture[str]) -> None:
    """No mistakes: no output, status 0; the site's files are checked with the others."""
    assert main(["check", "a", "b", "--site", "s"]) == 0
    assert capsys.readouterr() == ("", "")
    assert built[0]["files"] == [Path("a"), Path("b"), Path("s")]


def test_mistakes_go_to_standard_error_with_status_1(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that compiles reports mistakes on standard error, without colour in a pipe, and exits with 1."""
    refusing(monkeypatch, BerthaError((MISTAKE, MISTAKE)))
    for arguments in (["check", "f"], ["plan", "f"], ["ir", "f", "--stage", "plan"], ["compile", "f", "-o", "nowhere"]):
        assert main(arguments) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("error[CH401]: a mistake\n --> kv.chunnel:1:7\n") == 2
        assert err.endswith("\n2 errors; `bertha explain CH401` says more about CH401\n")
        assert "\x1b" not in err


def test_mistakes_as_json(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` the mistakes are the answer, on standard output; the status is the same."""
    refusing(monkeypatch, BerthaError((MISTAKE,)))
    for arguments in (["check", "f"], ["plan", "f"], ["compile", "f", "-o", "nowhere"]):
        assert main([*arguments, "--json"]) == 1
        out, err = capsys.readouterr()
        answer = json.loads(out)
        assert (answer["schema"], answer["ok"], err) == (1, False, "")
        assert answer["diagnostics"][0]["code"] == "CH401"


def test_warnings_alone_are_no_refusal(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning is shown, and the status is still 0."""
    warning = Diagnostic(CH401OutputNotArtifact, "careful", None, severity="warning")
    monkeypatch.setattr(api, "check", lambda _files: (warning,))
    assert main(["check", "f"]) == 0
    assert "warning[CH401]: careful" in capsys.readouterr().err


def test_compile_passes_its_options_on(built, tmp_path: Path) -> None:
    """Each option reaches the compiler."""
    options = ["--stack", "kv", "--pipeline", "no-opt", "--cost-model", "unit", "--no-verify", "--site", "s"]
    assert main(["compile", "f", "-o", str(tmp_path / "out"), *options]) == 0
    files = [Path("f"), Path("s")]
    assert built == [{"files": files, "stacks": ["kv"], "pipeline": "no-opt", "cost_model": "unit", "verify": False}]


@pytest.mark.usefixtures("built")
def test_compile_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o` writes the folder; `--check` says 0 when it is up to date, and 1 with each difference when it is not."""
    out = tmp_path / "out"
    assert main(["compile", "f", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}: 2 files, plan {PLAN.id[:12]}\n"
    assert {p.name: p.read_bytes() for p in out.iterdir()} == FILES
    assert main(["compile", "f", "--check", str(out)]) == 0
    assert capsys.readouterr().out == f"{out} is up to date\n"
    (out / "plan.json").write_bytes(b"changed")
    assert main(["compile", "f", "--check", str(out)]) == 1
    assert capsys.readouterr().out == f"{out} is out of date:\n  plan.json: differs\n"
    assert main(["compile", "f", "--check", str(out), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["differences"] == ["plan.json: differs"]
    assert main(["compile", "f", "-o", str(out), "--json"]) == 0
    answer = {"schema": 1, "ok": True, "out": str(out), "plan": PLAN.id, "files": ["manifest.json", "plan.json"]}
    assert json.loads(capsys.readouterr().out) == answer


@pytest.mark.usefixtures("built")
def test_compile_does_not_replace_other_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that Bertha did not write is refused, and stays."""
    (tmp_path / "mine").write_text("")
    assert main(["compile", "f", "-o", str(tmp_path)]) == 1
    assert "error[CH401]" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.usefixtures("built")
def test_ir_prints_what_parses_back(capsys: pytest.CaptureFixture[str]) -> None:
    """The text of each stage parses back to the stage's value; a pass that did not run is wrong usage."""
    for arguments, value in (
        (["--stage", "stack"], COMPILED.specification),
        (["--stage", "plan"], (PLAN,)),
        (["--stage", "program"], ()),
        (["--after", "place"], (PLAN,)),
    ):
        assert main(["ir", "f", *arguments]) == 0
        text = capsys.readouterr().out
        assert parse_ir(text) == value
        assert main(["ir", "f", *arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["text"] == text
    assert main(["ir", "f", "--after", "lower"]) == 2
    assert "`expand,place` has no pass `lower`" in capsys.readouterr().err


def test_passes_and_pipelines_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each pass has a line that says what it does, and each pipeline its passes, as text and as JSON."""
    assert main(["passes"]) == 0
    text = capsys.readouterr().out
    assert "  expand        turn each direction of a stack into a graph of ops" in text
    assert main(["passes", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["pipelines"]["default"].split(",")[0] == "select"
    assert all(p["name"] in text and p["summary"] in text for p in answer["passes"])


def test_unknown_cost_model_is_wrong_usage(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A cost model that does not exist, or a file that holds none, is wrong usage: status 2."""
    refusing(monkeypatch, UnknownModelError("no cost model is called `nope`"))
    assert main(["plan", "f", "--cost-model", "nope"]) == 2
    assert capsys.readouterr().err.startswith("bertha plan: error: no cost model is called `nope`\nhint: ")


def test_internal_error_is_one_line(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that nothing expected: status 4, one line, no traceback unless asked for."""
    refusing(monkeypatch, RuntimeError("broken\ninside"))
    assert main(["plan", "f"]) == 4
    line = "internal error: RuntimeError: broken inside, please report; run with --traceback to see it\n"
    assert capsys.readouterr() == ("", line)
    assert main(["plan", "f", "--traceback"]) == 4
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith(line)


def test_a_missing_extra_is_named(monkeypatch) -> None:
    """To replay `compress` takes its library: the line says how to install it; other modules are internal errors."""
    arguments = ["prove", "compress", "count(dns.id)", "--no-cache"]
    text = (
        f"import sys; sys.modules['zstandard'] = None; from bertha_ir.cli.main import main; sys.exit(main({arguments}))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("hint: pip install 'bertha-ir[codecs]'\n")
    refusing(monkeypatch, ModuleNotFoundError("no module", name="elsewhere"))
    assert main(["plan", "f"]) == 4


def test_interrupt_is_status_130(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Control-C ends a command quietly."""
    refusing(monkeypatch, KeyboardInterrupt())
    assert main(["plan", "f"]) == 130
    assert capsys.readouterr() == ("", "")


def test_interrupt_of_a_running_command() -> None:
    """A real SIGINT while a command works: status 130 and nothing on standard error."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize(("arguments", "name"), [(["passes"], "stdout"), (["check", "nowhere"], "stderr")])
def test_closed_pipe_is_quiet(arguments, name: str) -> None:
    """When the reader goes away, the command ends as SIGPIPE would have ended it, and prints nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, name: writer}
    try:
        result = subprocess.run([sys.executable, "-c", START, *arguments], check=False, **streams)
    finally:
        os.close(writer)
    assert (result.returncode, result.stdout or b"", result.stderr or b"") == (141, b"", b"")


def closing(number: int, *arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of a command that is started with a stream closed."""
    line = f'"$0" "$@" {number}>&-'
    result = subprocess.run(
        ["sh", "-c", line, sys.executable, "-c", START, *arguments], capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("command", ["passes", "--help"])
def test_answer_to_a_closed_output_is_a_failure(command: str) -> None:
    """A command whose standard output was closed before it began does not claim success."""
    line = "bertha: error: the answer cannot be written: [Errno 9] Bad file descriptor\n"
    assert closing(1, command) == (1, "", line)


def test_closed_stream_that_nothing_is_written_to_is_no_failure() -> None:
    """Without an answer there is nothing to lose; with standard error closed, the answer and the status say all."""
    assert closing(1, "check", str(ROOT / "tests/meta/readme.chunnel"))[0] == 1
    assert closing(1, "check", str(ROOT / "examples/kv_shard/kv.chunnel")) == (0, "", "")
    status, out, _ = closing(2, "passes")
    assert (status, out.startswith("passes")) == (0, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device of Linux")
def test_full_disk_is_one_line() -> None:
    """When the answer cannot be written, the command says so and does not claim success."""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-c", START, "passes"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == 1
    assert result.stderr == "bertha: error: the answer cannot be written: [Errno 28] No space left on device\n"


def test_narrow_encoding_is_no_crash() -> None:
    """On a terminal whose encoding lacks a character, the character is spelled out."""
    result = bertha("passes", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (result.returncode, result.stderr) == (0, "")
