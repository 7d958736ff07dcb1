"""What `bertha run` refuses, and what it leaves behind then: nothing."""

import json
import os
import subprocess
import sys

import pytest
from connecting import EXAMPLE
from project import ROOT
from running import DEADLINE, START, request

SERVER = ("ARTIFACT", "kv", "--as", "server", "--listen", "127.0.0.1:0")
CLIENT = ("ARTIFACT", "kv", "--as", "client", "--negotiate", "127.0.0.1:9")


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (("ARTIFACT", "kv", "--echo"), 2, "the following arguments are required: --as"),
        (("ARTIFACT", "kv", "--as", "client"), 2, "a client must know where the server negotiates"),
        ((*CLIENT, "--echo"), 2, "--echo is for the server, and this is the client"),
        ((*CLIENT, "--", "cat"), 2, "a command behind `--` is for the server, and this is the client"),
        ((*SERVER, "--count", "1"), 2, "--count is for the client, and this is the server"),
        (SERVER, 2, "a server answers either by --echo or by a command"),
        ((*SERVER, "--echo", "--", "cat"), 2, "a server answers either by --echo or by a command"),
        ((*SERVER, "--", "/no/such/command"), 2, "there is no command `/no/such/command`"),
        ((*SERVER, "--echo", "--listen", "localhost:1"), 2, "`localhost:1` is not IP:PORT"),
        ((*SERVER, "--echo", "--listen", "1.2.3.4:65536"), 2, "`1.2.3.4:65536` is not IP:PORT"),
        ((*SERVER, "--echo", "--map", "1.2.3.4:1"), 2, "argument --map: `` is not IP:PORT"),
        ((*SERVER, "--echo", "--map", "1.2.3.4:1=1.2.3.4:1"), 2, "the stack `kv` has no endpoint 1.2.3.4:1"),
        ((*SERVER, "--echo", "--policy", "none.py:f"), 2, "there is no Python file `none.py`"),
        ((*SERVER, "--echo", "--secret", "session=hunter2"), 2, "a secret is not given on the command line"),
        ((*SERVER, "--echo", "--secret", "session=@/no"), 2, "the secret `session` cannot be read: /no: no such"),
        ((*SERVER, "--echo", "--secret", "session=@/dev/null"), 2, "/dev/null is empty"),
        ((*SERVER, "--echo", "--secret", "session=env:NONE"), 2, "`NONE` does not hold the secret `session`"),
        ((*SERVER, "--echo", "--interface", "none"), 2, "there is no interface `none`"),
        ((*SERVER, "--echo", "--metrics", "x"), 2, "`127.0.0.1:x` is not IP:PORT"),
        (("/no/such", "kv", "--as", "server", "--echo"), 1, "`/no/such` is no artifact folder"),
        (("ARTIFACT", "other", "--as", "server", "--echo"), 1, "has no stack `other`; it has `kv`"),
        (("SECRET", "app", "--as", "server", "--echo"), 1, "the stack `app` needs the secret `session`"),
        (("ARTIFACT", "kv", "--as", "server", "--echo"), 1, "an address cannot be had: cannot assign"),
        ((*CLIENT, "--timeout", "0.2"), 1, "nobody at 127.0.0.1:9 answers within 0.2 s"),
        ((*SERVER, "--echo", "--registry", "/no/such/registry"), 1, "/no/such/registry"),
    ],
)
def test_wrong_inputs(words, status, why, ended, run_folders):
    """One line, and maybe a hint; a secret is never repeated."""
    given = {"ARTIFACT": str(run_folders.process), "SECRET": str(run_folders.secret)}
    found, out, err = ended("run", *(given.get(word, word) for word in words))
    assert (found, out) == (status, "")
    first, *hint = err.splitlines()
    assert first.startswith("bertha run: error: ")
    assert why in first
    assert len(hint) <= 1
    assert all(line.startswith("hint: ") for line in hint)
    assert "hunter2" not in err


def test_mistakes_of_a_specification(ended, tmp_path):
    """Are those of `bertha check`, with codes and places; as JSON, if that is asked for."""
    path = tmp_path / "app.chunnel"
    path.write_text("stack kv(a, b) { request: shart; }\n")
    status, out, err = ended("run", path, "kv", "--as", "server", "--echo")
    assert (status, out) == (1, "")
    assert "error[CH0" in err
    status, out, err = ended("run", path, "kv", "--as", "server", "--echo", "--json")
    assert (status, json.loads(out)["ok"], err) == (1, False, "")


def test_with_an_artifact_nothing_of_the_compiler_is_loaded(run_folders, tmp_path):
    """Neither for a client nor for a server, nor for `bertha status`."""
    code = f"{START.replace('sys.exit(main())', 'main()')}; print(*sys.modules, file=sys.stderr)"
    wrong = {"z3", "lark", "networkx", "rich", "bertha_ir.api"}
    folders_of = {"bertha_ir.frontend", "bertha_ir.passes", "bertha_ir.backends", "bertha_ir.cost_models"}
    for words in (
        ("run", run_folders.process, "kv", "--as", "client", "--negotiate", "127.0.0.1:9", "--timeout", "0.1"),
        ("run", run_folders.process, "kv", "--as", "server", "--echo"),
        ("status",),
    ):
        env = {**os.environ, "BERTHA_RUNTIME_DIR": str(tmp_path)}
        command = [sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=ROOT)
        loaded = set(done.stderr.split())
        assert "bertha_ir.runtime.described" in loaded or words[3] == "client"
        assert not loaded & (wrong | folders_of)


def test_a_line_that_is_no_record(serve, ended, run_folders):
    """Is refused with its number; what was sent before was sent. Nothing that goes wrong with a record is a trace."""
    _, server = serve(run_folders.process, "--echo")
    ask = ("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"])
    for wrong, why in (
        ("{", "it is not JSON"),
        ("{}", "a `KvRequest` needs the field `client`"),
        (json.dumps(request(1, key=-1)), "it cannot be sent: "),
        (json.dumps(request(1, key=2**64)), "it cannot be sent: "),
        (json.dumps(request(1, value="x" * 2_000_000)), "a line has more than 1048576 bytes"),
    ):
        status, out, err = ended(*ask, given=f"{json.dumps(request(1))}\n\n{wrong}\n")
        assert status == 1
        assert err.startswith("bertha run: error: ")
        assert why in err
        assert err.count("\n") == 1
        assert out.count("\n") <= 1


def test_a_compilation_that_is_stopped(tmp_path):
    """Leaves nothing behind."""
    (tmp_path / "temporary").mkdir()
    code = START.replace("import sys;", "import sys, time; from bertha_ir import api; api.build = WAIT;")
    code = code.replace("WAIT", "lambda _: print('compiling', flush=True) or time.sleep(60)")
    words = [str(EXAMPLE / "kv.chunnel"), "kv", "--as", "server", "--echo"]
    env = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    command = [sys.executable, "-c", code, "run", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout.readline() == "compiling\n"
        assert [*(tmp_path / "temporary").iterdir()]
        process.terminate()
        assert (process.wait(DEADLINE), process.stderr.read()) == (143, "")
    assert [*(tmp_path / "temporary").iterdir()] == []
