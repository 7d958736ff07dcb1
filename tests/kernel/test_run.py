"""Both ends by `bertha run`, on two hosts: the server's kernel shards, and `bertha status` says so."""

import json
import os
import signal
import subprocess
import sys

import pytest
from connecting import EXAMPLE, shard_of
from loading import needs_kernel
from netns import Pair, command

from bertha_ir import api, artifact

pytestmark = needs_kernel
START = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"
REQUESTS = 60


@pytest.fixture
def folder(tmp_path):
    """The example's artifact: sharding in the kernel of the server."""
    out = tmp_path / "kv"
    artifact.write(api.artifact(api.build(sorted(EXAMPLE.glob("*.chunnel")))), out)
    return out


def bertha(tmp_path, *words):
    """Start the command where the thread is."""
    env = {**os.environ, "BERTHA_RUNTIME_DIR": str(tmp_path / "sockets")}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", START, *map(str, words)], text=True, env=env, **pipes)


def test_the_kernel_shards_for_a_server_from_the_shell(folder, tmp_path):
    """Every request is answered; while the server runs, its programs are attached and listed, and not afterwards."""
    requests = [
        {"request": n, "client": 7, "op": 1, "flags": 0, "key": n * 7919, "value": str(n)} for n in range(REQUESTS)
    ]
    assert len({shard_of(row["key"]) for row in requests}) == 3
    with Pair() as pair, pair.server:
        server = bertha(tmp_path, "run", folder, "kv", "--as", "server", "--echo", "--interface", "wire")
        with server:
            try:
                said = server.stdout.readline()
                assert said == "serving kv at 10.0.0.1:4242, negotiating at 10.0.0.1:4243\n", server.stderr.read()
                asked(pair, folder, tmp_path, requests)
                server.send_signal(signal.SIGTERM)
                assert server.communicate(timeout=20) == ("", "")
            finally:
                server.kill()
        assert server.returncode == 0
        assert "xdp" not in command("ip", "link", "show", "wire")


def asked(pair, folder, tmp_path, requests):
    """Send requests from the client's host, and look at the server before the client has ended."""
    with pair.client:
        client = bertha(tmp_path, "run", folder, "kv", "--as", "client", "--negotiate", "10.0.0.1:4243")
    with client:
        client.stdin.write("".join(f"{json.dumps(row)}\n" for row in requests))
        client.stdin.flush()
        replies = [json.loads(client.stdout.readline()) for _ in requests]
        with bertha(tmp_path, "status", "--json") as status:
            (found,) = json.loads(status.communicate(timeout=20)[0])["servers"]
        assert "xdp" in command("ip", "link", "show", "wire")
        assert client.communicate(timeout=20)[1] == ""
    assert {row["request"]: row["value"] for row in replies} == {row["request"]: row["value"] for row in requests}
    (plan,) = found["plans"]
    assert plan["kernel"] == ["kv_ingress", "kv_egress"]
    assert plan["process"] == []
    assert plan["counts"]["received"] == REQUESTS
