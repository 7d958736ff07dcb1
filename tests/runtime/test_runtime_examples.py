"""The examples' own programs do what their READMEs say."""

import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    command = [sys.executable, EXAMPLES / name / "run.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
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
