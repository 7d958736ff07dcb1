"""The real memcached, three of them, behind one address: the compiled example steers by the key's first letter."""

import shutil
import socket
import string
import struct
import subprocess
import time

import pytest
from compiling import examples
from loading import deployed, needs_kernel
from netns import Pair

pytestmark = [
    *needs_kernel,
    pytest.mark.skipif(shutil.which("memcached") is None, reason="MEMCACHED IS NOT RUN: memcached not on PATH"),
]
ADDRESS, SERVICE, CLIENT = "10.0.0.1", 11211, ("10.0.0.9", 5555)
INSTANCES = {"low": 11301, "high": 11302, "other": 11303}
(EXAMPLE,) = (folder for folder in examples() if folder.name == "memcached_steer")
KEYS = {
    **{letter + "-key": "low" for letter in "ABCMabcm"},
    **{letter + "-key": "high" for letter in "NOYZnoyz"},
    **{sign + "-key": "other" for sign in string.digits + "_@[`{~"},
    "A": "low",
    "z" * 200: "high",
}


def ask(pair, port, line, end):
    """Send a command over TCP to one instance; return its answer."""
    with pair.client.socket((CLIENT[0], 0), socket.SOCK_STREAM) as link:
        link.connect((ADDRESS, port))
        link.sendall(line)
        data = b""
        while not data.endswith(end):
            data += link.recv(4096)
        return data


def wait_for(pair, port):
    """Wait until an instance takes connections, at most 5 s."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return ask(pair, port, b"version\r\n", b"\r\n")
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.fixture
def pair(tmp_path):
    """Three instances, each with every key and a value that tells which it is; the programs attached."""
    with Pair() as made, deployed(EXAMPLE, "h1", tmp_path) as programs:
        with made.server:
            programs["ingress"].attach(made.interface)
            programs["egress"].attach(made.interface)
            command = ("memcached", "-u", "nobody", "-m", "16", "-t", "1", "-l", ADDRESS)
            running = [subprocess.Popen((*command, "-p", str(port), "-U", str(port))) for port in INSTANCES.values()]
        try:
            for name, port in INSTANCES.items():
                wait_for(made, port)
                for key in KEYS:
                    line = f"set {key} 0 0 {len(name)}\r\n{name}\r\n".encode()
                    assert ask(made, port, line, b"\r\n") == b"STORED\r\n"
            yield made
        finally:
            for process in running:
                process.terminate()
                process.wait(5)


def get(client, number, key):
    """Ask for a key in memcached's UDP framing; return the answer's text."""
    client.send(struct.pack(">HHHH", number, 0, 1, 0) + f"get {key}\r\n".encode())
    data = client.recv(4096)
    assert struct.unpack(">HHHH", data[:8]) == (number, 0, 1, 0)
    return data[8:].decode()


def test_each_key_is_answered_by_its_instance(pair):
    """`get` over UDP to port 11211, where nobody listens: keys from A to M, N to Z, a to m, n to z and all others are
    answered by the right instance, as from port 11211, to a connected client; the other instances were not asked.
    """
    client = pair.client.socket(CLIENT)
    client.connect((ADDRESS, SERVICE))
    asked = dict.fromkeys(INSTANCES, 0)
    for number, (key, name) in enumerate(sorted(KEYS.items()) * 3):
        assert get(client, number, key) == f"VALUE {key} 0 {len(name)}\r\n{name}\r\nEND\r\n"
        asked[name] += 1
    client.close()
    for name, port in INSTANCES.items():
        statistics = ask(pair, port, b"stats\r\n", b"END\r\n").decode()
        assert f"STAT cmd_get {asked[name]}\r\n" in statistics
