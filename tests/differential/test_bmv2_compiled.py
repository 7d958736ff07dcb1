"""A compiled stack in BMv2: state that both directions share, kept in registers, beside the interpreter."""

import random

import pytest
from bmv2 import MISSING, compile_p4, run_switch
from catalogue import files_of
from compiling import SITE, compiled
from frames import frame

from bertha_ir import api
from bertha_ir.interpreter.program import Machine

pytestmark = [pytest.mark.p4, pytest.mark.skipif(bool(MISSING), reason=f"not on PATH: {', '.join(MISSING)}")]

CACHE = """
message Ask over udp { op: u8; key: u8; data: bytes[4]; rest: bytes; }
chunnel small(by: field, op: field, data: field) {
  place: path;
  state entries: map[type(by) -> type(data); 256];
  on packet(m) { if m.op == 0 and m.by in entries { m.data = entries[m.by]; bounce; } }
  on reply(m) { if m.op == 0 { entries[m.by] = m.data; } }
}
"""
CLIENT, SERVICE = (0x0A000009, 5555), (0x0A000001, 4242)
CLIENTS, SERVERS = 0, 1  # ports
ON_SWITCH = SITE.replace("port 1", f"port {CLIENTS}").replace("port 2", f"port {SERVERS}")


def in_switch(built, folder):
    """The program of the switch, compiled by p4c, and the commands that fill its tables."""
    for path, content in api.artifact(built).items():
        if path.startswith("p4/"):
            folder.joinpath(path.rpartition("/")[2]).write_bytes(content)
    return compile_p4(next(folder.glob("*.p4"))), next(folder.glob("*.commands.txt")).read_text()


def test_a_switch_answers_what_it_has_seen_answered(tmp_path):
    """Of 300 questions and answers, in one order, each leaves where and as the interpreter says."""
    built = compiled("small(by = Ask.key, op = Ask.op, data = Ask.data) |> udp(4242)", more=CACHE, site=ON_SWITCH)
    program, commands = in_switch(built, tmp_path)
    machine = Machine(next(p.program for p in built.programs if p.program.device == "tor"))
    rng, sent, expected = random.Random(2), [], [[], []]
    for _ in range(300):
        op, key, asks = rng.randrange(2), rng.randrange(6), rng.random() < 0.6
        data = frame(CLIENT, SERVICE, bytes([op, key, 0, 0, 0, 0])) if asks else b""
        data = data or frame(SERVICE, CLIENT, bytes([op, key]) + rng.randbytes(4))
        port = CLIENTS if asks else SERVERS
        outcome = machine.run(data)
        expected[port if outcome.verdict == "bounce" else 1 - port].append(outcome.data)
        sent.append((port, data))
    assert len(expected[CLIENTS]) > 150
    assert run_switch(program, commands, sent, 300) == expected


def test_a_message_too_short_for_one_op_meets_the_others(tmp_path):
    """A filter drops, and the sharding behind it passes, what ends before the key."""
    policy = "policy { prefer firewall on [tor]; prefer shard on [tor]; }"
    chain = "firewall(deny = [10.9.0.0/16]) |> shard(key = Query.wide, shards = [a, c]) |> udp(4242)"
    built = compiled(chain, site=ON_SWITCH + policy)
    machine = Machine(next(p.program for p in built.programs if p.program.device == "tor"))
    rng, sent, expected = random.Random(3), [], [[], []]
    for _ in range(200):
        source = (rng.choice((0x0A090001, 0x0A000009)), 5555)
        data = frame(source, SERVICE, rng.randbytes(rng.choice((4, 19, 20, 33))))
        outcome = machine.run(data)
        expected[SERVERS] += [outcome.data] if outcome.verdict == "pass" else []
        sent.append((CLIENTS, data))
    assert 60 < len(expected[SERVERS]) < 140
    assert run_switch(*in_switch(built, tmp_path), sent, len(expected[SERVERS])) == expected


def test_the_cache_of_memcached_answers_bit_by_bit(tmp_path):
    """Reads, writes and answers that the catalogue's cache sees, of keys that, by a poor hash, share lines."""
    chain, site = (path.read_text() for path in files_of("memcached_cache"))
    files = [tmp_path / "memcached_cache.chunnel", tmp_path / "site.chunnel"]
    files[0].write_text(chain.replace("crc32(m.Memcached.key) as u16", "m.Memcached.key as u16 & 3"))
    files[1].write_text(site.replace("port 1;", f"port {CLIENTS};").replace("port 2;", f"port {SERVERS};"))
    built = api.build(files)
    machine = Machine(next(p.program for p in built.programs if p.program.device == "tor"))
    rng, sent, expected = random.Random(4), [], [[], []]
    web, store = (0x0A001509, 5555), (0x0A001501, 11211)
    forms = (b"get   %s" + b" " * 19 + b"\r\n", b"set   %s 0 0 8   \r\nwhatever\r\n", b"VALUE %s 0 8\r\n%s\r\nEND\r\n")
    for _ in range(300):
        which, key = rng.choice((0, 0, 0, 1, 2, 2)), b"key-000%d" % rng.randrange(6)
        line = forms[which] % ((key, b"%08d" % rng.randrange(10**8)) if which == len(forms) - 1 else key)
        port = SERVERS if which == len(forms) - 1 else CLIENTS
        ends = (web, store) if port == CLIENTS else (store, web)
        data = frame(*ends, bytes([0, rng.randrange(2), 0, 0, 0, 1, 0, 0]) + line)
        outcome = machine.run(data)
        expected[port if outcome.verdict == "bounce" else 1 - port].append(outcome.data)
        sent.append((port, data))
    answers = sum(number == CLIENTS for number, _ in sent) - len(expected[SERVERS])
    assert answers > 20
    assert run_switch(*in_switch(built, tmp_path), sent, 300) == expected
