"""The standard library: every chunnel loads, and does in the reference interpreter what its comment says."""

import itertools

import pytest
from attrs import evolve
from compiling import compiled

from bertha_ir.diagnostics import BerthaError
from bertha_ir.frontend.load import library, load
from bertha_ir.frontend.sources import LIBRARY
from bertha_ir.interpreter.stack import Delivery, StackMachine
from bertha_ir.passes.base import Module
from bertha_ir.passes.expand import Expand
from bertha_ir.stack import connect

EXPECTED = [
    "account",
    "allow",
    "cache",
    "compress",
    "count",
    "delimit",
    "encapsulate",
    "encrypt",
    "fault",
    "firewall",
    "http2",
    "limit",
    "load_balance",
    "mirror",
    "nat",
    "order",
    "reliable",
    "rewrite",
    "sample",
    "serialize",
    "shard",
    "steer",
    "tag",
    "tcp",
    "udp",
]
KV = """
message Kv over udp { op: u8; key: u64; data: bytes[4]; rest: bytes; }
endpoint a = 10.0.0.1:9001;
endpoint b = 10.0.0.2:9002;
"""
CLIENT, SERVER, A, B = (0x0A000009, 5000), (0x0A000001, 4242), (0x0A000001, 9001), (0x0A000002, 9002)
SECOND = 1_000_000_000


@pytest.fixture
def machine(tmp_path):
    """Makes the request direction of a stack, as written, ready to run messages."""

    def make(request: str, inputs=None) -> StackMachine:
        file = tmp_path / "app.chunnel"
        file.write_text(f"{KV}stack app(client, server) {{ request: {request}; }}\n")
        specification = load([file])
        (graph,) = Expand().run(Module(specification), None).graphs
        messages = {m.name: m for m in specification.messages}
        secrets = {"session": bytes(range(32))}
        known = inputs or {}.__getitem__
        return StackMachine(graph, messages, lambda _, name: known(name), secrets)

    return make


def kv(op: int = 0, key: int = 0, data: bytes = b"\0\0\0\0", rest: bytes = b"") -> bytes:
    return bytes([op]) + key.to_bytes(8, "big") + data + rest


def run(machine: StackMachine, payload: bytes, src=CLIENT, dst=SERVER) -> tuple[Delivery, ...]:
    return machine.run(payload, src, dst)


def arrives(deliveries: tuple[Delivery, ...]) -> Delivery:
    (only,) = deliveries
    return only


def test_the_library_is_whole():
    """Each chunnel that the library promises is there, documented, and typed although nothing uses it."""
    chunnels = {c.name: c for c in library()}
    assert sorted(chunnels) == EXPECTED
    assert all(c.doc for c in chunnels.values())


def test_a_chunnel_is_short():
    """No chunnel of the library takes more than 28 lines: what is common stays small."""
    for path in LIBRARY.glob("*.chunnel"):
        for declaration in path.read_text().split("\nchunnel ")[1:]:
            assert declaration[: declaration.index("\n}")].count("\n") + 2 <= 28, path.name


def test_the_standard_headers_have_their_sizes():
    """Fixed parts are as long as the standards say."""
    sizes = {m.name: m.size for m in load(()).messages}
    standard = {"ethernet": 14, "vlan": 4, "ipv4": 20, "ipv6": 40, "udp": 8, "tcp": 20, "vxlan": 8, "geneve": 8}
    assert {name: sizes[name] for name in standard} == standard
    assert (sizes["dns"], sizes["quic_long"], sizes["quic_short"]) == (12, 6, 1)


def test_shard_spreads_and_is_stable(machine):
    """A key always goes to the same shard, and keys go to both."""
    shard = machine("shard(Kv.key, [a, b]) |> udp(1)")
    where = [arrives(run(shard, kv(key=k))).dst for k in range(64)]
    assert set(where) == {A, B}
    assert where == [arrives(run(shard, kv(key=k))).dst for k in range(64)]


def test_steer_follows_the_ranges(machine):
    """Both ends of a range belong to it; what no range holds goes elsewhere."""
    steer = machine('steer(Kv.op, ["A".."M" -> a, 7 -> a], b) |> udp(1)')
    where = {op: arrives(run(steer, kv(op))).dst for op in (ord("A"), ord("M"), ord("N"), 7, 8)}
    assert where == {ord("A"): A, ord("M"): A, ord("N"): B, 7: A, 8: B}


def test_load_balance_uses_every_back_end(machine):
    """The Maglev ring sends keys to all back ends, each to the same one every time."""
    balance = machine("load_balance(Kv.key, [a, b]) |> udp(1)")
    where = [arrives(run(balance, kv(key=k))).dst for k in range(200)]
    assert 60 < where.count(A) < 140
    assert where == [arrives(run(balance, kv(key=k))).dst for k in range(200)]


def test_firewall_drops_its_prefixes(machine):
    """A source in a prefix is dropped, any other passes unchanged."""
    wall = machine("firewall([10.0.0.8/30, 192.168.0.1]) |> udp(1)")
    assert run(wall, b"x", src=CLIENT) == ()
    assert arrives(run(wall, b"x", src=(0x0A00000C, 1))).payload == b"x"


def test_allow_lets_its_prefixes_through(machine):
    """A source in a prefix passes unchanged, any other is dropped; no prefix lets nothing through."""
    wall = machine("allow([10.0.0.8/30, 192.168.0.1]) |> udp(1)")
    assert arrives(run(wall, b"x", src=CLIENT)).payload == b"x"
    assert run(wall, b"x", src=(0x0A00000C, 1)) == ()
    assert run(machine("allow([]) |> udp(1)"), b"x") == ()


@pytest.mark.parametrize(("per_mille", "passed"), [(0, 5), (1, 3), (10, 2), (1000, 0), (2000, 0)])
def test_fault_drops_by_chance(machine, per_mille, passed):
    """Of five throws of 32 bits, those below the share, counted in thousandths, are losses; 0 loses nothing."""
    throws = iter((0, 9, 10, 999, 5000))
    fault = machine(f"fault({per_mille}) |> udp(1)", lambda _: next(throws))
    assert sum(len(run(fault, b"x")) for _ in range(5)) == passed


def test_limit_is_a_token_bucket(machine):
    """A burst passes at once, then one message per interval; every value of the field has its own bucket."""
    clock = {"now": 5 * SECOND}
    limit = machine("limit(rate = 10, burst = 3, by = Kv.key) |> udp(1)", clock.__getitem__)
    assert [len(run(limit, kv(key=1))) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert len(run(limit, kv(key=2))) == 1
    clock["now"] += SECOND // 10
    assert [len(run(limit, kv(key=1))) for _ in range(2)] == [1, 0]
    clock["now"] += 10 * SECOND
    assert [len(run(limit, kv(key=1))) for _ in range(4)] == [1, 1, 1, 0]


def test_a_limit_of_nothing_lets_nothing_pass(machine):
    """A rate of 0 is no division by zero and no free pass."""
    assert run(machine("limit(0, 3, Kv.key) |> udp(1)", {"now": SECOND}.__getitem__), kv()) == ()


def test_count_counts_by_value(machine):
    """The state holds how often each value was seen."""
    count = machine("count(Kv.op) |> udp(1)")
    for op in (1, 2, 1):
        run(count, kv(op))
    (rows,) = count.states.rows.values()
    assert dict(rows) == {(1,): (2,), (2,): (1,)}


def test_tag_writes_the_field(machine):
    """Only the field changes."""
    assert arrives(run(machine("tag(Kv.op, 9) |> udp(1)"), kv(1, 2, b"abcd", b"tail"))).payload == kv(
        9, 2, b"abcd", b"tail"
    )


def test_mirror_sends_a_copy(machine):
    """The message arrives where it was meant to, and again at the collector."""
    found = run(machine("mirror(b) |> udp(1)"), b"hello")
    assert [(d.dst, d.payload) for d in found] == [(SERVER, b"hello"), (B, b"hello")]


@pytest.mark.parametrize(("one_in", "copied"), [(1, 4), (3, 2), (5, 1), (0, 0)])
def test_sample_sends_some_copies(machine, one_in, copied):
    """A throw that `one_in` divides sends a copy; 0 sends none; every message arrives."""
    throws = iter((0, 1, 6, 7))
    sample = machine(f"sample({one_in}, b) |> udp(1)", lambda _: next(throws))
    found = [[d.dst for d in run(sample, b"x")] for _ in range(4)]
    assert all(dst[0] == SERVER for dst in found)
    assert sum(dst[1:] == [B] for dst in found) == copied


def test_account_adds_up_bytes(machine):
    """The state holds the bytes of the messages with each value, headers of the network left out."""
    account = machine("account(Kv.op) |> udp(1)")
    for op, rest in ((1, b""), (2, b"12345"), (1, b"123")):
        assert arrives(run(account, kv(op, rest=rest))).payload == kv(op, rest=rest)
    (rows,) = account.states.rows.values()
    assert dict(rows) == {(1,): (2 * 13 + 3,), (2,): (13 + 5,)}


def test_rewrite_changes_one_destination(machine):
    """What is meant for `old` goes to `new`, the rest where it was meant to."""
    rewrite = machine("rewrite(a, b) |> udp(1)")
    assert [arrives(run(rewrite, b"", dst=d)).dst for d in (A, SERVER)] == [B, SERVER]


def test_a_copy_leaves_the_path(machine):
    """The collector's copy is as the message was at that point; what follows meets the message alone."""
    counted = machine("mirror(b) |> tag(Kv.op, 9) |> count(Kv.op) |> udp(1)")
    message, copy = run(counted, kv(1))
    assert (message.payload[0], copy.payload[0], copy.copy) == (9, 1, True)
    assert counted.states.rows == {"app_count_hits": {(9,): (1,)}}


def test_fields_of_the_network_can_be_given(machine):
    """Without a frame around it, a message brings the fields of the headers that its stack reads."""
    marked = machine("tag(ipv4.dscp, 46) |> udp(1)").run(b"x", network={"ipv4": {"dscp": 0}})
    assert arrives(marked).network == (("ipv4", (("dscp", 46),)),)


def test_nat_gives_each_sender_a_port(machine):
    """Two senders with the same port differ outside, and each keeps its port."""
    nat = machine("nat(203.0.113.7) |> udp(1)")
    one, two = (1, 5000), (2, 5000)
    seen = [arrives(run(nat, b"", src=s)).src for s in (one, two, one)]
    assert {ip for ip, _ in seen} == {0xCB007107}
    assert seen[0] == seen[2] != seen[1]


def test_nat_drops_when_its_table_is_full(machine):
    """The 4097th sender gets no port that another has."""
    nat = machine("nat(203.0.113.7) |> udp(1)")
    ports = {arrives(run(nat, b"", src=(i, 1))).src for i in range(4096)}
    assert len(ports) == 4096
    assert run(nat, b"", src=(9999, 1)) == ()


def test_cache_reads_through(tmp_path):
    """The first read goes to the server; its answer is kept for the next; a write makes the cache forget."""
    file = tmp_path / "app.chunnel"
    request = "cache(Kv.key, Kv.op, 0, Kv.data) |> udp(1)"
    file.write_text(f"{KV}stack app(client, server) {{ request: {request}; response: udp(1); }}\n")
    specification = load([file])
    there, back = Expand().run(Module(specification), None).graphs
    messages = {m.name: m for m in specification.messages}
    cache = StackMachine(there, messages)
    replies = StackMachine(back, messages, shared=cache)
    assert not arrives(run(cache, kv(0, 5))).back
    assert arrives(run(replies, kv(0, 5, b"old!"), SERVER, CLIENT)).payload == kv(0, 5, b"old!")
    answer = arrives(run(cache, kv(0, 5)))
    assert (answer.back, answer.payload, answer.dst) == (True, kv(0, 5, b"old!"), CLIENT)
    assert not arrives(run(cache, kv(1, 5, b"new!"))).back
    assert not arrives(run(cache, kv(0, 5))).back


@pytest.mark.parametrize(
    "codec",
    [
        "compress |> udp(1)",
        'encrypt(secret("session")) |> udp(1)',
        "http2(7) |> tcp(1)",
        "encapsulate(7, 02:00:00:00:00:01, 02:00:00:00:00:02) |> udp(4789)",
        'compress |> encrypt(secret("session")) |> order |> reliable |> udp(1)',
    ],
)
@pytest.mark.parametrize("payload", [b"", b"x", bytes(1000)])
def test_codecs_undo_themselves(machine, codec, payload):
    """What is received is what was sent."""
    counter = itertools.count()
    sent = run(machine(codec, lambda _: next(counter)), payload)
    assert [d.payload for d in sent if not d.back] == [payload]


def test_serialize_carries_the_record(machine):
    """The record arrives field by field, the tail included."""
    record = {"op": 1, "key": 2, "data": b"abcd", "rest": b"tail"}
    (found,) = machine("serialize(Kv) |> udp(1)").run(value=record, src=CLIENT, dst=SERVER)
    assert found.value == record


def half(machine: StackMachine, side: str, chunnel: str) -> StackMachine:
    """Only one end's op of a chunnel, so that a test can be the network between the two."""
    ops = tuple(o for o in machine.graph.ops if o.side == side and o.chunnel == chunnel)
    assert len(ops) == 1
    layout = machine.graph.into(ops[0].id)
    return StackMachine(evolve(machine.graph, ops=ops, edges=connect(ops, [layout, layout])), machine.messages)


def test_reliable_acknowledges_once_per_copy_and_passes_one(machine):
    """Each copy is acknowledged, for the first acknowledgement may be lost; the application sees the message once."""
    whole = machine("reliable |> udp(1)")
    receive = half(whole, "receiver", "reliable")
    (sent,) = run(half(whole, "sender", "reliable"), b"hello")
    first, again = run(receive, sent.payload), run(receive, sent.payload)
    assert [(d.payload, d.back) for d in first] == [(b"hello", False), (b"\x01\0\0\0\0", True)]
    assert [(d.payload, d.back) for d in again] == [(b"\x01\0\0\0\0", True)]


def test_reliable_keeps_what_is_not_acknowledged_and_stops_at_the_window(machine):
    """257 sends without an acknowledgement: the last is refused, and the 256 are kept, whole, to be sent again."""
    send = half(machine("reliable |> udp(1)"), "sender", "reliable")
    sent = [run(send, b"%d" % i) for i in range(257)]
    assert [len(s) for s in sent] == [1] * 256 + [0]
    waiting = next(rows for name, rows in send.states.rows.items() if "waiting" in name)
    assert [row[0] for row in waiting.values()] == [arrives(s).payload for s in sent[:256]]


def test_order_restores_the_order(machine):
    """Messages that arrive in any order leave in the order in which they were sent, each once."""
    for arrival in itertools.permutations(range(4)):
        whole = machine("order |> reliable |> udp(1)")
        send, receive = half(whole, "sender", "order"), half(whole, "receiver", "order")
        sent = [arrives(run(send, b"%d" % i)).payload for i in range(4)]
        out = [d.payload for i in (*arrival, arrival[0]) for d in run(receive, sent[i])]
        assert out == [b"0", b"1", b"2", b"3"]


ALL = {"kernel(c1)", "tor", "kernel(h1)", "h1"}


@pytest.mark.parametrize(
    ("use", "refused", "why"),
    [
        ("allow([10.0.0.0/8])", set(), ""),
        ("fault(10)", set(), ""),
        ("account(Query.id)", ALL - {"h1"}, "a kernel program cannot read or write a payload"),
        ("account(Query.id)", ALL - {"h1"}, "a switch cannot hold bytes of varying length"),
    ],
)
def test_bodies_decide_where_chunnels_run(use, refused, why):
    """Chance and prefixes are everywhere; the bytes of a payload are counted where there is a process."""
    (plan,) = compiled(f"{use} |> udp(4242)").plans
    assert {b.device for b in plan.bindings if b.op.endswith(".packet")} == ALL - refused
    assert {r.device for r in plan.refusals} == refused
    assert not why or why in {r.reason for r in plan.refusals}


@pytest.mark.parametrize(
    ("use", "why"),
    [
        ("sample(7, c)", "cannot clone a message"),
        ("account(ipv4.dscp)", "a process does not see the header `ipv4`"),
    ],
)
def test_what_runs_nowhere_is_refused_with_each_device_s_reason(use, why):
    """CH203 names every device of the path."""
    with pytest.raises(BerthaError) as caught:
        compiled(f"{use} |> udp(4242)")
    (found,) = caught.value.diagnostics
    assert (found.code.number(), found.span.text) == ("CH203", use)
    assert why in found.message
    assert all(f"{device}: " in found.message for device in ALL)
