"""`bertha run` and `bertha status`: real processes, both ends from the command line, on loopback."""

import json
import os
import pty
import signal
import sys
import urllib.request

import pytest
from connecting import HOSTS, SECRETS, shard_of
from exposition import parse
from running import DEADLINE, ENCRYPTED, alive, lines, request, stopped, until

from bertha_ir.runtime.registry.base import Offer
from bertha_ir.runtime.registry.sqlite import SqliteRegistry

ANSWER = """
import json, os, sys
open(os.environ["PIDS"] + "/" + str(os.getpid()), "w").close()
for number, text in enumerate(sys.stdin, 1):
    asked = json.loads(text)
    if asked["op"] == 9:
        print("this is no reply", flush=True)
        sys.exit(3)
    value = f"{asked['value'].upper()} {number} {os.environ['BERTHA_CLIENT']}"
    print(json.dumps({"request": asked["request"], "shard": 0, "status": 0, "value": value}), flush=True)
"""


@pytest.fixture
def answering(serve, run_folders, tmp_path):
    """Start a server of the key-value store that answers by a command; return that, and the folder of commands' ids."""
    (tmp_path / "answer.py").write_text(ANSWER)
    pids = tmp_path / "pids"
    pids.mkdir()

    def started(*words):
        command = ("--", sys.executable, str(tmp_path / "answer.py"))
        return *serve(run_folders.process, *words, *command, env={"PIDS": str(pids)}), pids

    return started


def test_both_ends_from_the_shell(serve, ended, run_folders):
    """A hundred requests of several shards, each answered once with its own value, bytes that are no text as well."""
    process, server = serve(run_folders.process, "--echo")
    sent = [request(n, n * 7919, {"hex": f"ff{n:02x}"} if n % 2 else f"é{n}") for n in range(100)]
    assert len({shard_of(row["key"]) for row in sent}) == 3
    status, out, err = ended(
        "run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"], "--count", 100,
        given=lines(sent),
    )  # fmt: skip
    assert (status, err) == (0, "")
    replies = {row["request"]: row for row in map(json.loads, out.splitlines())}
    wanted = [{"request": row["request"], "shard": 0, "status": 0, "value": row["value"]} for row in sent]
    assert [replies[n] for n in range(100)] == wanted
    assert stopped(process) == (0, "", "")


def test_a_command_for_each_connection(answering, ended, run_folders):
    """Each counts its own requests; it ends with its connection, and with the server at the latest."""
    _, server, pids = answering()
    ask = ("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"])
    for _ in range(2):
        status, out, err = ended(*ask, "--count", 2, given=lines([request(1), request(2)]))
        assert (status, err) == (0, "")
        values = [json.loads(line)["value"].split() for line in out.splitlines()]
        assert [value[:2] for value in values] == [["V", "1"], ["V", "2"]]
        assert values[0][2].startswith("127.0.0.1:")
    until(lambda: not any(alive(int(p.name)) for p in pids.iterdir()))
    assert len([*pids.iterdir()]) == 2


def test_a_command_that_ends_ends_its_connection(answering, ended, run_folders):
    """What it says that is no reply is not sent; the server says so, and serves the next."""
    process, server, _ = answering("--log-format", "json")
    ask = ("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"], "--count", 1)
    status, out, err = ended(*ask, given=lines([request(1, op=9)]))
    assert (status, out, err) == (1, "", "bertha run: error: the other end closed it\n")
    assert ended(*ask, given=lines([request(1)]))[0] == 0
    status, _, err = stopped(process)
    logged = [json.loads(line) for line in err.splitlines()]
    said = ["a line of the command is no reply: it is not JSON", "the command ended with status 3"]
    assert (status, [row["message"] for row in logged]) == (0, said)
    assert all(row["client"].startswith("127.0.0.1:") and len(row["plan"]) == 64 for row in logged)
    assert len({row["connection"] for row in logged}) == 1


def test_commands_end_with_the_server(answering, bertha, run_folders):
    """At SIGTERM, while a client is connected; the client hears of it."""
    process, server, pids = answering()
    ask = ("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"])
    client = bertha(*ask)
    client.stdin.write(lines([request(1)]))
    client.stdin.flush()
    assert client.stdout.readline()
    (pid,) = (int(p.name) for p in pids.iterdir())
    assert alive(pid)
    assert stopped(process) == (0, "", "")
    assert not alive(pid)
    client.stdin.close()
    assert client.wait(DEADLINE) == 1
    assert client.stderr.read() == "bertha run: error: the other end closed it\n"


def test_secrets_over_tcp(serve, ended, run_folders, tmp_path):
    """The server compiles its specification and has the secret from a file, the client from its environment; another
    secret gets no answer.
    """
    key, text, site = (tmp_path / name for name in ("key", "app.chunnel", "site.chunnel"))
    key.write_bytes(SECRETS["session"])
    key.chmod(0o600)
    text.write_text(ENCRYPTED)
    site.write_text(HOSTS)
    process, server = serve(text, site, "--echo", "--secret", f"session=@{key}", stack="app", ports=())
    assert [*(tmp_path / "temporary").iterdir()]
    ask = ("run", run_folders.secret, "app", "--as", "client", "--negotiate", server["negotiate"])
    given = lines([{"id": 1, "text": "x" * 5000}, {"id": 2, "text": ""}])
    options = ("--secret", "session=env:KEY")
    right = ended(*ask, *options, given=given, env={"KEY": SECRETS["session"].hex()})
    assert right == (0, given, "")
    status, out, err = ended(*ask, *options, "--timeout", "0.5", given=given, env={"KEY": "00" * 32})
    assert (status, out) == (1, "")
    assert err.endswith("answers within 0.5 s, or its secrets are others\n")
    assert stopped(process) == (0, "", "")
    assert [*(tmp_path / "temporary").iterdir()] == []


def test_what_was_given_back(serve, ended, bertha, run_folders, tmp_path):
    """A claim of another device's program is in status while it is held, and given back at SIGINT."""
    path = tmp_path / "registry.db"
    with SqliteRegistry(path) as registry:
        registry.offer(Offer("kv_pipeline", "tor", 1), 60)
        process, server = serve(run_folders.switch, "--echo", "--registry", str(path))
        client = bertha("run", run_folders.switch, "kv", "--as", "client", "--negotiate", server["negotiate"])
        until(lambda: registry.offers()[0].free == 0)
        (found,) = json.loads(ended("status", "--json")[1])["servers"]
        assert found["plans"][0]["elsewhere"] == [{"program": "kv_pipeline", "device": "tor"}]
        assert "kv_pipeline on tor" in ended("status")[1]
        assert stopped(process, signal.SIGINT) == (0, "", "")
        assert registry.offers()[0].free == 1
        client.communicate(timeout=DEADLINE)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_client_that_is_stopped(number, status, serve, bertha, run_folders):
    """Its status is what a shell says of the signal; the server hears that the connection ended, and goes on."""
    process, server = serve(run_folders.process, "--echo", "--log-level", "info")
    client = bertha("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"])
    client.stdin.write(lines([request(1)]))
    client.stdin.flush()
    assert client.stdout.readline()
    assert stopped(client, number) == (status, "", "")
    _, _, err = stopped(process)
    assert "info: a connection ended: the other end closed it (connection=" in err


def test_two_servers_in_status(serve, ended, bertha, run_folders):
    """Each with its own clients and counts; what is killed is listed no more; with none, the status is 1."""
    assert ended("status") == (1, "no server runs here\n", "")
    assert json.loads(ended("status", "--json")[1]) == {"schema": 1, "ok": False, "servers": []}
    first, one = serve(run_folders.process, "--echo")
    second, two = serve(run_folders.switch, "--echo", "--push")
    client = bertha("run", run_folders.process, "kv", "--as", "client", "--negotiate", one["negotiate"])
    client.stdin.write(lines([request(1), request(2)]))
    client.stdin.flush()
    assert client.stdout.readline()
    assert client.stdout.readline()
    status, out, err = ended("status", "kv", "--json")
    assert (status, err) == (0, "")
    found = {server["pid"]: server for server in json.loads(out)["servers"]}
    assert found.keys() == {first.pid, second.pid}
    assert found[first.pid]["plans"][0]["counts"] == {"received": 2, "sent": 2}
    assert len(found[first.pid]["connections"]) == 1
    assert (found[second.pid]["plans"], found[second.pid]["connections"]) == ([], [])
    assert found[first.pid]["negotiate"] == one["negotiate"]
    text = ended("status")[1]
    assert f"kv at {one['listen']}, negotiating at {one['negotiate']}: process {first.pid}" in text
    assert "messages: 2 received, 2 sent" in text
    read = parse(ended("status", "--prometheus")[1])["bertha_connections_total"]
    assert read.value(stack="kv", server=one["negotiate"]) == 1
    assert read.value(stack="kv", server=two["negotiate"]) == 0
    assert ended("status", "other") == (1, "no server of `other` runs here\n", "")
    first.kill()
    first.wait()
    (left,) = json.loads(ended("status", "--json")[1])["servers"]
    assert left["pid"] == second.pid
    assert stopped(second)[0] == 0
    assert ended("status")[0] == 1


def test_status_is_watched(serve, bertha, run_folders):
    """Every second: as lines of JSON, and in place on a terminal; until it is interrupted."""
    serve(run_folders.process, "--echo")
    watching = bertha("status", "--watch", "--json")
    seen = [json.loads(watching.stdout.readline()) for _ in range(2)]
    assert seen[0]["servers"][0]["seconds"] + 0.9 < seen[1]["servers"][0]["seconds"]
    assert stopped(watching, signal.SIGINT)[0] == 130
    near, far = pty.openpty()
    watching = bertha("status", "--watch", stdout=far, env={"TERM": "xterm"})
    os.close(far)
    shown = b""
    while shown.count(b"kv at 127.0.0.1:") < 2:
        shown += os.read(near, 4096)
    watching.terminate()
    assert watching.wait(DEADLINE) == 143
    while b"\x1b[?25h" not in shown:  # the cursor is shown again
        shown += os.read(near, 4096)
    os.close(near)


def test_metrics_over_http(serve, ended, run_folders):
    """What Prometheus reads is what happened: counters only grow."""
    _, server = serve(run_folders.process, "--echo", "--metrics", "0")
    ip, _, _ = server["metrics"].partition(":")
    assert ip == "127.0.0.1"
    own = {"stack": "kv", "server": server["negotiate"]}
    url = f"http://{server['metrics']}/metrics"
    for turn in range(1, 3):
        ask = ("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"], "--count", 3)
        assert ended(*ask, given=lines(request(n) for n in range(3)))[0] == 0
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            found = parse(answer.read().decode())
        assert found["bertha_offers_total"].value(**own, outcome="answered") == turn
        plan = server["known"][0]
        assert found["bertha_messages_total"].value(**own, plan=plan, what="received") == 3 * turn


def test_a_policy_of_the_operators(serve, ended, run_folders, tmp_path):
    """It decides which plan is taken; what it forbids is not, and if it fails, nothing is allowed."""
    path = tmp_path / "policy.py"
    path.write_text(
        "def last(plans):\n    return plans[::-1]\n\n\ndef none(plans):\n    return []\n\n\n"
        "def wrong(plans):\n    return plans[99]\n"
    )
    both = (run_folders.process, run_folders.switch)
    for name, chosen in (("last", 1), ("none", None), ("wrong", None)):
        process, server = serve(*both, "--echo", "--policy", f"{path}:{name}")
        ask = ("run", *both, "kv", "--as", "client", "--negotiate", server["negotiate"], "--count", 1)
        status, out, err = ended(*ask, given=lines([request(1)]))
        if chosen is None:
            assert (status, out) == (1, "")
            assert err.endswith("refuses: the policy allows none of the plans that both ends have\n")
        else:
            (found,) = json.loads(ended("status", "--json")[1])["servers"]
            assert [p["plan"] for p in found["plans"]] == [server["known"][chosen]]
            assert (status, err) == (0, "")
        _, _, err = stopped(process)
        assert ("the policy failed, and so allows nothing: IndexError" in err) == (name == "wrong")


def test_fewer_replies_than_counted(serve, ended, run_folders):
    """Is the answer no, after the time that was given."""
    _, server = serve(run_folders.process, "--echo")
    ask = ("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"])
    status, out, err = ended(*ask, "--count", 3, "--wait", "0.3", given=lines([request(1)]))
    assert (status, out.count("\n"), err) == (1, 1, "bertha run: error: 1 of 3 replies came\n")


def test_input_from_a_file_and_output_that_is_closed(serve, bertha, run_folders, tmp_path):
    """A file is read as a pipe is; a reader that has enough ends the client quietly."""
    _, server = serve(run_folders.process, "--echo")
    ask = ("run", run_folders.process, "kv", "--as", "client", "--negotiate", server["negotiate"])
    path = tmp_path / "requests"
    path.write_text(lines(request(n) for n in range(50)).rstrip("\n"))
    with path.open() as file:
        process = bertha(*ask, "--count", 50, stdin=file)
        assert len(process.stdout.readlines()) == 50
        assert (process.wait(DEADLINE), process.stderr.read()) == (0, "")
    process = bertha(*ask)
    process.stdout.close()
    process.stdin.write(lines([request(1)]))
    process.stdin.flush()
    assert process.wait(DEADLINE) == 141
    assert process.stderr.read() == ""
    with open(os.devnull) as nothing:  # noqa: PTH123  (a device)
        process = bertha(*ask, "--wait", "0.1", stdin=nothing)
        assert (process.wait(DEADLINE), process.stderr.read()) == (0, "")
