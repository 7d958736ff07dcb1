"""The examples' own programs do what their READMEs say."""

import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def tried(name, *arguments, script="run.py"):
    command = [sys.executable, EXAMPLES / name / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def run(name, *arguments):
    done = tried(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def test_the_key_value_store_answers(compiled_examples):
    """Every answer is right, and the front lost none."""
    done = run("kv_shard", compiled_examples["kv_shard"], "--requests", "3000")
    assert "3000 answers, 0 wrong" in done.stdout
    assert "3000 forwarded, 3000 replies, 3000 requests" in done.stderr
    assert "p99" in done.stdout


@pytest.mark.skipif(which("memcached") is None, reason="memcached is not installed")
def test_memcached_answers(compiled_examples):
    """Real instances behind the front, each key answered by the one it belongs to."""
    done = run("memcached_steer", compiled_examples["memcached_steer"])
    assert "get mango: mango from low" in done.stdout
    assert "get nutmeg: nutmeg from high" in done.stdout
    assert "get 7up: 7up from other" in done.stdout
    assert "8 gets, 0 answered by the wrong instance" in done.stdout


def test_without_an_artifact_the_example_is_compiled():
    """So that one command shows it."""
    assert "500 answers, 0 wrong" in run("kv_shard", "--requests", "500").stdout


def test_a_wrong_folder_is_refused_before_anything_starts(compiled_examples):
    """One line that names the folder and what it lacks: of a path that is none, and of the other example's artifact."""
    other = {"kv_shard": "memcached_steer", "memcached_steer": "kv_shard"}
    for name, program in (("kv_shard", "kv_request"), ("memcached_steer", "memcached_request")):
        done = tried(name, "/nonexistent")
        assert done.stderr == "error: `/nonexistent` is no artifact folder: there is no manifest.json\n"
        assert (done.returncode, done.stdout) == (1, "")
        folder = compiled_examples[other[name]]
        done = tried(name, folder)
        assert done.stderr.startswith(f"error: `{folder}` has no Python program `{program}`; it has ")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("script", ["client.py", "server.py"])
def test_each_part_of_the_store_refuses_a_wrong_folder(script):
    """Started by hand, too."""
    more = ["127.0.0.1:9"] if script == "client.py" else ["--shard", "0"]
    done = tried("kv_shard", "/nonexistent", *more, script=script)
    assert (done.returncode, done.stderr) == (
        1,
        "error: `/nonexistent` is no artifact folder: there is no manifest.json\n",
    )


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("run.py", ["--requests", "0"]),
        ("run.py", ["--requests", "-1"]),
        ("run.py", ["--window", "0"]),
        ("client.py", ["x", "127.0.0.1"]),
        ("client.py", ["x", "localhost:4242"]),
        ("client.py", ["x", "127.0.0.1:0"]),
        ("server.py", ["x", "--shard", "3"]),
    ],
)
def test_arguments_that_make_no_sense_are_wrong_usage(script, arguments):
    """Status 2 and argparse's line, before anything starts."""
    done = tried("kv_shard", *arguments, script=script)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{script}: error: argument " in done.stderr.splitlines()[-1]
