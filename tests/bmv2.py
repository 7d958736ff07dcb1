"""Compiles P4 with p4c and runs frames through BMv2's `simple_switch`, from files: no interface, no privilege."""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

TOOLS = ("p4c-bm2-ss", "simple_switch", "simple_switch_CLI")
MISSING = tuple(tool for tool in TOOLS if shutil.which(tool) is None)
GLOBAL_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
QUEUE = 1 << 16  # frames a port may hold; BMv2 reads files as fast as it can and drops what exceeds its queues
LOADED = "switch was not filled in time"


def write_pcap(path: Path, frames: list[tuple[int, bytes]]) -> None:
    """Write frames, each with its microsecond."""
    records = (struct.pack("<IIII", t // 10**6, t % 10**6, len(f), len(f)) + f for t, f in frames)
    path.write_bytes(GLOBAL_HEADER + b"".join(records))


def read_pcap(path: Path) -> list[bytes]:
    """Read the whole frames of a file that may still grow."""
    data, at, frames = path.read_bytes() if path.exists() else b"", len(GLOBAL_HEADER), []
    while at + 16 <= len(data):
        end = at + 16 + struct.unpack_from("<I", data, at + 8)[0]
        if end > len(data):
            break
        frames.append(data[at + 16 : end])
        at = end
    return frames


def compile_p4(source: Path, *options: str) -> Path:
    """Compile; every warning is an error, and p4c says nothing."""
    target = source.with_suffix(".json")
    done = subprocess.run(
        ["p4c-bm2-ss", "--Werror", "-o", target, *options, source], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return target


def run_switch(program: Path, commands: str, frames: list[tuple[int, bytes]], ports: int, expected: int):
    """Send frames, each into its port, in this order, once the commands were taken; return the frames out of each
    port. Waits until `expected` came out, and a little for more; gives up after half a minute."""
    for wait in (4, 12, 30):
        try:
            return _run(program, commands, frames, ports, expected, wait)
        except TimeoutError as error:
            if wait == 30 or LOADED not in str(error):
                raise
    raise AssertionError


def _run(program: Path, commands: str, frames: list[tuple[int, bytes]], ports: int, expected: int, wait: int):
    folder = program.parent
    for port in range(ports):
        write_pcap(folder / f"v{port}_in.pcap", [(t, f) for t, (p, f) in enumerate(frames) if p == port])
        (folder / f"v{port}_out.pcap").unlink(missing_ok=True)
    thrift = str(_free_port())
    interfaces = [word for port in range(ports) for word in ("-i", f"{port}@v{port}")]
    arguments = ["simple_switch", "--use-files", str(wait), "--thrift-port", thrift, *interfaces, program.name]
    started = time.monotonic()
    with subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as switch:
        try:
            _configure(thrift, f"set_queue_depth {QUEUE}\n{commands}", started + wait)
            return _collect(folder, ports, expected, started + wait + 30)
        finally:
            switch.send_signal(signal.SIGINT)
            try:
                switch.wait(5)
            except subprocess.TimeoutExpired:
                switch.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configure(thrift: str, commands: str, deadline: float) -> None:
    while True:
        done = subprocess.run(
            ["simple_switch_CLI", "--thrift-port", thrift], input=commands, capture_output=True, text=True, check=False
        )
        if time.monotonic() > deadline:
            raise TimeoutError(LOADED)
        if done.returncode == 0 and "Could not connect" not in done.stdout + done.stderr:
            break
        time.sleep(0.1)
    wrong = [line for line in done.stdout.splitlines() if "Error" in line or "Invalid" in line or "Unknown" in line]
    assert not wrong, done.stdout


def _collect(folder: Path, ports: int, expected: int, deadline: float):
    late = None
    while True:
        out = {port: read_pcap(folder / f"v{port}_out.pcap") for port in range(ports)}
        if late is None and (sum(map(len, out.values())) >= expected or time.monotonic() > deadline):
            late = time.monotonic() + 0.5
        if late is not None and time.monotonic() > late:
            return out
        time.sleep(0.1)
