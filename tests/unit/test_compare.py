"""The comparison of a stack with its programs: it agrees where they do, and finds what was changed."""

import struct

import pytest
from attrs import evolve
from compiling import SITE, compiled
from frames import checksum, frame

from bertha_ir import api
from bertha_ir import expr as e
from bertha_ir.interpreter.compare import Compared, Subject, compare
from bertha_ir.interpreter.frame import Framing, internet_checksum, ways
from bertha_ir.program import Entry, Table
from bertha_ir.stmt import Assign, Clone, Drop, FixChecksum, Store
from bertha_ir.types import ENDPOINT
from bertha_ir.walk import transform

SHARD = "shard(key = Query.wide, shards = [a, c]) |> udp(4242)"
ENCRYPTED = 'serialize(Query) |> encrypt(secret("k")) |> udp(4242)'
SWITCH = SITE + "policy { prefer cached on [tor]; }"
KERNEL = SITE + "policy { prefer shard on [kernel(h1)]; prefer count on [kernel(h1)]; }"
BOTH = SITE + "policy { prefer firewall on [kernel(h1)]; prefer shard on [kernel(h1)]; }"
PROCESS = SITE + "policy { deny shard on kernel(h1); deny shard on tor; deny shard on kernel(c1); }"
ALONE = SITE + "".join(
    f"policy {{ deny {op} on {device}; }} "
    for op in ("firewall", "shard")
    for device in ("kernel(h1)", "tor", "kernel(c1)")
)
CACHED = """
message Ask over udp { op: u8; key: u8; data: bytes[4]; rest: bytes; }
chunnel cached(by: field, op: field, data: field) {
  place: path;
  state entries: map[type(by) -> type(data); 256];
  on packet(m) { if m.op == 0 and m.by in entries { m.data = entries[m.by]; bounce; } }
  on reply(m) { if m.op == 0 { entries[m.by] = m.data; } }
}
"""
CASES = {
    "a kernel": (SHARD, "udp(4242)", KERNEL),
    "a process": (SHARD, "udp(4242)", PROCESS),
    "no site": (SHARD, "udp(4242)", ""),
    "codecs": (ENCRYPTED, "serialize(Query) |> compress |> udp(4242)", SITE),
    "state": ("count(by = Query.kind) |> udp(4242)", "udp(4242)", KERNEL),
    "time": ("limit(rate = 7, burst = 7, by = udp.src_port) |> udp(4242)", "udp(4242)", SITE),
    "chance": ("fault(per_mille = 300) |> udp(4242)", "udp(4242)", SITE),
    "both directions": ("cached(by = Ask.key, op = Ask.op, data = Ask.data) |> udp(4242)", "udp(4242)", SWITCH),
    "a filter first": (f"firewall(deny = [10.9.0.0/16]) |> {SHARD}", "udp(4242)", BOTH),
    "in a process, a filter first": (f"firewall(deny = [10.9.0.0/16]) |> {SHARD}", "udp(4242)", ALONE),
    "a stream": ("firewall(deny = [10.9.0.0/16]) |> tcp(4242)", "tcp(4242)", SITE),
}

FEW = {"both directions", "a filter first", "in a process, a filter first"}
"""Those in which few messages show what only they can show: strangers' frames, and those too short for an op."""


def run(built: api.Compiled, count: int = 400, seed: int = 0) -> Compared:
    messages = {m.name: m for m in built.specification.messages}
    return compare(Subject(built.plans[0], built.graphs, built.programs, messages), count=count, seed=seed)


def built_of(name: str) -> api.Compiled:
    request, response, site = CASES[name]
    return compiled(request, response=response, site=site, more=CACHED)


@pytest.mark.parametrize("name", CASES)
def test_what_was_compiled_is_what_was_written(name):
    """400 messages show no difference, and every active program of the stack has run."""
    built = built_of(name)
    count = 3000 if name in FEW else 400
    found = run(built, count)
    assert found.difference is None
    ours = {f"{p.program.device}/{p.program.hook}/{p.program.name}" for p in built.programs if p.active}
    assert set(found.programs) == ours
    assert sum(found.messages.values()) == count
    assert found.others > 0 or "frame" not in {p.program.root for p in built.programs if p.active}


def test_the_same_seed_sends_the_same():
    """And another seed something else."""
    built = built_of("a kernel")
    assert run(built) == run(built)
    assert run(built).others != run(built, seed=3).others


def changed(built: api.Compiled, change, where: str = "") -> api.Compiled:
    """The artifact with the nodes of its active programs changed."""
    programs = tuple(
        evolve(p, program=transform(p.program, change)) if p.active and where in p.program.name else p
        for p in built.programs
    )
    assert programs != built.programs
    return evolve(built, programs=programs)


def other_shard(node):
    """One entry of the list of shards, or of where replies come from."""
    if not isinstance(node, Entry):
        return node
    match, values = (tuple(9002 if n == 9001 else n for n in part) for part in (node.match, node.values))
    return Entry(match, values)


def no_checksums(node):
    """Checksums are left as they were: `old` and `new` are the same."""
    return evolve(node, new=node.old) if isinstance(node, FixChecksum) else node


def other_guard(node):
    """The address of the service in the guard."""
    ours = isinstance(node, e.Const) and node.value == 0x0A000001
    return evolve(node, value=0x0A000002) if ours else node


def count_double(node):
    """What is added to a counter."""
    return evolve(node, values=(e.Const(2, node.values[0].type),)) if isinstance(node, Store) else node


def half_prefix(node):
    """One bit of the prefix of a filter."""
    ours = isinstance(node, Table) and node.kind == "lpm"
    return evolve(node, entries=(Entry((0x0A090000, 17)),)) if ours else node


def other_word(node):
    """A number in a condition or a computation."""
    ours = isinstance(node, e.Binary) and node.op in {"<", "<=", ">=", ">"} and isinstance(node.right, e.Const)
    return evolve(node, right=evolve(node.right, value=node.right.value ^ 64)) if ours else node


@pytest.mark.parametrize(
    ("name", "change", "where", "what"),
    [
        ("a kernel", other_shard, "ingress", "udp.dst_port"),
        ("a kernel", other_shard, "egress", "udp.src_port"),
        ("a kernel", no_checksums, "ingress", "udp.checksum"),
        ("a kernel", other_guard, "ingress", "udp.dst_port"),
        ("a process", other_shard, "request", "destination"),
        ("state", count_double, "", "app_count_hits["),
        ("a stream", half_prefix, "", "message"),
        ("chance", other_word, "", "message"),
    ],
)
def test_what_was_changed_is_found(name, change, where, what):
    """Whatever it is; the difference says in which field, and what was sent."""
    difference = run(changed(built_of(name), change, where), count=1000).difference
    assert difference is not None
    assert [row for row in difference.rows if row.name.startswith(what)]
    assert all(row.written != row.placed for row in difference.rows)
    assert difference.given
    assert len(difference.rows) < 8


@pytest.mark.parametrize("name", CASES)
def test_a_program_that_drops_everything_is_found(name):
    """In whichever direction."""
    built = built_of(name)
    programs = tuple(
        evolve(p, program=evolve(p.program, blocks=tuple(evolve(b, body=(Drop(),)) for b in p.program.blocks)))
        for p in built.programs
    )
    assert run(evolve(built, programs=programs)).difference is not None


def test_a_program_that_is_missing_is_found():
    """The stack as written steers, and nothing placed does."""
    built = built_of("a kernel")
    assert run(evolve(built, programs=())).difference is not None


def test_a_program_that_fails_differs():
    """One that reads what it has not bound is no proof of anything."""

    def unbound(node):
        return evolve(node, value=e.Local("nowhere", node.value.type)) if isinstance(node, Assign) else node

    difference = run(changed(built_of("a kernel"), unbound, "ingress")).difference
    assert difference is not None
    assert "nowhere" in difference.rows[0].placed


def test_what_cannot_be_compared_is_said():
    """A direction to whose messages nothing is done, and one that sends messages of its own."""
    built = compiled("tag(where = Query.kind, mark = 1) |> udp(4242)")
    assert run(built).messages == {"request": 400}
    clone = Clone(e.Const((1, 1), ENDPOINT))
    ops = tuple(evolve(o, body=(*o.body, clone)) for o in built.graphs[0].ops)
    found = run(evolve(built, graphs=(evolve(built.graphs[0], ops=ops),)))
    assert (found.messages, found.left_out) == ({}, ("request: it sends further messages",))


def test_frames_are_those_that_are_built_by_hand():
    """From the messages of the library comes the frame that the tests spell out; so with a tag or TCP."""
    specification = compiled("udp(4242)").specification
    messages = {m.name: m for m in specification.messages}
    transports = {c.name: c.transport for c in specification.chunnels if c.transport is not None}
    src, dst = (0x0A000009, 5555), (0x0A000001, 4242)
    given = {"ipv4": {"identification": 7, "ttl": 64}}
    plain = Framing(messages, transports["udp"], ("ethernet", "ipv4", "udp"))
    tagged = Framing(messages, transports["udp"], ("ethernet", "vlan", "ipv4", "udp"))
    assert {plain.way, tagged.way} == set(ways(messages, transports["udp"]))
    for payload in (b"", b"odd", bytes(range(200))):
        whole = plain.build(src, dst, payload, given)
        assert whole == frame(src, dst, payload)
        assert tagged.build(src, dst, payload, given) == whole[:12] + b"\x81\0\0\0" + whole[12:]
        unsummed = plain.build(src, dst, payload, given, summed=False)
        assert unsummed == whole[:40] + b"\0\0" + whole[42:]
        segment = Framing(messages, transports["tcp"], ("ethernet", "ipv4", "tcp")).build(src, dst, payload, {})
        pseudo = segment[26:34] + struct.pack(">HH", 6, len(segment) - 34)
        assert checksum(pseudo + segment[34:]) == 0
        assert internet_checksum(segment[14:34]) == 0
