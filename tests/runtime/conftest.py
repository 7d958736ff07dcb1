"""Compiled examples, and processes that end with the test that started them."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from compiling import examples
from connecting import PORTS, built, stores
from p4server import serving
from running import DEADLINE, ENCRYPTED, START, served
from sensors import FIRST, SECOND, SHORTER
from sensors import artifact as sensors_artifact

from bertha_ir import api, artifact
from bertha_ir.cli.main import main


@pytest.fixture(scope="session")
def compiled_examples(tmp_path_factory):
    """The artifact folder of each example, by the example's name."""
    folders = {}
    for example in examples():
        folders[example.name] = tmp_path_factory.mktemp("artifacts") / example.name
        artifact.write(api.artifact(api.build(sorted(example.glob("*.chunnel")))), folders[example.name])
    return folders


@pytest.fixture
def start():
    """Start Python with arguments; return the process and the address at which it says it listens."""
    with ExitStack() as stack:

        def started(*arguments):
            command = [sys.executable, *map(str, arguments)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            ip, _, port = process.stdout.readline().removeprefix("listening at ").rpartition(":")
            return process, (ip, int(port))

        yield started


@pytest.fixture(scope="session")
def sensors(tmp_path_factory):
    """Artifacts: the first; with other entries; with another program; with the program standing by."""
    folder = tmp_path_factory.mktemp("compiled")
    chains = {"first": FIRST, "second": SECOND, "shorter": SHORTER}
    found = {name: sensors_artifact(folder / name, chain) for name, chain in chains.items()}
    return {**found, "standby": sensors_artifact(folder / "standby", policy="")}


@pytest.fixture
def switch():
    with serving() as made:
        yield made


@pytest.fixture
def config(tmp_path):
    """A program, compiled for a switch that is not BMv2."""
    path = tmp_path / "program.bin"
    path.write_bytes(b"\x7fcompiled")
    return path


@pytest.fixture
def on_switch(capsys, switch, config):
    """Run a command on a switch; return its status, what it prints, and what is wrong: one line, and maybe a hint."""

    def run(command, folder, *words, at=None):
        more = ["--device", "tor", "--config", config] if command == "load" else []
        status = main([str(w) for w in (command, folder, *words, *more, "--switch", at or switch.address)])
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert len(lines) <= 2
        assert "Traceback" not in err
        assert all(line.startswith("hint: ") for line in lines[1:])
        return status, out, lines[0] if lines else ""

    return run


@pytest.fixture(scope="session")
def run_folders(tmp_path_factory):
    """Artifacts of the key-value store, sharded in the process or in the switch, and of a stack with a secret."""
    folder = tmp_path_factory.mktemp("artifacts")
    secret = built(folder / "secret", ENCRYPTED)
    return SimpleNamespace(**stores(folder, process="h1", switch="tor"), secret=secret)


@pytest.fixture
def bertha(tmp_path):
    """Start the command; what is left of it ends with the test. Its sockets and temporary files are the test's own."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {**os.environ, "BERTHA_RUNTIME_DIR": str(tmp_path / "sockets"), "TMPDIR": str(temporary)}
    with ExitStack() as ending:

        def started(*words, **options):
            pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            options["env"] = {**env, **options.get("env", {})}
            command = [sys.executable, "-c", START, *map(str, words)]
            process = ending.enter_context(subprocess.Popen(command, text=True, **{**pipes, **options}))
            ending.callback(process.kill)
            return process

        yield started


@pytest.fixture
def ended(bertha):
    """Run the command to its end; return its status, answer and complaint, which is never a trace."""

    def run(*words, given="", **options):
        process = bertha(*words, **options)
        out, err = process.communicate(given, timeout=DEADLINE)
        assert "Traceback" not in err
        return process.returncode, out, err

    return run


@pytest.fixture
def serve(bertha):
    """Start a server on loopback; return the process, and what it says of itself."""

    def started(*words, stack="kv", ports=PORTS[1:], **options):
        mapped = [w for port in ports for w in ("--map", f"10.0.0.1:{port}=127.0.0.1:0")]
        paths = [word for word in words if isinstance(word, Path)]
        common = (stack, "--as", "server", "--json", "--listen", "127.0.0.1:0", *mapped)
        process = bertha("run", *paths, *common, *words[len(paths) :], **options)
        return process, served(process)

    return started
