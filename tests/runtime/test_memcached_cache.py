"""The real memcached, three of them, behind the catalogue's cache: what its programs do with what they answer."""

import shutil
import socket
import struct
import subprocess
import time

import pytest
from catalogue import built

from bertha_ir.interpreter.frame import Framing
from bertha_ir.interpreter.program import Machine

pytestmark = pytest.mark.skipif(shutil.which("memcached") is None, reason="MEMCACHED IS NOT RUN: memcached not on PATH")
SHARDS = (11301, 11302, 11303)
STORE, WEB = 0x0A001501, (0x0A001509, 5555)
WAY = ("ethernet", "ipv4", "udp")


class Rack:
    """The programs of switch and kernel in a row, and instances behind them; counts what these were asked."""

    def __init__(self, ports):
        """Take the port that each shard really has."""
        compiled = built("memcached_cache")
        programs = {(p.backend, p.program.hook): p.program for p in compiled.programs if p.active}
        self.switch, self.steer, self.undo = (
            Machine(programs[key]) for key in (("p4", "pipeline"), ("ebpf", "ingress"), ("ebpf", "egress"))
        )
        layouts = {m.name: m for m in compiled.specification.messages}
        transport = next(i.chunnel.transport for i in compiled.specification.stacks[0].directions[0].instances[::-1])
        self.framing, self.ports, self.asked = Framing(layouts, transport, WAY), ports, 0

    def ask(self, command, number=7, web=WEB):
        """Send a command to the service; return what comes back, without memcached's frame; None if nothing does."""
        reply = self.back(self.forth(command, number, web))
        if reply is None:
            return None
        assert reply[:8] == struct.pack(">HHHH", number, 0, 1, 0)
        return reply[8:]

    def forth(self, command, number=7, web=WEB):
        """Bring a command to an instance; return the frame of its answer, or of that of the switch; None if neither."""
        payload = struct.pack(">HHHH", number, 0, 1, 0) + command
        seen = self.switch.run(self.framing.build(web, (STORE, 11211), payload, {}))
        if seen.verdict == "drop":
            return None
        if seen.verdict == "bounce":
            return seen.data
        shard = self.framing.ends(self.steer.run(seen.data).data)[1]
        if shard[1] not in self.ports:
            return None  # it went to the service's own port, where nobody listens
        self.asked += 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(5)
            link.connect(("127.0.0.1", self.ports[shard[1]]))
            link.send(payload)
            return self.framing.build(shard, web, link.recv(2000), {})

    def back(self, frame):
        """Bring an answer to who asked, who hears the service's own address alone."""
        if frame is None:
            return None
        if self.framing.ends(frame)[0][1] in SHARDS:
            frame = self.switch.run(self.undo.run(frame).data).data
        assert self.framing.ends(frame)[0] == (STORE, 11211)
        return frame[self.framing.size :]


def free_port():
    """Return a port that neither TCP nor UDP uses now."""
    with socket.socket() as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(one.getsockname())
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def ports():
    """Three instances, each at a port of its own in place of the shard's."""
    found = {shard: free_port() for shard in SHARDS}
    command = ("memcached", "-u", "nobody", "-m", "16", "-t", "1", "-l", "127.0.0.1")
    running = [subprocess.Popen((*command, "-p", str(port), "-U", str(port))) for port in found.values()]
    try:
        for port in found.values():
            wait_for(port)
        yield found
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(10)


@pytest.fixture
def rack(ports):
    """The programs, which remember nothing yet."""
    return Rack(ports)


def wait_for(port):
    """Wait until an instance takes connections, at most 5 s."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def sets(port):
    """Return how often an instance was written to."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(b"stats\r\n")
        text = b""
        while not text.endswith(b"END\r\n"):
            text += link.recv(4096)
    return int(text.partition(b"STAT cmd_set ")[2].split()[0])


def get(key):
    """A read, with room for its answer."""
    return b"get   %s" % key + b" " * 19 + b"\r\n"


def put(key, value):
    """A write."""
    return b"set   %s 0 0 8   \r\n%s\r\n" % (key, value)


def value(key, data):
    """What memcached answers."""
    return b"VALUE %s 0 8\r\n%s\r\nEND\r\n" % (key, data)


def test_a_second_read_asks_nobody(rack):
    """The switch's answer is memcached's own, byte by byte; a write, and the read behind it, ask memcached."""
    keys = [b"key-%04d" % number for number in range(40)]
    for key in keys:
        assert rack.ask(put(key, key[::-1])) == b"STORED\r\n"
        assert rack.ask(get(key)) == value(key, key[::-1])
    asked = rack.asked
    assert [rack.ask(get(key)) for key in keys] == [value(key, key[::-1]) for key in keys]
    assert rack.asked == asked
    assert rack.ask(put(keys[0], b"another!")) == b"STORED\r\n"
    assert rack.ask(get(keys[0])) == value(keys[0], b"another!")
    assert rack.asked == asked + 2


def test_each_key_has_its_instance(rack):
    """All three are asked, and each write by one of them."""
    before = [sets(port) for port in rack.ports.values()]
    for number in range(60):
        rack.ask(put(b"key-%04d" % number, b"whatever"))
    counts = [sets(port) - count for port, count in zip(rack.ports.values(), before, strict=True)]
    assert sum(counts) == 60
    assert min(counts) > 0


def test_no_answer_is_older_than_a_write(rack):
    """An answer that memcached gave before a write, and that passes the switch behind it, is not remembered."""
    rack.ask(put(b"the-key!", b"old-----"))
    late = rack.forth(get(b"the-key!"))
    rack.ask(put(b"the-key!", b"new-----"))
    assert rack.back(late)[8:] == value(b"the-key!", b"old-----")
    assert rack.ask(get(b"the-key!")) == value(b"the-key!", b"new-----")


def test_answers_are_remembered_for_who_asked_last(rack):
    """Of two that read at once, only the later one's answer is: the other's may be older than a write between them."""
    rack.ask(put(b"the-key!", b"old-----"))
    early = rack.forth(get(b"the-key!"), number=1)
    rack.ask(put(b"the-key!", b"new-----"))
    later = rack.forth(get(b"the-key!"), number=2)
    rack.back(early)
    assert rack.ask(get(b"the-key!"), number=3) == value(b"the-key!", b"new-----")
    rack.back(later)
    asked = rack.asked
    assert rack.ask(get(b"the-key!"), number=4)[-15:] == b"new-----\r\nEND\r\n"
    assert rack.asked == asked


@pytest.mark.parametrize(
    "command",
    [
        b"get   key-0001key-0001" + b" " * 11 + b"\r\n",
        b"get   key-0001 key-0002" + b" " * 10 + b"\r\n",
        b"get   key-0001" + b" " * 12 + b"another\r\n",
        b"set   key-0001longer 0 0 8\r\nwhatever\r\n",
        b"set key-0001 0 0 8" + b" " * 14 + b"\r\nwhatever\r\n",
        b"append key-0001   0 0 8\r\nwhatever\r\n",
        b"get   " + bytes(8) + b" " * 19 + b"\r\n",
        b"set   key-0001 0 0 8\r\nwhatever\r\n",
        b"get key-0001\r\n",
        b"delete key-0001\r\n",
    ],
)
def test_what_the_cache_would_not_know_reaches_no_instance(rack, command):
    """Longer keys, several of them, commands that have their key elsewhere, and those that are not padded."""
    assert rack.ask(command) is None
