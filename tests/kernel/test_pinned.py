"""Programs that stay in the kernel: loaded again, by two at once, by one that is killed, beside somebody else's."""

import json
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from loading import needs_kernel
from netns import Pair, command

from bertha_ir import api
from bertha_ir.artifact import write
from bertha_ir.cli.main import main
from bertha_ir.runtime import pinned
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.libbpf import EbpfError
from bertha_ir.runtime.pinned import Pins

pytestmark = needs_kernel

TEXT = """
message Reading over udp { device: u32; kind: u8; value: u32; }
endpoint a = 10.0.0.1:7001;
endpoint b = 10.0.0.1:7002;
stack sensors(sensor, hub) {
  request: firewall(deny = [10.9.0.0/16]) |> count(by = Reading.kind) |> shard(Reading.device, [a, b]) |> udp(PORT);
  response: udp(PORT);
}
device hub: host { address 10.0.0.1; }
device s1: host { address 10.0.0.9; }
link s1 <-> hub ethernet { rate 10 Gbit/s; }
run sensors.hub on hub;
run sensors.sensor on s1;
policy { prefer firewall on [kernel(hub)]; prefer count on [kernel(hub)]; prefer shard on [kernel(hub)]; }
"""
LOADER = """
import sys
from pathlib import Path
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.pinned import Pins
print("started", flush=True)
Pins(Path(sys.argv[1])).load(Artifact(sys.argv[2]), "hub", "wire")
print("loaded", flush=True)
"""


@pytest.fixture
def pins(tmp_path, monkeypatch):
    """A BPF file system of the test's own, where the commands look too."""
    home = tmp_path / "bpf"
    home.mkdir()
    command("mount", "-t", "bpf", "bpf", str(home))
    monkeypatch.setattr(pinned, "ROOT", home / "bertha")
    yield Pins()
    command("umount", str(home))


@pytest.fixture
def pair():
    with Pair() as made:
        with made.client:
            command("ip", "address", "add", "10.9.0.9/32", "dev", "wire")
        with made.server:
            command("ip", "route", "add", "10.9.0.0/16", "dev", "wire")
            yield made


def compiled(folder: Path, port: int = 7000) -> Path:
    """An artifact whose programs count."""
    source, out = folder / f"sensors{port}.chunnel", folder / f"out{port}"
    source.write_text(TEXT.replace("PORT", str(port)))
    write(api.artifact(api.build([source], pipeline="measured")), out)
    return out


def in_parts(folder: Path) -> Path:
    """An artifact whose program for requests is too much for one."""
    source, out = folder / "many.chunnel", folder / "many"
    fields = ("Reading.kind", "Reading.device", "ipv4.dscp", "ipv4.src", "ipv4.ttl", "Reading.value")
    counts = " |> ".join(f"count(by = {fields[n % len(fields)]})" for n in range(60))
    source.write_text(TEXT.replace("PORT", "7000").replace("count(by = Reading.kind)", counts))
    write(api.artifact(api.build([source], pipeline="expand,canonicalize,undo,place,lower")), out)
    return out


def send(pair: Pair, source: str, count: int) -> int:
    """Send readings to the service; return how many arrived at a shard."""
    shards = [pair.server.socket(("10.0.0.1", port)) for port in (7001, 7002)]
    client = pair.client.socket((source, 5555))
    for number in range(count):
        client.sendto(struct.pack(">IBI", number, 1, 7), ("10.0.0.1", 7000))
    arrived = 0
    for shard in shards:
        shard.settimeout(0.3)
        try:
            while True:
                shard.recv(100)
                arrived += 1
        except TimeoutError:
            shard.close()
    client.close()
    return arrived


def on_wire() -> str:
    return command("ip", "link", "show", "wire")


def test_parts_of_a_program_stay_with_it(tmp_path, pins, pair, capsys):
    """Nothing but the pins holds what they call one another by; the last of 60 counts has met what the first has."""
    out = in_parts(tmp_path)
    (contents,) = (json.loads(path.read_text()) for path in out.glob("ebpf/hub/*_ingress.maps.json"))
    assert len(contents["held"]) == 1
    assert main(["load", str(out), "--device", "hub", "--interface", "wire"]) == 0
    assert send(pair, "10.0.0.9", 6) == 6
    assert send(pair, "10.9.0.9", 2) == 0
    capsys.readouterr()
    assert main(["stats", str(out), "--json"]) == 0
    states = json.loads(capsys.readouterr().out)["programs"][1]["states"]
    counted = [sum(count for _, (count,) in rows) for name, rows in states.items() if name.endswith("_hits")]
    assert counted == [6] * 60
    assert main(["unload", str(out)]) == 0
    assert pins.loaded() == ()
    assert main(["doctor", str(out)]) == 0
    assert "verified of 1,000,000" in capsys.readouterr().out


def test_programs_stay_and_loading_again_changes_nothing(tmp_path, pins, pair, capsys):
    """What they have counted stays too; unloading leaves nothing, and may be repeated."""
    out = str(compiled(tmp_path))
    load = ["load", out, "--device", "hub", "--interface", "wire", "--json"]
    assert main(load) == 0
    first = json.loads(capsys.readouterr().out)["programs"]
    assert [(p["program"], p["changed"]) for p in first] == [("sensors_ingress", True), ("sensors_egress", True)]
    assert send(pair, "10.0.0.9", 6) == 6
    assert main(load) == 0
    assert [p["changed"] for p in json.loads(capsys.readouterr().out)["programs"]] == [False, False]
    assert send(pair, "10.9.0.9", 2) == 0
    assert main(["stats", out, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(c["op"], c["met"], c["kept"]) for c in said["ops"]] == [
        ("firewall.packet", 8, 6), ("count.packet", 6, 6), ("shard.packet", 6, 6)
    ]  # fmt: skip
    assert said["programs"][1]["states"]["sensors_count_hits"] == [[[1], [6]]]
    assert main(["unload", out]) == 0
    assert pins.loaded() == ()
    assert "xdp" not in on_wire()
    assert main(["unload", out]) == 0
    assert capsys.readouterr().out.endswith("nothing is loaded\n")


def test_counters_become_a_workload_that_changes_the_plan(tmp_path, pins, pair, capsys):  # noqa: ARG001  (a mount)
    """Of 8 messages, `firewall` dropped 2: planned again by that, the ops behind it cost less on average."""
    out = compiled(tmp_path)
    main(["load", str(out), "--device", "hub", "--interface", "wire"])
    send(pair, "10.0.0.9", 6)
    send(pair, "10.9.0.9", 2)
    capsys.readouterr()
    assert main(["stats", str(out), "--as-workload"]) == 0
    text = capsys.readouterr().out
    assert "firewall drops 25.0 %;" in text
    (tmp_path / "measured.chunnel").write_text(text)
    plain, measured = (
        api.build([tmp_path / "sensors7000.chunnel", *more]).plans[0] for more in ((), (tmp_path / "measured.chunnel",))
    )
    assert plain.mean_ns == pytest.approx(plain.latency_ns)
    assert measured.mean_ns < plain.mean_ns
    assert measured.assumptions[0].by == "workload"


def test_somebody_elses_program_is_left_alone(tmp_path, pins, pair):  # noqa: ARG001  (an interface)
    """XDP has room for one: the second is refused, and nothing of it stays. TC has room for both."""
    one, other = (Artifact(compiled(tmp_path, port)) for port in (7000, 7100))
    pins.load(one, "hub", "wire")
    with pytest.raises(EbpfError, match="another program is attached there"):
        pins.load(other, "hub", "wire")
    assert {p.plan for p in pins.loaded()} == {one.plan[:16]}
    assert "xdp" in on_wire()
    assert pins.unload(other.plan) == ()
    pins.unload(one.plan)
    assert all(done for _, done in pins.load(other, "hub", "wire"))


def test_a_plan_takes_the_place_of_another_while_messages_come(tmp_path, pins, pair, capsys):
    """A third shard is added: of the requests that come meanwhile none is lost or goes past the shards, and of the old
    plan nothing stays.
    """
    old, text = compiled(tmp_path), TEXT.replace("[a, b]", "[a, b, c]")
    (tmp_path / "more.chunnel").write_text(text.replace("PORT", "7000") + "endpoint c = 10.0.0.1:7003;")
    new = tmp_path / "new"
    write(api.artifact(api.build([tmp_path / "more.chunnel"], pipeline="measured")), new)
    assert main(["load", str(old), "--device", "hub", "--interface", "wire"]) == 0
    with Stream(pair) as stream:
        stream.after(500)
        assert main(["load", str(new), "--replace", str(old), "--device", "hub", "--interface", "wire"]) == 0
        stream.after(500)
    assert sorted(n for shard in stream.seen for n in shard) == list(range(stream.sent))
    assert stream.seen[2]
    assert min(stream.seen[2]) >= 500
    assert {p.plan for p in pins.loaded()} == {Artifact(new).plan[:16]}
    assert main(["load", str(new), "--device", "hub", "--interface", "wire"]) == 0
    assert "already" in capsys.readouterr().out


class Stream:
    """Readings that a thread sends to the service as long as the stream is open, and what each of three shards got."""

    def __init__(self, pair: Pair) -> None:
        self.shards = [pair.server.socket(("10.0.0.1", port)) for port in (7001, 7002, 7003)]
        self.client = pair.client.socket(("10.0.0.9", 5555))
        self.sent, self.seen, self.ending = 0, [[], [], []], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        """Send, and receive what has come: no queue grows long."""
        while not self.ending.is_set():
            self.client.sendto(struct.pack(">IBI", self.sent, 1, 7), ("10.0.0.1", 7000))
            self.sent += 1
            self.drain(0.001 if self.sent % 20 == 0 else 0)
        self.drain(0.3)

    def drain(self, seconds: float) -> None:
        """Take what is there, or comes in this time."""
        while ready := select.select(self.shards, [], [], seconds)[0]:
            for shard in ready:
                self.seen[self.shards.index(shard)].append(struct.unpack_from(">I", shard.recv(100))[0])

    def after(self, more: int) -> None:
        """Wait until so many more were sent, at most 20 s."""
        goal, deadline = self.sent + more, time.monotonic() + 20
        while self.sent < goal:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.ending.set()
        self.thread.join()
        for opened in (*self.shards, self.client):
            opened.close()


def test_an_interface_that_was_made_anew_is_attached_again(tmp_path, pins, pair):
    """A link to an interface that is gone holds nothing."""
    artifact = Artifact(compiled(tmp_path))
    pins.load(artifact, "hub", "wire")
    index = pair.interface
    command("ip", "link", "delete", "wire")
    command(
        "ip",
        "link",
        "add",
        "wire",
        "index",
        str(index),
        "type",
        "veth",
        "peer",
        "name",
        "wire",
        "netns",
        pair.client.path,
    )
    assert all(done for _, done in pins.load(artifact, "hub", "wire"))
    assert "xdp" in on_wire()


def test_a_loader_that_is_killed_leaves_nothing_in_the_way(tmp_path, pins, pair):  # noqa: ARG001  (an interface)
    """Whenever it dies: the next one loads, and what is pinned then is whole."""
    out = compiled(tmp_path)
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
        arguments = [sys.executable, "-c", LOADER, str(pins.root), str(out)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "started\n"
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        pins.load(Artifact(out), "hub", "wire")
        assert [(p.program, len(p.interfaces)) for p in pins.loaded()] == [
            ("sensors_egress", 1),
            ("sensors_ingress", 1),
        ]
        assert not list(pins.root.rglob("*~"))
        pins.unload(Artifact(out).plan)


def test_two_loaders_at_once_load_once(tmp_path, pins, pair):  # noqa: ARG001  (an interface)
    """They wait for each other."""
    out = compiled(tmp_path)
    arguments = [sys.executable, "-c", LOADER, str(pins.root), str(out)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["started\nloaded\n"] * 2
    assert [(p.program, len(p.interfaces)) for p in pins.loaded()] == [("sensors_egress", 1), ("sensors_ingress", 1)]


def test_a_prefix_is_blocked_while_the_program_runs(tmp_path, pins, pair, capsys):  # noqa: ARG001  (a mount)
    """And let in again; what is no entry of the table changes nothing."""
    out = str(compiled(tmp_path))
    assert main(["load", out, "--device", "hub", "--interface", "wire"]) == 0
    change = ["table", out, "sensors_firewall_deny"]
    assert send(pair, "10.0.0.9", 3) == 3
    assert main([*change, "--add", "10.0.0.0/24", "--remove", "10.9.0.0/16"]) == 0
    assert capsys.readouterr().out.endswith("sensors_firewall_deny: 1 entries\n  10.0.0.0/24\n")
    assert send(pair, "10.0.0.9", 3) == 0
    for wrong, status, said in (
        (["--add", "10.0.0.7/24"], 2, "host bits set"),
        (["--add", "10.1.0.0/16=5"], 2, "KEY alone"),
        (["--remove", "10.3.0.0/16", "--add", "10.4.0.0/16"], 1, "has no entry 10.3.0.0/16"),
    ):
        assert main([*change, *wrong]) == status
        assert said in capsys.readouterr().err
    assert main(["table", out, "sensors_deny"]) == 2
    assert "tables: sensors_firewall_deny" in capsys.readouterr().err
    assert main([*change, "--remove", "10.0.0.0/24", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"] == {"sensors_firewall_deny": []}
    assert send(pair, "10.0.0.9", 3) == 3


def test_what_is_not_there_is_said(tmp_path, pins, pair, capsys):
    """Which devices and interfaces there are; and nothing is loaded."""
    out = str(compiled(tmp_path))
    for device, interface, said in (
        ("s1", "wire", "the plan runs no kernel program on `s1`; it does on hub"),
        ("hub", "wier", "there is no interface `wier`; there is lo, wire"),
    ):
        assert main(["load", out, "--device", device, "--interface", interface]) == 1
        assert said in capsys.readouterr().err
    assert pins.loaded() == ()
    assert "xdp" not in on_wire()
    assert pair.interface


def test_without_a_bpf_file_system(tmp_path, monkeypatch, pair, capsys):  # noqa: ARG001  (an interface)
    """One line, which says what to mount."""
    monkeypatch.setattr(pinned, "ROOT", tmp_path / "bertha")
    assert main(["load", str(compiled(tmp_path)), "--device", "hub", "--interface", "wire"]) == 1
    assert "mount -t bpf" in capsys.readouterr().err


def test_stats_of_what_is_not_loaded(tmp_path, pins, pair, capsys):  # noqa: ARG001  (a mount, an interface)
    """No empty answer, but what to do."""
    assert main(["stats", str(compiled(tmp_path))]) == 1
    assert "see `bertha load`" in capsys.readouterr().err
