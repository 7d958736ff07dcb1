"""A compiled stack in BMv2: state that both directions share, kept in registers, beside the interpreter."""

import random

import pytest
from bmv2 import MISSING, compile_p4, run_switch
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


def test_a_switch_answers_what_it_has_seen_answered(tmp_path):
    """Of 300 questions and answers, in one order, each leaves where and as the interpreter says."""
    site = SITE.replace("port 1", f"port {CLIENTS}").replace("port 2", f"port {SERVERS}")
    built = compiled("small(by = Ask.key, op = Ask.op, data = Ask.data) |> udp(4242)", more=CACHE, site=site)
    for path, content in api.artifact(built).items():
        if path.startswith("p4/"):
            tmp_path.joinpath(path.rpartition("/")[2]).write_bytes(content)
    program = compile_p4(next(tmp_path.glob("*.p4")))
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
    assert run_switch(program, next(tmp_path.glob("*.commands.txt")).read_text(), sent, 300) == expected
