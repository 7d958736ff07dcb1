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

HERE = Path(__file__).parent
SHARDS = ("10.0.0.1:9001", "10.0.0.1:9002", "10.0.0.1:9003")


def compiled(folder: Path) -> Path:
    """Compile the example into a folder."""
    bertha = Path(sys.executable).with_name("bertha")
    command: list[str | Path] = [bertha, "compile", HERE / "kv.chunnel", "--site", HERE / "site.chunnel", "-o", folder]
    if subprocess.run(command, check=False).returncode:
        sys.exit("the example does not compile")
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
    parser.add_argument("--requests", default="10000")
    parser.add_argument("--window", default="32", help="requests on their way at once")
    options = parser.parse_args()
    with ExitStack() as stack:
        artifact = options.artifact or compiled(Path(stack.enter_context(TemporaryDirectory()), "kv"))
        maps = []
        for number, shard in enumerate(SHARDS):
            where = started(stack, HERE / "server.py", artifact, "--shard", number)
            print(f"shard {number}: {shard}, here {where}")
            maps += ["--map", f"{shard}={where}"]
        front = started(stack, "-m", "bertha_ir.runtime", "front", artifact, "kv", "--listen", "127.0.0.1:0", *maps)
        print(f"front: {front}", flush=True)
        client = [sys.executable, HERE / "client.py", artifact, front]
        return subprocess.run(
            [*client, "--requests", options.requests, "--window", options.window], check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
