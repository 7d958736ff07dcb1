"""Runs three real memcached instances behind the front on loopback: UDP `get`s are steered by the key's first letter.

`run.py [ARTIFACT]`: without an artifact folder, the example is compiled into a temporary one. Every instance holds
every key, with a value that names the instance: so the answer tells who gave it.
"""
# ruff: noqa: INP001, S603, T201  (a script: it starts the example's own processes, and prints)

import argparse
import getpass
import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from bertha_ir.runtime.artifact import Artifact, ArtifactError

HERE = Path(__file__).parent
INSTANCES = {"low": "10.0.0.1:11301", "high": "10.0.0.1:11302", "other": "10.0.0.1:11303"}
KEYS = ("apple", "Banana", "mango", "nutmeg", "Orange", "zebra", "7up", "_secret")
FRAME = struct.Struct(">HHHH")  # request id, number of this datagram, how many, reserved


def expected(key: str) -> str:
    """Return the instance that a key belongs to."""
    letter = key[0].upper()
    return "low" if "A" <= letter <= "M" else "high" if "N" <= letter <= "Z" else "other"


def compiled(folder: Path) -> Path:
    """Compile the example into a folder."""
    bertha, spec = Path(sys.executable).with_name("bertha"), HERE / "memcached.chunnel"
    command: list[str | Path] = [bertha, "compile", spec, "--site", HERE / "site.chunnel", "-o", folder]
    if subprocess.run(command, check=False).returncode:
        sys.exit("the example does not compile")
    return folder


def checked(folder: Path) -> Path:
    """Return the folder when it is an artifact of this example; else say what is wrong, before anything starts."""
    try:
        Artifact(folder).module("memcached_request")
    except ArtifactError as error:
        sys.exit(f"error: {error}")
    return folder


def memcached(stack: ExitStack, name: str) -> str:
    """Start an instance that ends with `stack`, and fill it; return its address."""
    program = which("memcached")
    if program is None:
        sys.exit("memcached is not installed; on Debian: apt-get install memcached")
    for _ in range(20):
        port = str(free_port())
        command = [program, "-l", "127.0.0.1", "-U", port, "-p", port, "-m", "16", "-t", "1"]
        command += ["-u", "nobody"] * (getpass.getuser() == "root")
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        if connected(process, int(port)):
            stack.callback(process.wait)
            stack.callback(process.terminate)
            fill(int(port), name)
            return f"127.0.0.1:{port}"
    sys.exit("memcached does not start")


def free_port() -> int:
    """Return a port that nobody has, for the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connected(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until an instance takes connections; False when it ended, its port being another's."""
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return process.poll() is None
        if process.poll() is not None:
            return False
    process.terminate()
    return False


def fill(port: int, name: str) -> None:
    """Give an instance a value for each key, over TCP."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        for key in KEYS:
            value = f"{key} from {name}"
            connection.sendall(f"set {key} 0 0 {len(value)}\r\n{value}\r\n".encode())
            if answers.readline() != b"STORED\r\n":
                sys.exit(f"memcached does not store `{key}`")


def front(stack: ExitStack, artifact: Path, maps: list[str]) -> tuple[str, int]:
    """Start the front, which ends with `stack`; return its address."""
    command = [
        sys.executable,
        "-m",
        "bertha_ir.runtime",
        "front",
        str(artifact),
        "memcached",
        "--listen",
        "127.0.0.1:0",
    ]
    process = stack.enter_context(subprocess.Popen([*command, *maps], stdout=subprocess.PIPE, text=True))
    stack.callback(process.terminate)
    line = process.stdout.readline() if process.stdout else ""
    if not line.startswith("listening at "):
        sys.exit("the front did not start")
    ip, _, port = line.split()[-1].rpartition(":")
    return ip, int(port)


def get(client: socket.socket, number: int, key: str) -> str:
    """Return the value of a key, asked for over UDP."""
    client.send(FRAME.pack(number, 0, 1, 0) + f"get {key}\r\n".encode())
    answer = client.recv(65535)
    if FRAME.unpack_from(answer)[0] != number:
        sys.exit("an answer to another request")
    lines = answer[FRAME.size :].split(b"\r\n")
    return lines[1].decode() if lines[0].startswith(b"VALUE ") else "nothing"


def main() -> int:
    """Start everything, get every key, end everything; return 0 when each came from where it belongs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", nargs="?", type=Path, help="the folder that `bertha compile -o` wrote")
    options = parser.parse_args()
    with ExitStack() as stack:
        artifact = checked(options.artifact or compiled(Path(stack.enter_context(TemporaryDirectory()), "memcached")))
        maps = []
        for name, place in INSTANCES.items():
            where = memcached(stack, name)
            print(f"{name}: {place}, here {where}")
            maps += ["--map", f"{place}={where}"]
        client = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.settimeout(2)
        client.connect(front(stack, artifact, maps))
        wrong = 0
        for number, key in enumerate(KEYS):
            value = get(client, number, key)
            wrong += value != f"{key} from {expected(key)}"
            print(f"get {key}: {value}")
    print(f"{len(KEYS)} gets, {wrong} answered by the wrong instance")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
