"""A `reply` handler runs on the device of its `packet` handler, and shares its state."""

import pytest
from compiling import SITE, compiled
from frames import frame

from bertha_ir.diagnostics import BerthaError
from bertha_ir.interpreter.compare import Subject, compare
from bertha_ir.interpreter.program import Machine

SMALL_CACHE = """
message Ask over udp { op: u8; key: u8; data: bytes[4]; rest: bytes; }
chunnel small(by: field, op: field, data: field) {
  place: path;
  state entries: map[type(by) -> type(data); 256];
  on packet(m) { if m.op == 0 and m.by in entries { m.data = entries[m.by]; bounce; } }
  on reply(m) { if m.op == 0 { entries[m.by] = m.data; } }
}
"""
CLIENT, SERVICE = (0x0A000009, 5555), (0x0A000001, 4242)
REQUEST = "small(by = Ask.key, op = Ask.op, data = Ask.data) |> udp(4242)"


def test_a_switch_reads_through():
    """On the switch both directions are one program: what the server answered once, the switch answers."""
    built = compiled(REQUEST, more=SMALL_CACHE)
    (plan,) = built.plans
    assert {(b.op, b.device) for b in plan.bindings if b.op.startswith("small")} == {
        ("small.packet", "tor"),
        ("small.reply", "tor"),
    }
    machine = Machine(next(p.program for p in built.programs if p.program.device == "tor"))
    question, answer = bytes([0, 7]) + bytes(4), bytes([0, 7]) + b"data"
    assert machine.run(frame(CLIENT, SERVICE, question)).verdict == "pass"
    assert machine.run(frame(SERVICE, CLIENT, answer)).data == frame(SERVICE, CLIENT, answer)
    bounced = machine.run(frame(CLIENT, SERVICE, question))
    assert (bounced.verdict, bounced.data) == ("bounce", frame(SERVICE, CLIENT, answer))


def test_other_senders_replies_teach_nothing():
    """Only what comes from the service is a reply."""
    built = compiled(REQUEST, more=SMALL_CACHE)
    machine = Machine(next(p.program for p in built.programs if p.program.device == "tor"))
    machine.run(frame((0x0A000066, 4242), CLIENT, bytes([0, 7]) + b"evil"))
    assert machine.run(frame(CLIENT, SERVICE, bytes([0, 7]) + bytes(4))).verdict == "pass"


def test_a_kernel_cannot_yet():
    """There the two directions are two programs: said of every device when no other is left."""
    with pytest.raises(BerthaError) as caught:
        compiled(REQUEST, more=SMALL_CACHE, site=SITE + "policy { deny small on tor; }")
    assert "the two directions are two programs" in str(caught.value)


def test_replies_meet_what_requests_have_met_the_other_way_round():
    """Behind a switch that answers, a kernel steers: a reply has the service's address when the switch sees it."""
    built = compiled(
        REQUEST.replace("|> udp", "|> shard(key = Ask.key, shards = [a, c]) |> udp"), more=SMALL_CACHE,
        site=SITE + "policy { prefer shard on [kernel(h1)]; prefer small on [tor]; }",
    )  # fmt: skip
    (response,) = (o.ops for o in built.plans[0].orders if o.direction == "response")
    assert [op for op in response if not op.startswith("udp")] == ["shard.undo", "small.reply"]
    messages = {m.name: m for m in built.specification.messages}
    assert compare(Subject(built.plans[0], built.graphs, built.programs, messages), count=1500).difference is None
