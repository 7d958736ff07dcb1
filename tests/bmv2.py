"""Compiles P4 with p4c and runs frames through BMv2's `simple_switch`, from files: no interface, no privilege."""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ("p4c-bm2-ss", "simple_switch", "simple_switch_CLI")
MISSING_SERVER = () if shutil.which("simple_switch_grpc") else ("simple_switch_grpc",)  # with P4Runtime
MISSING = tuple(tool for tool in TOOLS if shutil.which(tool) is None)
GLOBAL_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
QUEUE = 1 << 16  # frames a port may hold; BMv2 reads files as fast as it can and drops what exceeds its queues
PORTS = 2


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


def compile_p4(source: Path, *options: str, warnings: bool = False) -> Path:
    """Compile. Unless they are expected, every warning is an error, and p4c says nothing."""
    target = source.with_suffix(".json")
    strict = () if warnings else ("--Werror",)
    done = subprocess.run(
        ["p4c-bm2-ss", *strict, "-o", target, *options, source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert warnings or not done.stdout + done.stderr
    return target


def run_switch(program: Path, commands: str, frames: list[tuple[int, bytes]], expected: int) -> list[list[bytes]]:
    """Send frames, each into its port, in this order, once the commands were taken; return the frames out of each
    port. Waits until `expected` came out, and a little for more; gives up after half a minute."""
    for wait in (4, 12, 30):
        for port in range(PORTS):
            write_pcap(program.parent / f"v{port}_in.pcap", [(t, f) for t, (p, f) in enumerate(frames) if p == port])
            (program.parent / f"v{port}_out.pcap").unlink(missing_ok=True)
        out = _run(program, commands, expected, wait)
        if out is not None:
            return out
    raise TimeoutError(program)


def _run(program: Path, commands: str, expected: int, wait: int) -> list[list[bytes]] | None:
    """Run the switch, which reads its files after `wait` seconds; None when it was not configured by then."""
    folder, thrift = program.parent, str(_free_port())
    interfaces = [word for port in range(PORTS) for word in ("-i", f"{port}@v{port}")]
    arguments = ["simple_switch", "--use-files", str(wait), "--thrift-port", thrift, *interfaces, program.name]
    started = time.monotonic()
    with subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as switch:
        try:
            ready = _configure(thrift, f"set_queue_depth {QUEUE}\n{commands}", started + wait)
            return _collect(folder, expected, started + wait + 30) if ready else None
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


def _configure(thrift: str, commands: str, deadline: float) -> bool:
    """Give the switch its entries; False when the time ran out."""
    arguments = ["simple_switch_CLI", "--thrift-port", thrift]
    while True:
        done = subprocess.run(arguments, input=commands, capture_output=True, text=True, check=False)
        if time.monotonic() > deadline:
            return False
        if done.returncode == 0 and "Could not connect" not in done.stdout + done.stderr:
            break
        time.sleep(0.1)
    wrong = [line for line in done.stdout.splitlines() if "Error" in line or "Invalid" in line or "Unknown" in line]
    assert not wrong, done.stdout
    return True


def _collect(folder: Path, expected: int, deadline: float) -> list[list[bytes]]:
    """Wait for the frames, and then half a second for frames that should not be."""
    while True:
        enough = sum(len(read_pcap(folder / f"v{port}_out.pcap")) for port in range(PORTS)) >= expected
        if enough or time.monotonic() > deadline:
            time.sleep(0.5)
            return [read_pcap(folder / f"v{port}_out.pcap") for port in range(PORTS)]
        time.sleep(0.1)
