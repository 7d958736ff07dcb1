"""Switches over P4Runtime: BMv2's own server takes, keeps and gives back what `bertha load` and `table` write."""

import json
import socket
import subprocess
import time

import pytest
from bmv2 import MISSING, MISSING_SERVER
from catalogue import CHAINS
from compiling import examples
from finsy.proto import p4r
from google.protobuf import json_format
from p4server import serving
from sensors import artifact as sensors_artifact
from sensors import entries_of

from bertha_ir import api, artifact
from bertha_ir.cli.main import main
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.p4runtime.connection import Connection
from bertha_ir.runtime.p4runtime.loading import _described, put, remove
from bertha_ir.runtime.p4runtime.tables import identity, tables
from bertha_ir.runtime.p4runtime.target import P4RuntimeError, Pipeline, Target

LACKING = (*MISSING, *MISSING_SERVER)
needs_bmv2 = [
    pytest.mark.p4,
    pytest.mark.skipif(bool(LACKING), reason=f"P4RUNTIME IS NOT RUN: not on PATH: {', '.join(LACKING)}"),
]
DENY = "sensors_firewall_deny"
EVERYTHING = "firewall(deny = [0.0.0.0/0]) |> steer(Reading.kind, [0..255 -> a], c)"  # what P4Runtime leaves out
STATIONS = 4096  # entries that the table `stations` holds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def bmv2(tmp_path):
    """The address of a switch without a program, and the port of its command line."""
    address, thrift = f"127.0.0.1:{free_port()}", str(free_port())
    command = ["simple_switch_grpc", "--no-p4", "--thrift-port", thrift, "--", "--grpc-server-addr", address]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 20
            while True:
                try:
                    remove(Target(address, timeout=2))
                    break
                except P4RuntimeError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
            yield address, thrift
        finally:
            process.kill()


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """What the artifacts of all examples and of the catalogue have for switches."""
    found = []
    for folder in (*examples(), *CHAINS):
        files = api.artifact(api.build(sorted(folder.glob("*.chunnel"))))
        if any(path.startswith("p4/") for path in files):
            out = tmp_path_factory.mktemp("artifacts") / folder.name
            artifact.write(files, out)
            opened = Artifact(out)
            found += [Pipeline.of_program(opened, p) for p in opened.programs if p.backend == "p4"]
    everything = sensors_artifact(tmp_path_factory.mktemp("all") / "all", EVERYTHING)
    found.append(Pipeline.of(Artifact(everything), "tor"))
    assert len(found) > 10
    assert any("range" in json.dumps(pipeline.entries) for pipeline in found)
    return found


def ask(thrift: str, command: str) -> str:
    """What the switch's command line answers."""
    words = ["simple_switch_CLI", "--thrift-port", thrift]
    return subprocess.run(words, input=command, capture_output=True, text=True, check=True).stdout


def held(address: str) -> list[p4r.TableEntry]:
    with Connection(Target(address)) as switch:
        return list(switch.entries())


def load(folder, address, *words) -> int:
    return main(["load", str(folder), "--device", "tor", "--switch", address, *words])


def refusal(call, *arguments) -> str:
    with pytest.raises(P4RuntimeError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_example_is_taken_by_a_server_that_holds_to_the_specification(programs):
    """Every program's entries fit its description: ids, widths, canonical bytes, priorities."""
    for pipeline in programs:
        with serving() as server:
            put(Target(server.address), pipeline, b"\0")
            assert len(server.entries) == len(pipeline.entries["updates"])


class TestBmv2:
    """What BMv2's server does."""

    pytestmark = needs_bmv2

    def test_every_example_is_taken(self, programs, bmv2):
        """One after the other, the program of every example is compiled, loaded, and read back."""
        for pipeline in programs:
            done = put(Target(bmv2[0]), pipeline, pipeline.compiled())
            assert (done.started, done.written) == (True, len(pipeline.entries["updates"]))

    def test_a_program_that_runs_goes_on(self, sensors, bmv2, capsys):
        """Loaded again, or another version of it, it keeps its registers; another program starts anew."""
        address, thrift = bmv2
        assert load(sensors["first"], address) == 0
        ask(thrift, "register_write sensors_count_hits 1 7")
        for version, value in (("first", "[1]= 7"), ("second", "[1]= 7"), ("shorter", ""), ("first", "[1]= 0")):
            assert load(sensors[version], address) == 0
            assert f"sensors_count_hits{value}" in ask(thrift, "register_read sensors_count_hits 1")
            wanted = {identity(entry) for entry in entries_of(sensors[version])}
            assert {identity(entry) for entry in held(address)} == wanted
        capsys.readouterr()
        assert load(sensors["first"], address, "--json") == 0
        assert json.loads(capsys.readouterr().out)["programs"][0]["changed"] is False

    def test_others_entries_stay(self, sensors, bmv2):
        """Unloading, and loading another version, leaves what another controller wrote, also in our tables."""
        address, _ = bmv2
        assert load(sensors["first"], address) == 0
        entry = next(e for e in entries_of(sensors["second"]) if e.match[0].HasField("lpm"))
        with Connection(Target(address)) as other:
            other.become_primary()
            other.write([p4r.Update(type=p4r.Update.INSERT, entity=p4r.Entity(table_entry=entry))])
        assert load(sensors["second"], address) == 1
        assert main(["unload", str(sensors["first"]), "--switch", address]) == 0
        assert [identity(e) for e in held(address)] == [identity(entry)]
        assert load(sensors["second"], address, "--take-over") == 0

    def test_tables_change_while_the_program_runs(self, sensors, bmv2, capsys):
        """Entries are added, replaced and removed, as the switch's own command line sees."""
        address, thrift = bmv2
        assert load(sensors["first"], address) == 0
        changes = ("--add", "0.0.0.0/0", "--add", "10.6.0.0/16", "--remove", "10.9.0.0/16")
        sends = [("stations", "--add", f"02:00:00:00:00:01={port}") for port in (2, 1)]
        for words in ((DENY, *changes), *sends):
            assert main(["table", str(sensors["first"]), *words, "--switch", address]) == 0
        assert "02:00:00:00:00:01  send 1\n" in capsys.readouterr().out
        dump = ask(thrift, f"table_dump Pipeline.sensors_request.{DENY}")
        assert "0a060000/16" in dump
        assert "00000000/0" in dump
        assert "0a090000" not in dump

    def test_a_refused_entry_is_named(self, sensors, bmv2):
        """When a table is full, thousands of entries in several writes, the error says which was one too many."""
        pipeline = Pipeline.of(Artifact(sensors["first"]), "tor")
        (stations,) = (t for t in tables(_described(pipeline)).values() if t.name == "stations")
        before = len(pipeline.entries["updates"])
        for address in range(STATIONS + 2):
            entry = stations.entry(((address,),), stations.actions[1], ())
            update = p4r.Update(type=p4r.Update.INSERT, entity=p4r.Entity(table_entry=entry))
            pipeline.entries["updates"].append(json_format.MessageToDict(update))
        target, config = Target(bmv2[0]), pipeline.compiled()
        total = len(pipeline.entries["updates"])
        said = refusal(put, target, pipeline, config)
        assert f"refuses entry {before + STATIONS + 1} of {total}, {STATIONS:#x} of `stations`: " in said
        del pipeline.entries["updates"][-2:]
        put(target, pipeline, config)
        assert len(held(bmv2[0])) == before + STATIONS
        assert remove(target) == before + STATIONS

    def test_other_controllers_are_respected(self, sensors, bmv2):
        """A lower or the same election id is refused; a higher one is not, and the other is the primary afterwards."""
        pipeline = Pipeline.of(Artifact(sensors["first"]), "tor")
        config = pipeline.compiled()
        with Connection(Target(bmv2[0], election_id=5)) as other:
            other.become_primary()
            assert "the election id 5, ours is 4" in refusal(put, Target(bmv2[0], election_id=4), pipeline, config)
            assert "has the election id 5" in refusal(put, Target(bmv2[0], election_id=5), pipeline, config)
            assert put(Target(bmv2[0], election_id=6), pipeline, config).started
        assert put(Target(bmv2[0]), pipeline, config).changed is False

    def test_a_lost_primary_is_one_error(self, sensors, bmv2):
        """A connection whose place another one took says so when it is used."""
        assert load(sensors["first"], bmv2[0]) == 0
        update = p4r.Update(type=p4r.Update.DELETE, entity=p4r.Entity(table_entry=held(bmv2[0])[0]))
        with Connection(Target(bmv2[0])) as one, Connection(Target(bmv2[0], election_id=2)) as other:
            one.become_primary()
            other.become_primary()
            assert "another controller has become the primary" in refusal(one.write, [update])

    def test_what_is_wrong_is_one_error(self, sensors, bmv2):
        """Another device, what is no program, and TLS where there is none."""
        pipeline = Pipeline.of(Artifact(sensors["first"]), "tor")
        config = pipeline.compiled()
        assert "device 3 of" in refusal(put, Target(bmv2[0], device_id=3), pipeline, config)
        assert "refuses the program" in refusal(put, Target(bmv2[0]), pipeline, b"nothing")
        assert main(["unload", "--all", "--switch", bmv2[0], "--tls-ca", str(sensors["first"] / "manifest.json")]) == 1
