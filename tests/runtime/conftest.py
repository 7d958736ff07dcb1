"""Compiled examples, and processes that end with the test that started them."""

import subprocess
import sys
from contextlib import ExitStack

import pytest
from compiling import examples

from bertha_ir import api, artifact


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
