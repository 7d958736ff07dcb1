"""Runs the sharded key-value store on loopback: three shards, the front that steers requests, and a client.

`run.py [ARTIFACT]`: without an artifact folder, the example is compiled into a temporary one.
"""
# ruff: noqa: INP001, S603, T201  (a script: it starts the example's own processes, and prints)

import argparse
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bertha_ir.runtime.artifact import Artifact, ArtifactError

HERE = Path(__file__).parent
PROGRAMS = ("kv_request", "kv_request_send", "kv_request_recv", "kv_response_send", "kv_response_recv")
SHARDS = ("10.0.0.1:9001", "10.0.0.1:9002", "10.0.0.1:9003")


def compiled(folder: Path) -> Path:
    """Compile the example into a folder."""
    bertha = Path(sys.executable).with_name("bertha")
    command: list[str | Path] = [bertha, "compile", HERE / "kv.chunnel", "--site", HERE / "site.chunnel", "-o", folder]
    if subprocess.run(command, check=False).returncode:
        sys.exit("the example does not compile")
    return folder


def positive(text: str) -> int:
    """Return the number above 0 that an argument is."""
    if not text.isdecimal() or int(text) < 1:
        msg = f"`{text}` is no number above 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def checked(folder: Path) -> Path:
    """Return the folder when it is an artifact of this example; else say what is wrong, before anything starts."""
    try:
        artifact = Artifact(folder)
        for name in PROGRAMS:
            artifact.module(name)
    except ArtifactError as error:
        sys.exit(f"error: {error}")
    return folder


def started(stack: ExitStack, *command: object) -> str:
    """Start a process of ours that ends with `stack`; return the address that it prints when it listens."""
    arguments = [sys.executable, *(str(word) for word in command)]
    process = stack.enter_context(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True))
    stack.callback(process.terminate)
    line = process.stdout.readline() if process.stdout else ""
    if not line.startswith("listening at "):
        sys.exit(f"`{' '.join(arguments)}` did not start")
    return line.split()[-1]


def main() -> int:
    """Start everything, run the client, end everything; return the client's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", nargs="?", type=Path, help="the folder that `bertha compile -o` wrote")
    parser.add_argument("--requests", type=positive, metavar="N", default=10_000)
    parser.add_argument("--window", type=positive, metavar="N", default=32, help="requests on their way at once")
    options = parser.parse_args()
    with ExitStack() as stack:
        artifact = checked(options.artifact or compiled(Path(stack.enter_context(TemporaryDirectory()), "kv")))
        maps = []
        for number, shard in enumerate(SHARDS):
            where = started(stack, HERE / "server.py", artifact, "--shard", number)
            print(f"shard {number}: {shard}, here {where}")
            maps += ["--map", f"{shard}={where}"]
        front = started(stack, "-m", "bertha_ir.runtime", "front", artifact, "kv", "--listen", "127.0.0.1:0", *maps)
        print(f"front: {front}", flush=True)
        client = [sys.executable, HERE / "client.py", artifact, front]
        client += ["--requests", str(options.requests), "--window", str(options.window)]
        return subprocess.run(client, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
