"""Switches over P4Runtime: whatever goes wrong is one line, in bounded time, and says what to do."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace as evolve
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from finsy.proto import p4r
from google.protobuf import json_format
from p4server import serving
from sensors import entries_of

from bertha_ir.cli.arguments import make_parser
from bertha_ir.cli.main import main
from bertha_ir.cli.switched import _target
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.p4runtime.connection import Connection
from bertha_ir.runtime.p4runtime.loading import put
from bertha_ir.runtime.p4runtime.target import P4RuntimeError, Pipeline, Target, Tls


def test_a_primary_with_a_higher_id_is_respected(sensors, switch, on_switch):
    """A loader with a lower election id, or the same, changes nothing; with a higher one it does, and the switch
    remembers that.
    """
    with Connection(Target(switch.address, election_id=5)) as other:
        other.become_primary()
        for election, error in ((4, "another controller is the primary of device 0"), (5, "has the election id 5")):
            status, _, said = on_switch("load", sensors["first"], "--election-id", election)
            assert (status, switch.config) == (1, None)
            assert error in said
        assert on_switch("load", sensors["first"], "--election-id", "6")[0] == 0
    status, _, error = on_switch("load", sensors["first"])
    assert status == 1
    assert "the last primary controller of device 0" in error
    assert "had the election id 6, ours is 1: to take its place, give --election-id a higher number" in error


def test_a_primary_that_is_lost_is_one_error(sensors, switch, on_switch):
    """Another controller that takes over between the program and the entries is named, and nothing is written then."""
    with Connection(Target(switch.address, election_id=9)) as other:

        def take_over():
            switch.before_write = lambda: None
            other.become_primary()

        switch.before_write = take_over
        status, _, error = on_switch("load", sensors["first"])
    assert (status, switch.entries) == (1, {})
    assert "another controller has become the primary of device 0" in error
    assert "with the election id 9, ours is 1" in error


def test_a_refused_entry_is_named_by_its_index(sensors, switch, on_switch):
    """The error says which entry, what it is and why; loading again, when the switch takes it, completes the rest."""
    first = entries_of(sensors["first"])
    number = next(i for i, entry in enumerate(first) if entry.table_id == first[-1].table_id)
    switch.refuses = {first[-1].table_id}
    status, _, error = on_switch("load", sensors["first"])
    assert status == 1
    assert f"the switch refuses entry {number + 1} of 7, 0x0 of `patch`: RESOURCE_EXHAUSTED, this table takes" in error
    assert "and 1 others" in error
    switch.refuses = set()
    switch.calls.clear()
    assert on_switch("load", sensors["first"])[0] == 0
    assert switch.calls == ["insert", "insert"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"table_id": 0x020000FF}, "NOT_FOUND, no table 0x20000ff"),
        ({"action_id": 0x010000FF}, "INVALID_ARGUMENT, action 0x10000ff is not one of the table's entries"),
        ({"param_id": 9}, "INVALID_ARGUMENT, other parameters than the action's"),
        ({"value": b"\1\0\0\0\0"}, "OUT_OF_RANGE, wider than 32 bits"),
        ({"value": b"\0\1"}, "INVALID_ARGUMENT, not canonical"),
        ({"field_id": 9}, "INVALID_ARGUMENT, unknown field"),
        ({"priority": 1}, "INVALID_ARGUMENT, a priority is for ranges, and they need one"),
    ],
)
def test_an_entry_that_does_not_fit_the_description_is_refused(sensors, switch, changed, reason):
    """A switch holds entries to the description of its program: of a wrong id, width or form, the refusal is shown."""
    pipeline = Pipeline.of(Artifact(sensors["first"]), "tor")
    request = json_format.ParseDict(pipeline.entries, p4r.WriteRequest())
    number, entry = next((n, u.entity.table_entry) for n, u in enumerate(request.updates, 1) if with_params(u))
    for part in (entry, entry.match[0], entry.action.action, entry.action.action.params[0]):
        for name in changed.keys() & part.DESCRIPTOR.fields_by_name.keys():
            setattr(part, name, changed[name])
    wrong = evolve(pipeline, entries=json_format.MessageToDict(request))
    with pytest.raises(P4RuntimeError) as caught:
        put(Target(switch.address), wrong, b"\0")
    assert f"refuses entry {number} of 7, " in str(caught.value)
    assert str(caught.value).endswith(f": {reason}")


def with_params(update: p4r.Update) -> bool:
    return len(update.entity.table_entry.action.action.params) > 1


def test_what_is_written_is_read_back(sensors, switch, on_switch):
    """A switch that says yes and does otherwise is found out."""
    switch.loses_entries = True
    status, _, error = on_switch("load", sensors["first"])
    assert (status, "took entry 1 of 7, 0xa090000/0x10 of `sensors_firewall_deny`, but has none" in error) == (1, True)
    switch.loses_entries, switch.forgets_marks = False, True
    status, _, error = on_switch("load", sensors["first"])
    assert (status, "but has another one" in error) == (1, True)


def test_a_refused_program_is_one_line(sensors, switch, on_switch):
    """What the switch says cannot write on the terminal."""
    switch.refuses_programs = True
    status, _, error = on_switch("load", sensors["first"])
    assert (status, error) == (
        1, f"bertha load: error: device 0 of `{switch.address}` refuses the program: no [31m device config"
    )  # fmt: skip


@pytest.mark.parametrize("command", ["load", "unload", "table"])
def test_a_switch_that_is_not_there_is_one_error(sensors, on_switch, switch, command):
    """No server, another device, an address that is none: one line each, and soon."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    for words, at, error in (
        ((), nobody, f"no P4Runtime server answers at `{nobody}`"),
        (("--device-id", "3"), None, f"device 3 of `{switch.address}` refuses: NOT_FOUND, "),
        ((), "unix:/tmp/x:1", "`unix:/tmp/x:1` is no address of a switch"),
        ((), "127.0.0.1:65536", "is no address of a switch"),
    ):
        begin = time.monotonic()
        status, _, said = on_switch(command, sensors["first"], *words, at=at)
        assert status == 1
        assert error in said
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize("command", ["load", "unload", "table"])
def test_a_silent_switch_is_not_waited_for(sensors, on_switch, command):
    """What accepts connections and says nothing ends after the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        at = f"127.0.0.1:{silent.getsockname()[1]}"
        status, _, error = on_switch(command, sensors["first"], "--timeout", "0.5", at=at)
    assert status == 1
    assert "does not answer" in error
    assert time.monotonic() - begin < 5


def test_a_server_that_never_says_who_is_primary_is_not_waited_for(sensors, switch, on_switch):
    """A bid that gets no answer ends after the time limit."""
    switch.silent = True
    begin = time.monotonic()
    status, _, error = on_switch("load", sensors["first"], "--timeout", "0.5")
    assert (status, "does not answer within 0.5 s" in error) == (1, True)
    assert time.monotonic() - begin < 5


def test_the_program_that_stands_by_is_asked_for(sensors, switch, on_switch):
    """A plan that runs nothing on the switch says so; what stands by there runs if it is meant."""
    status, _, error = on_switch("load", sensors["standby"])
    assert (status, switch.config) == (1, None)
    assert "the plan runs nothing on `tor`; `sensors_pipeline_standby` stands by there" in error
    assert on_switch("load", sensors["standby"], "--standby")[0] == 0
    assert on_switch("load", sensors["standby"], "--standby")[1].endswith(f"was already loaded in {switch.address}\n")
    status, _, error = on_switch("load", sensors["first"], "--standby")
    assert "no program stands by on `tor`; it does on no switch" in error


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "is empty"),
        (b"{}", "is not sensors_pipeline.p4, compiled: it has no table `Pipeline.sensors_request.sensors_fire"),
        (json.dumps({"pipelines": [{"tables": [{"name": "x"}]}]}).encode(), "it has no table"),
        (json.dumps({"pipelines": 7}).encode(), "it has no table"),
        (None, "cannot be read: no such file"),
    ],
)
def test_a_config_must_be_the_program(sensors, on_switch, config, content, error):
    """A file that is missing, empty, or another program for BMv2 is refused before the switch is asked."""
    config.unlink() if content is None else config.write_bytes(content)
    status, _, said = on_switch("load", sensors["first"], at="127.0.0.1:1")
    assert (status, error in said) == (1, True)


def test_without_a_config_p4c_is_needed(sensors, monkeypatch, tmp_path):
    """What is missing, or what p4c says, is one line."""
    monkeypatch.setenv("PATH", str(tmp_path))
    pipeline = Pipeline.of(Artifact(sensors["first"]), "tor")
    with pytest.raises(P4RuntimeError, match=r"p4c-bm2-ss is not on the PATH: .* give --config FILE"):
        pipeline.compiled()
    compiler = tmp_path / "p4c-bm2-ss"
    compiler.write_text("#!/bin/sh\necho 'no such\nluck' >&2; exit 1\n")
    compiler.chmod(0o755)
    with pytest.raises(P4RuntimeError, match=r"p4c-bm2-ss refuses sensors_pipeline\.p4: no such luck"):
        pipeline.compiled()


def test_a_program_is_the_same_wherever_it_was_compiled(sensors):
    """The cookie leaves out what p4c says of its input's place, and nothing else."""
    pipeline = Pipeline.of(Artifact(sensors["first"]), "tor")
    content = {"program": "a.p4", "tables": [{"name": "x", "source_info": {"filename": "a.p4"}}]}
    moved = {"program": "b/a.p4", "tables": [{"name": "x", "source_info": {"filename": "b/a.p4"}}]}
    other = {"program": "a.p4", "tables": [{"name": "y"}]}
    one, two, three = (pipeline.cookie(json.dumps(c).encode()) for c in (content, moved, other))
    assert one == two != three
    assert pipeline.cookie(b"\0") != pipeline.cookie(b"\1")


@pytest.mark.parametrize(
    "words",
    [
        ("load", "--config", "x", "--interface", "lo"),
        ("load", "--standby", "--interface", "lo"),
        ("load", "--mode", "native", "--switch", "127.0.0.1:1"),
        ("load", "--replace", "x", "--switch", "127.0.0.1:1"),
        ("unload", "--plain", "--tls-ca", "x", "--switch", "127.0.0.1:1"),
        ("unload", "--tls-cert", "x", "--switch", "127.0.0.1:1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(sensors, capsys, words):
    """Options of a switch for a kernel, of a kernel for a switch, and a half of TLS are wrong usage."""
    command, *rest = words
    device = ["--device", "tor"] if command == "load" else []
    assert main([command, str(sensors["first"]), *device, *rest]) == 2
    assert "hint: " in capsys.readouterr().err


def test_without_the_library_it_is_said_what_to_install(sensors, capsys, monkeypatch):
    """One line, and the command that installs it."""
    for name in [
        m for m in sys.modules if m.partition(".")[0] in {"finsy", "grpc"} or "p4runtime." in m or "switched" in m
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "finsy", None)
    monkeypatch.setitem(sys.modules, "grpc", None)
    assert main(["unload", str(sensors["first"]), "--switch", "127.0.0.1:1"]) == 2
    assert capsys.readouterr().err.endswith("hint: pip install 'bertha-ir[p4]'\n")


def test_kernels_are_loaded_without_the_library():
    """The commands for this host's kernel import nothing of gRPC."""
    code = "import bertha_ir.cli.load, bertha_ir.cli.unload, bertha_ir.cli.table, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"finsy", "grpc"} & set(done.stdout.split())


def test_a_switch_is_spoken_to_in_secret(sensors, on_switch, tmp_path):
    """With TLS the switch must be the one that is trusted, and may ask who we are; without, it must be on this host, or
    --plain is given.
    """
    ours, theirs = (certificate(tmp_path, name) for name in ("ours", "theirs"))
    credentials = grpc.ssl_server_credentials(
        [(theirs[1].read_bytes(), theirs[0].read_bytes())], ours[0].read_bytes(), require_client_auth=True
    )
    who = ("--tls-cert", ours[0], "--tls-key", ours[1])
    with serving(credentials=credentials) as secret:
        for words, status in (
            (("--tls-ca", theirs[0], *who), 0),
            (("--tls-ca", theirs[0]), 1),
            (("--tls-ca", ours[0], *who), 1),
            (("--plain",), 1),
            (("--tls-ca", tmp_path / "none"), 1),
        ):
            found = on_switch("load", sensors["first"], *words, at=secret.address)
            assert found[0] == status, found
    for at, *words in (["127.0.0.1:1"], ["[::1]:1"], ["localhost:1"], ["10.0.0.2:1", "--plain"]):
        assert _target(make_parser().parse_args(["unload", "--all", "--switch", at, *words])).tls is None
    for at in ("10.0.0.2:1", "127.0.0.1.example:1", "localhost.example:1"):
        assert _target(make_parser().parse_args(["unload", "--all", "--switch", at])).tls == Tls()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for this host that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths
