"""The commands of docs/deploy.md work: run as they stand there, in namespaces, with traffic."""

import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from bmv2 import MISSING as NO_BMV2
from bmv2 import MISSING_SERVER as NO_SERVER
from frames import frame
from loading import needs_kernel
from netns import Pair, command
from project import ROOT

from bertha_ir.runtime.primitives import fnv1a

TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
KERNEL = TEXT.partition("## A switch")[0]
SWITCH = TEXT.partition("## A switch")[2]
SERVICE, SHARDS = ("10.0.0.1", 7000), (("10.0.0.1", 7001), ("10.0.0.1", 7002))
DONE = "this block is done"


def scripts(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def written(folder: Path) -> None:
    """Write the files that the document shows."""
    shown = [body for kind, body in BLOCKS if kind in {"chunnel", "python"}]
    for name, body in zip(("sensors.chunnel", "site.chunnel", "fill.py"), shown, strict=True):
        (folder / name).write_text(body)


class Shell:
    """A shell in a mount namespace of its own, an empty /sys/fs/bpf, that ends at the first failure."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            ["unshare", "-m", "bash", "-e"], cwd=folder, env={**os.environ, "DEV": "wire", "PATH": path}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.run("mount -t bpf bpf /sys/fs/bpf")

    def run(self, script: str) -> str:
        """Run commands; return what they print. Fails the test when one fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{script}\necho; echo {DONE}\n")
        self.process.stdin.flush()
        lines: list[str] = []
        for line in self.process.stdout:
            if line == f"{DONE}\n":
                return "".join(lines)
            lines.append(line)
        pytest.fail(f"{script}\n{''.join(lines)}")


@contextmanager
def shell(folder: Path):
    """A shell that is gone afterwards, with what it started."""
    made = Shell(folder)
    try:
        yield made
    finally:
        made.process.stdin.write("kill $(jobs -p) 2> /dev/null || true\nexit\n")
        made.process.stdin.close()
        made.process.wait(10)


def send(pair: Pair, kinds: list[int], source: tuple[str, int]) -> int:
    """Send a reading of each kind to the service; return how many a shard got, and answered as the service."""
    shards = [pair.server.socket(at) for at in SHARDS]
    client = pair.client.socket(source)
    client.connect(SERVICE)
    answered = 0
    for number, kind in enumerate(kinds):
        client.send(struct.pack(">IBI", number, kind, 7))
        for shard in select.select(shards, [], [], 0.3)[0]:
            data, sender = shard.recvfrom(100)
            shard.sendto(data, sender)
            answered += client.recv(100) == data
    for opened in (*shards, client):
        opened.close()
    return answered


@pytest.mark.kernel
@pytest.mark.skipif(needs_kernel[1].args[0], reason="EBPF IS NOT RUN")
def test_the_kernels_commands_work(tmp_path: Path) -> None:
    """Loaded, filled and attached by the document's commands, the programs shard and count; a prefix that is added at
    run time is denied; and nothing is left on the interface.
    """
    written(tmp_path)
    load, fill, attach, change, remove = scripts(KERNEL)
    with Pair() as pair:
        with pair.client:
            for address in ("10.8.0.9/32", "10.9.0.9/32"):
                command("ip", "address", "add", address, "dev", "wire")
        with pair.server:
            command("ip", "route", "add", "10.8.0.0/15", "dev", "wire")
            with shell(tmp_path) as opened:
                opened.run(load)
                assert '"prefix": [10,9,0,0' in opened.run(fill)
                opened.run(attach)
                assert send(pair, [1, 1, 2], ("10.0.0.9", 5555)) == 3
                assert send(pair, [1], ("10.9.0.9", 5556)) == 0
                assert send(pair, [3], ("10.8.0.9", 5557)) == 1
                _, *rows = opened.run(change).split('"k0": ')  # each key, and its value on every processor
                counters = {
                    int(re.match(r"\d+", row)[0]): sum(map(int, re.findall(r'"v0": (\d+)', row))) for row in rows
                }
                assert counters == {1: 2, 2: 1, 3: 1}
                assert send(pair, [3], ("10.8.0.9", 5558)) == 0
                opened.run(remove)
                assert "xdp" not in command("ip", "link", "show", "wire")
                assert "clsact" not in command("tc", "qdisc", "show", "dev", "wire")


@pytest.mark.p4
@pytest.mark.skipif(bool(NO_BMV2 or needs_kernel[1].args[0]), reason=f"P4 IS NOT RUN: {', '.join(NO_BMV2)} missing")
def test_the_switchs_commands_work(tmp_path: Path) -> None:
    """Between two interfaces, the switch that the document's commands start and fill shards and counts."""
    written(tmp_path)
    start, fill, *_ = scripts(SWITCH)
    with Pair() as pair, pair.server, shell(tmp_path) as opened:
        near, far = (ends(name) for name in ("sw1", "sw2"))
        opened.run(scripts(KERNEL)[0].splitlines()[0])
        opened.run(start)
        listening()
        opened.run(fill)
        for number, source in enumerate((0x0A000009, 0x0A090009, 0x0A000009)):
            near.send(frame((source, 5555), (0x0A000001, 7000), struct.pack(">IBI", number, 1, 7)))
        seen = [received(far), received(far)]
        assert {(struct.unpack_from(">H", data, 36)[0], data[45]) for data in seen} == {(shard(0), 0), (shard(2), 2)}
        assert "sensors_count_hits[1]= 2" in opened.run(fill.splitlines()[1])
        (station,) = re.findall(r"`(table_add Pipeline.stations .*?)`", SWITCH)
        assert "Entry has been added" in opened.run(f"echo '{station}' | simple_switch_CLI")
        near.close()
        far.close()


@pytest.mark.p4
@pytest.mark.skipif(
    bool(NO_BMV2 or NO_SERVER or needs_kernel[1].args[0]),
    reason=f"P4RUNTIME IS NOT RUN: {', '.join((*NO_BMV2, *NO_SERVER))} missing",
)
def test_the_switchs_commands_over_p4runtime_work(tmp_path: Path) -> None:
    """Between two interfaces, the switch that is loaded over P4Runtime shards, denies what is added, and forwards to a
    station; unloaded, it drops.
    """
    written(tmp_path)
    _, fill, start, load = scripts(SWITCH)
    (unload,) = re.findall(r"`(bertha unload out .*?)`", SWITCH)
    with Pair() as pair, pair.server, shell(tmp_path) as opened:
        near, far = (ends(name) for name in ("sw1", "sw2"))
        opened.run(scripts(KERNEL)[0].splitlines()[0])
        opened.run(start)
        listening(9559)
        assert "runs in 127.0.0.1:9559: 7 entries written, 0 removed" in opened.run(load)
        for number, source in enumerate((0x0A000009, 0x0A090009, 0x0A080009, 0x0A000009)):
            near.send(frame((source, 5555), (0x0A000001, 7000), struct.pack(">IBI", number, 1, 7)))
        seen = [received(far), received(far)]
        assert {(struct.unpack_from(">H", data, 36)[0], data[45]) for data in seen} == {(shard(0), 0), (shard(3), 3)}
        assert "sensors_count_hits[1]= 2" in opened.run(fill.splitlines()[1])
        assert "entries are gone" in opened.run(unload)
        near.send(frame((0x0A000009, 5555), (0x0A000001, 7000), struct.pack(">IBI", 4, 1, 7)))
        far.settimeout(0.5)
        with pytest.raises(TimeoutError):
            received(far)
        near.close()
        far.close()


def shard(device: int) -> int:
    """The port that a device's readings go to."""
    return SHARDS[fnv1a(device.to_bytes(4, "big")) % 2][1]


def ends(name: str) -> socket.socket:
    """Make an interface, and return a socket at the other end of its cable."""
    command("ip", "link", "add", name, "type", "veth", "peer", "name", f"far_{name}")
    for end in (name, f"far_{name}"):
        command("ip", "link", "set", end, "up")
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL, linux/if_ether.h
    made.bind((f"far_{name}", 0x0800))
    made.settimeout(10)
    return made


def received(end: socket.socket) -> bytes:
    """Return the next frame with a UDP datagram to a shard."""
    while True:
        data, (*_, kind, _, _) = end.recvfrom(2048)
        if kind != socket.PACKET_OUTGOING and data[12:14] == b"\x08\x00" and data[23] == socket.IPPROTO_UDP:
            return data


def listening(port: int = 9090) -> None:
    """Wait until the switch takes commands, at its usual port or another, at most 20 s."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return
