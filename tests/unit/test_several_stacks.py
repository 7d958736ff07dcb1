"""Stacks that share a site share its devices: one program a hook, and none hides another."""

import struct

import pytest
from compiling import SITE, compiled
from frames import frame

from bertha_ir.diagnostics import BerthaError
from bertha_ir.interpreter.program import Machine

OTHER = """
message Other over udp { color: u8; rest: bytes; }
endpoint x = 10.0.0.1:9101;
endpoint y = 10.0.0.1:9102;
stack other(client, server) {
  request: shard(key = Other.color, shards = [x, y]) |> udp(PORT);
  response: RESPONSE udp(PORT);
}
"""
RUNS = "run other.server on h1; run other.client on c1; policy { prefer shard on [kernel(h1)]; }"
CLIENT, HOST = (0x0A000009, 5555), 0x0A000001


def both(port: int = 5353, response: str = "", backwards: str = "udp(4242)", policy: str = ""):
    more = OTHER.replace("PORT", str(port)).replace("RESPONSE", response)
    return compiled(
        "shard(key = Query.wide, shards = [a, c]) |> udp(4242)",
        response=backwards,
        more=more,
        site=SITE + RUNS + policy,
    )


def program(built, hook: str):
    return next(p.program for p in built.programs if (p.program.device, p.program.hook) == ("h1", hook))


def ports(data: bytes) -> tuple[int, int]:
    return struct.unpack_from(">HH", data, 34)


def test_requests_of_both_are_steered_by_one_program():
    """Each block takes the messages of its own stack."""
    machine = Machine(program(both(), "ingress"))
    for port, shards in ((4242, {9001, 9003}), (5353, {9101, 9102})):
        seen = {
            ports(machine.run(frame(CLIENT, (HOST, port), bytes([n, *range(11), n, *range(20)]))).data)[1]
            for n in range(60)
        }
        assert seen == shards


def test_replies_of_both_are_undone_by_one_program():
    """Both would take every UDP frame, so their bodies are joined."""
    egress = program(both(), "egress")
    assert len(egress.blocks) == 1
    machine = Machine(egress)
    for shard, service in ((9001, 4242), (9102, 5353), (7777, 7777)):
        assert ports(machine.run(frame((HOST, shard), CLIENT, b"answer")).data)[0] == service


def test_a_path_op_of_a_response_sees_its_own_stack_only():
    """`tag` of the one stack's response leaves the other's replies alone."""
    tagged = both(response="tag(where = ipv4.dscp, mark = 7) |>", policy="policy { prefer tag on [kernel(h1)]; }")
    machine = Machine(program(tagged, "egress"))
    marks = [machine.run(frame((HOST, port), CLIENT, b"answer")).data[15] >> 2 for port in (9101, 9001, 7777)]
    assert marks == [7, 0, 0]


def test_one_port_for_two_messages_is_refused():
    """CH208: no parser could tell them apart."""
    with pytest.raises(BerthaError) as caught:
        both(port=4242)
    assert "CH208" in str(caught.value)


def test_two_messages_over_the_same_raw_bytes_are_refused():
    """CH209, at the op that reads the second."""
    more = OTHER.partition("endpoint")[0]
    with pytest.raises(BerthaError) as caught:
        compiled("tag(where = Other.color, mark = 1) |> shard(key = Query.id, shards = [a]) |> udp(4242)", more=more)
    (found,) = caught.value.diagnostics
    assert found.code.number() == "CH209"
    assert found.span is not None
    assert found.span.text.startswith("shard(key")


def test_a_table_of_long_strings_is_refused():
    """CH206: tables of devices hold words of at most 128 bits."""
    more = "chunnel pick(names: list[bytes[20]; 1..8]) { on packet(m) { if size(m.payload) == len(names) { drop; } } }"
    with pytest.raises(BerthaError) as caught:
        compiled(f'pick(names = ["{"x" * 20}"]) |> udp(4242)', more=more)
    assert "CH206" in str(caught.value)
