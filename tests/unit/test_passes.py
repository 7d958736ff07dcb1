"""Each pass does what its one line says, and refuses what it must."""

import hashlib

import pytest
from compiling import SITE, compiled, examples

from bertha_ir import api
from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.diagnostics import BerthaError
from bertha_ir.passes.effects import effects, independent
from bertha_ir.passes.manager import parse_pipeline
from bertha_ir.stack import Layout
from bertha_ir.text import parse_ir, print_ir
from bertha_ir.types import U16
from bertha_ir.walk import walk

SHARD = "serialize(Query) |> shard(key = Query.wide, shards = [a, b, c]) |> udp(4242)"
LOCAL = "serialize(Query) |> shard(key = Query.wide, shards = [a, c]) |> udp(4242)"


def graph(build: api.Compiled, after: str = "undo", direction: str = "request"):
    graphs = dict(build.snapshots)[f"after {after}"]
    return next(g for g in graphs if g.direction == direction)


def op(build: api.Compiled, name: str, after: str = "undo", direction: str = "request"):
    return graph(build, after, direction).op(name)


def error(request: str, **more: str) -> str:
    with pytest.raises(BerthaError) as caught:
        compiled(request, **more)
    (found,) = caught.value.diagnostics
    return f"{found.code.number()} {found.message} [{found.span.text if found.span else ''}]"


def test_a_codecs_handlers_bracket_what_lies_between():
    """The sender's handlers run top to bottom, the receiver's bottom to top, and the layout is mirrored."""
    built = compiled(SHARD)
    chain = [o.id for o in graph(built, "expand").chain()]
    assert chain == ["serialize.send", "shard.packet", "udp.send", "udp.recv", "serialize.recv"]
    assert graph(built).wire() == Layout(("Query",))
    assert graph(built).into("serialize.recv") == Layout(("Query",))


def test_a_pushed_header_shifts_the_layout():
    """Below `reliable` the message lies behind its header, and is still readable."""
    both = "serialize(Query) |> reliable |> udp(4242)"
    built = compiled(both, response=both, pipeline="plan")
    headers = graph(built).wire().headers
    assert headers[-1] == "Query"
    assert len(headers) == 2


def test_a_field_behind_encryption_cannot_be_read():
    """The error names the chunnel that hides the field and underlines the op that wants it."""
    got = error('serialize(Query) |> encrypt(secret("k")) |> shard(key = Query.wide, shards = [a, b]) |> udp(4242)')
    assert got.startswith("CH201")
    assert "`encrypt` hides it" in got
    assert "[shard(key = Query.wide, shards = [a, b])]" in got


def test_a_missing_guarantee_is_refused():
    """HTTP/2 needs an ordered, reliable stream; UDP is none."""
    assert error("http2 |> udp(4242)", response="udp(4242)").startswith("CH200")


def test_one_shard_is_no_choice():
    """With a single shard the hash disappears: the destination is a constant."""
    built = compiled("shard(key = Query.wide, shards = [b]) |> udp(4242)")
    assert not [n for n in walk(op(built, "shard.packet").body) if isinstance(n, e.Call | e.Element)]


def test_replies_get_the_services_address_back():
    """What the request may have been sent to is what the response undoes, and nothing else."""
    undo = op(compiled(SHARD), "shard.undo", direction="response")
    (table,) = undo.tables
    assert {x.match for x in table.entries} == {(0x0A000001, 9001), (0x0A000002, 9002), (0x0A000001, 9003)}
    (assignment,) = [n for n in walk(undo.body) if isinstance(n, s.Assign)]
    assert assignment.value.value == (0x0A000001, 4242)


def test_an_endless_set_of_destinations_cannot_be_undone():
    """A destination computed from the packet is refused, with the value underlined."""
    mirror = "chunnel back() { place: path; on packet(m) { m.dst = endpoint(m.src.ip, 9000); } }"
    got = error("back |> udp(4242)", more=mirror)
    assert got.startswith("CH202")
    assert "[endpoint(m.src.ip, 9000)]" in got


def test_the_policy_decides_first():
    """`prefer` orders the devices; `deny` takes one away and says so."""
    site = SITE + "policy { prefer shard on [tor, h1]; deny shard on kernel(h1); }"
    (plan,) = compiled(LOCAL, site=site).plans
    assert [b.device for b in plan.bindings if b.active and b.op == "shard.packet"] == ["tor"]
    assert {b.device for b in plan.bindings if not b.active and b.op == "shard.packet"} == {"kernel(c1)", "h1"}
    assert any(r.device == "kernel(h1)" and "denies" in r.reason for r in plan.refusals)


def test_a_switch_does_not_send_to_a_host_whose_mac_it_does_not_write():
    """Where a frame has its MAC address already, an op may change the port only; a kernel on the way in may route."""
    (plan,) = compiled(SHARD).plans
    assert {r.device for r in plan.refusals if "MAC" in r.reason} == {"tor", "kernel(c1)"}
    assert any("kernel(h1) forwards what shard.packet sends to 10.0.0.2" in note.text for note in plan.assumptions)


def test_what_follows_a_rewrite_stays_with_it():
    """Behind `shard`, another device would not know the message for one of the service's."""
    site = SITE + "policy { prefer shard on [tor]; prefer tag on [kernel(h1)]; }"
    (plan,) = compiled(LOCAL.replace("|> udp", "|> tag(where = Query.odd, mark = 1) |> udp"), site=site).plans
    assert len({b.device for b in plan.bindings if b.active and b.op in {"shard.packet", "tag.packet"}}) == 1


@pytest.mark.parametrize(
    ("request_", "site", "why"),
    [
        (LOCAL, SITE.replace("address 10.0.0.1; ", ""), "does not tell the address"),
        (LOCAL.replace("udp(4242)", "udp"), SITE, "names no port"),
    ],
)
def test_frames_that_cannot_be_known_are_left_to_the_process(request_, site, why):
    """Without the service's address or port only the process steers, and each other device says why."""
    (plan,) = compiled(request_, response=request_.rpartition("|> ")[2], site=site).plans
    assert {b.device for b in plan.bindings if b.op.endswith(".packet")} == {"h1"}
    assert {r.device for r in plan.refusals if why in r.reason} == {"kernel(c1)", "tor", "kernel(h1)"}


def test_an_unknown_profile_is_shown_at_the_device():
    """CH212, with the attribute underlined, and the profiles that there are."""
    got = error(LOCAL, site=SITE.replace('"bmv2"', '"tofino-9"'))
    assert got.startswith("CH212 no device profile is called `tofino-9`; there are ")
    assert "tofino-9" in got.rpartition("[")[2]


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ("reliable |> reliable", "`reliable` replies, and so does `reliable`: what comes back is of one chunnel"),
        ("ticks", "`ticks` has no `send`, and what it replies or emits goes on below that"),
        ("reliable |> twice", "`reliable` replies or emits through `twice`, which does so itself"),
    ],
)
def test_further_messages_that_cannot_be_sent_are_refused(chain, reason):
    """CH207 says of the chunnel why what it replies or emits could not go on from where it stands."""
    more = """
    chunnel ticks() { place: endpoint; state n: u32; on timer(5 ms) { n += 1; emit "tick"; } }
    chunnel twice() { place: endpoint; on send(m) { emit m.payload; } }
    """
    both = f"serialize(Query) |> {chain} |> udp(4242)"
    with pytest.raises(BerthaError) as caught:
        compiled(both, response="udp", more=more)
    assert any(d.code.number() == "CH207" and reason in d.message for d in caught.value.diagnostics)


def test_an_op_that_no_device_may_run_is_an_error_with_every_reason():
    """Each device's reason is in the message."""
    denied = "".join(f"deny shard on {d}; " for d in ("tor", "h1", "kernel(h1)", "kernel(c1)"))
    got = error(SHARD, site=SITE + f"policy {{ {denied} }}")
    assert got.startswith("CH203")
    assert all(d in got for d in ("tor", "h1", "kernel(h1)", "kernel(c1)"))


def test_a_switch_cannot_remember_every_source():
    """`limit` by a 32-bit address needs a map that only hosts have: derived from its body, not listed."""
    (plan,) = compiled("limit(rate = 100, burst = 10, by = ipv4.src) |> udp(4242)").plans
    assert [r.device for r in plan.refusals if r.device == "tor"] == ["tor"]


def test_what_the_operator_demands_on_a_device_is_given():
    """In the clear, a stack may not pass a switch whose operator demands otherwise; encrypted, it may."""
    site = SITE + "policy { require confidential on tor; }"
    both = 'serialize(Query) |> encrypt(secret("k")) |> udp(4242)'
    compiled(both, response=both, site=site)
    got = error("serialize(Query) |> udp(4242)", response=both, site=site)
    assert got.startswith("CH214 messages pass `tor`, and nothing in `app.request` makes them `confidential`")
    compiled(
        "serialize(Query) |> udp(4242)",
        site=SITE + "policy { require typed on c1; }",
        response="serialize(Query) |> udp(1)",
    )


def test_ends_must_be_placed_and_connected():
    """A site that leaves out a `run`, or a link, gets one error each."""
    assert error(SHARD, site=SITE.replace("run app.client on c1;", "")).startswith("CH204")
    assert error(SHARD, site=SITE.replace("link c1 <-> tor ethernet { rate 10 Gbit/s; port 1; }", "")).startswith(
        "CH205"
    )


def test_without_a_site_there_is_the_fallback():
    """Nothing is known of the path, so a process steers."""
    built = compiled(SHARD, site="")
    assert {p.backend for p in built.programs} == {"python"}
    assert any(p.active and p.program.root == "datagram" for p in built.programs)


def test_moving_an_op_to_the_wire_is_certified():
    """The ledger has an entry for each op that was crossed."""
    (plan,) = compiled(SHARD).plans
    assert [x.rewrite for x in plan.ledger] == ["request: shard.packet after udp.send"]


NUMBER = """
message numbered { sequence: u24; }
chunnel number() {
  place: endpoint; needs both ends;
  state sent: u24;
  on send(m) { push numbered { sequence = sent }; sent += 1; }
  on recv(m) { pop numbered else drop; }
}
"""


def test_z3_settles_what_effects_do_not():
    """A shard may move below a pushed header: its key is as readable behind it; the artifact has the certificate."""
    built = compiled("shard(key = Query.wide, shards = [a, c]) |> number |> udp(4242)", more=NUMBER)
    entry = built.plans[0].ledger[0]
    assert (entry.rewrite, entry.by) == ("request: shard.packet after number.send", "z3")
    files = api.artifact(built)
    text = files[f"proofs/{entry.certificate}.smt2"]
    assert hashlib.sha256(text).hexdigest() == entry.certificate
    assert text.endswith(b"(check-sat)\n")
    assert {"kernel(c1)", "kernel(h1)"} <= {b.device for b in built.plans[0].bindings}


POLICY = "policy { prefer tag on [kernel(h1)]; prefer count on [kernel(h1)]; prefer firewall on [tor]; }"


def active(build: api.Compiled) -> dict[str, str]:
    """Where the path's ops of requests run."""
    return active_of(build.plans[0])


def active_of(plan) -> dict[str, str]:
    """Where the path's ops of requests run."""
    return {b.op: b.device for b in plan.bindings if b.active and b.op.endswith(".packet")}


def test_ops_trade_places_where_policy_is_then_kept_and_it_is_proved():
    """A tag that is wanted behind a filter runs behind it; the ledger says so, and the graph is in that order."""
    built = compiled("tag(Query.odd, 7) |> firewall([10.9.0.0/16]) |> udp(4242)", site=SITE + POLICY)
    assert active(built) == {"tag.packet": "kernel(h1)", "firewall.packet": "tor"}
    assert "request: tag.packet after firewall.packet" in {entry.rewrite for entry in built.plans[0].ledger}
    assert [o.id for o in graph(built, "undo").chain()][:2] == ["tag.packet", "firewall.packet"]


def test_a_field_too_long_for_a_checksum_is_written_in_a_process():
    """Bytes that no word holds: each device that sees frames says so, and none fails."""
    more = """message W over udp { key: u16; wide: bytes[32]; }
    chunnel w() { place: path; state v: map[u16 -> bytes[32]; 256]; on packet(m) { m.W.wide = v[m.W.key]; } }"""
    (plan,) = compiled("w |> udp(4242)", more=more).plans
    assert active_of(plan) == {"w.packet": "h1"}
    reasons = {r.device: r.reason for r in plan.refusals}
    assert reasons["tor"] == "it writes `W.wide`, of 32 bytes, under a checksum"


def test_nobody_translates_replies_back():
    """Where there are replies, what gives requests another source says so; without them there is nothing to say."""
    both = compiled("nat(outside = 10.0.0.77) |> udp(4242)").plans[0].assumptions
    assert [a.text for a in both if a.about == "behaviour" and "nat" in a.text] == [
        "somebody gives replies to what nat.packet sends their destination back: no op does"
    ]


def test_branches_of_a_fork_are_independent_or_refused():
    """Two marks in different fields may run in any order, here on two devices; a counter beside a filter may not."""
    marks = "fork { tag(Query.kind, 1) | firewall([10.9.0.0/16]) |> tag(Query.odd, 2) } |> udp(4242)"
    policy = "policy { prefer tag on [kernel(h1)]; prefer firewall on [tor]; }"
    built = compiled(marks, site=SITE + policy)
    assert active(built) == {"tag.packet": "kernel(h1)", "firewall.packet": "tor", "tag_2.packet": "kernel(h1)"}
    got = error("fork { count(Query.odd) | firewall([10.9.0.0/16]) } |> udp(4242)")
    assert got.startswith("CH217 `count` and `firewall` are in branches side by side, and not independent")
    assert "there is a message for which" in got
    assert compiled("count(Query.odd) |> firewall([10.9.0.0/16]) |> udp(4242)").plans


def test_what_a_pass_leaves_out_is_in_no_branch():
    """A fork of which one branch did what the other does is a chain."""
    built = compiled("fork { firewall([10.0.0.0/8]) | firewall([10.1.0.0/16]) } |> udp(4242)")
    assert list(active(built)) == ["firewall.packet"]


@pytest.mark.parametrize(
    ("request_", "left", "prefixes"),
    [
        ("firewall([10.0.0.0/8]) |> firewall([172.16.0.0/12])", ["firewall"], 2),
        ("firewall([10.0.0.0/8]) |> tag(Query.kind, 1) |> firewall([172.16.0.0/12])", ["firewall", "tag"], 2),
        (
            "firewall([10.0.0.0/8]) |> count(Query.kind) |> firewall([172.16.0.0/12])",
            ["firewall", "count", "firewall_2"],
            1,
        ),
        ("allow([10.0.0.0/8]) |> allow([172.16.0.0/12])", ["allow", "allow_2"], 1),
    ],
)
def test_two_tables_become_one_where_that_is_the_same(request_, left, prefixes):
    """What either denies is denied; but a counter must not lose what the second denied, and what both must allow is not
    what either allows.
    """
    built = compiled(f"{request_} |> udp(4242)", site="", pipeline="plan")
    (stack,) = dict(built.snapshots)["after unite"].stacks
    instances = stack.directions[0].instances[:-1]
    assert [i.id for i in instances] == left
    assert len(dict(instances[0].arguments).popitem()[1].prefixes) == prefixes
    noted = [e for e in built.plans[0].ledger if "has its entries too" in e.rewrite]
    assert [e.by for e in noted] == ["z3"] * (prefixes - 1)


SWAPS = """
chunnel mask(by: u8) {
  place: endpoint; needs both ends;
  on send(m) { m.payload = http2_frame(by as u32, m.payload); }
  on recv(m) { m.payload = http2_unframe(m.payload) else drop; }
}
chunnel unmask(by: u8) {
  place: endpoint; needs both ends;
  on send(m) { m.payload = http2_unframe(m.payload) else drop; }
  on recv(m) { m.payload = http2_frame(by as u32, m.payload); }
}
"""


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        ("mask(1) |> unmask(1)", []),
        ("mask(1) |> mask(2) |> unmask(2) |> unmask(1)", []),
        ("unmask(1) |> mask(1)", ["unmask", "mask"]),
        ("mask(1) |> compress |> unmask(1)", ["mask", "compress", "unmask"]),
    ],
)
def test_codecs_that_undo_each_other_go(request_, left):
    """What frames and then unframes leaves nothing; the other way round, what is no frame is dropped."""
    built = compiled(f"{request_} |> udp(4242)", site="", more=SWAPS, pipeline="plan")
    (stack,) = dict(built.snapshots)["after eliminate"].stacks
    assert [i.id for i in stack.directions[0].instances][:-1] == left
    noted = [e.rewrite for e in built.plans[0].ledger if "undoes the other" in e.rewrite]
    assert bool(noted) == (not left)


def test_many_ops_that_could_trade_places_where_messages_end_keep_their_written_order():
    """Sixteen filters that each drop some: the plan says that other orders were not tried. Without that, they were."""
    filters = " |> ".join(f"quiet({n})" for n in range(16))
    quiet = "chunnel quiet(n: u16) { on packet(m) { if m.src.port == n { drop; } } }"
    (plan,) = compiled(f"{filters} |> udp(4242)", more=quiet).plans
    assert "keep their written order" not in " ".join(a.text for a in plan.assumptions)
    drops = "workload app.request { quiet drops 10 %; }"
    (plan,) = compiled(f"{filters} |> udp(4242)", more=quiet + drops).plans
    assert "keep their written order" in " ".join(a.text for a in plan.assumptions)


def test_ops_that_may_not_trade_places_keep_their_order():
    """A counter before a filter counts what the filter drops, wherever policy would like them to be."""
    built = compiled("count(Query.odd) |> firewall([10.9.0.0/16]) |> udp(4242)", site=SITE + POLICY)
    stops = ["c1", "kernel(c1)", "tor", "kernel(h1)", "h1"]
    assert stops.index(active(built)["count.packet"]) <= stops.index(active(built)["firewall.packet"])
    assert not [entry for entry in built.plans[0].ledger if "after firewall" in entry.rewrite]


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        ("firewall([10.0.0.0/8]) |> firewall([10.1.0.0/16])", ["firewall"]),
        ("firewall([10.1.0.0/16]) |> firewall([10.0.0.0/8])", ["firewall_2"]),
        ("firewall([10.1.0.0/16]) |> firewall([10.2.0.0/16])", ["firewall", "firewall_2"]),
        ("tag(Query.odd, 1) |> tag(Query.odd, 2) |> tag(Query.odd, 3)", ["tag_3"]),
        ("tag(Query.odd, 1) |> tag(Query.kind, 1)", ["tag", "tag_2"]),
        ("count(Query.odd) |> count(Query.odd)", ["count", "count_2"]),
        ('encrypt(secret("k")) |> encrypt(secret("k"))', ["encrypt", "encrypt_2"]),
        ("shard(Query.wide, [a, c]) |> shard(Query.wide, [a, c])", ["shard"]),
    ],
)
def test_what_a_neighbour_does_is_left_out(request_, left):
    """Only what shows nowhere, no counter and no codec; the ledger has a certificate for each."""
    built = compiled(f"{request_} |> udp(4242)", site="", pipeline="rules,eliminate")
    (stack,) = dict(built.snapshots)["after eliminate"].stacks
    assert [i.id for i in stack.directions[0].instances][:-1] == left
    assert len(built.certificates) == request_.count("|>") + 1 - len(left)


def test_a_move_that_is_refuted_is_refused_with_a_message():
    """What lies behind `compress` is no key: a message goes elsewhere."""
    got = error("shard(key = Query.wide, shards = [a, c]) |> compress |> udp(4242)")
    assert "may not be moved below `compress`" in got
    assert "there is a message for which message dst is" in got


COUNT = "chunnel tally() { place: path; state n: u64; on packet(m) { n += 1; } }"
GATE = "chunnel gate() { place: path; on packet(m) { if m.src.port == 7 { drop; } } }"
BACK = "chunnel back() { place: path; on packet(m) { if m.dst.port == 9 { bounce; } } }"
MARK = "chunnel mark() { place: path; on packet(m) { m.src = endpoint(10.0.0.7, 7); } }"


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("tally", "gate", "ends messages"),
        ("tally", "mark", None),
        ("gate", "mark", "reads what the other writes"),
        ("gate", "gate", None),
        ("tally", "tally", None),
        ("back", "gate", "sends messages back"),
        ("gate", "back", "sends messages back"),
        ("back", "mark", "sends messages back"),
    ],
)
def test_effects_decide_which_ops_may_trade_places(first, second, why):
    """A dropper may not cross a counter, nor a reader what writes for it; everything else here may."""
    more = COUNT + GATE + MARK + BACK
    built = compiled(f"{first} |> {second} |> udp(4242)", more=more, response="udp(4242)", site="", pipeline="expand")
    one, two = (effects(o.body) for o in graph(built, "expand").chain()[:2])
    assert (independent(one, two) or "") == "" if why is None else why in (independent(one, two) or "")


def test_who_reads_a_message_reads_its_fixed_fields():
    """A field that says which message it is may not be written in front of who reads another field of it."""
    more = "message Fixed over udp { kind: u8 = 7; other: u8; }"
    use = "tag(Fixed.kind, 8) |> count(Fixed.other) |> udp(4242)"
    built = compiled(use, more=more, response="udp(4242)", site="", pipeline="expand")
    bodies = [o.body for o in graph(built, "expand").chain()[:2]]
    one, two = (effects(body, built.specification.messages) for body in bodies)
    assert independent(one, two) == "writes what the other reads: Fixed.kind"
    assert independent(two, one) == "reads what the other writes: Fixed.kind"


def test_asking_a_map_for_a_key_reads_it():
    """An op may not cross another of its chunnel that fills the map it asks, nor one that asks it: maps may evict."""
    asks = "if m.src.port in seen { drop; }"
    text = f"""chunnel known() {{ place: endpoint; needs both ends; state seen: map[u16 -> u8; 16];
      on send(m) {{ seen[m.src.port] = 1; }} on packet(m) {{ {asks} }} on recv(m) {{ {asks} }} }}"""
    built = compiled("known |> udp(4242)", more=text, response="udp(4242)", site="", pipeline="expand")
    send, packet, recv = (effects(op(built, f"known.{e}", "expand").body) for e in ("send", "packet", "recv"))
    assert "shares state" in (independent(packet, send) or "")
    assert "shares state" in (independent(send, packet) or "")
    assert "shares state" in (independent(packet, recv) or "")


def test_every_checksum_that_covers_a_field_is_fixed():
    """A word on an odd offset of the UDP payload touches two words of the sum; an address, both checksums."""
    tag = "chunnel stamp() { place: path; on packet(m) { m.Query.word = 5; m.dst = 10.0.0.1:9001; } }"
    built = compiled("stamp |> udp(4242)", more=tag)
    program = next(p.program for p in built.programs if p.program.hook == "ingress" and p.program.device == "h1")
    fixes = [n for n in walk(program.blocks) if isinstance(n, s.FixChecksum)]
    assert [f.checksum.header for f in fixes] == ["udp", "udp", "ipv4", "udp", "udp"]
    assert fixes[0].old.type == U16


def test_a_pipeline_prints_and_parses_back():
    """Pipelines are data."""
    text = str(parse_pipeline("default"))
    assert text == "select,rules,eliminate,unite,expand,canonicalize,undo,place,lower"
    assert str(parse_pipeline(text)) == text


@pytest.mark.parametrize("text", ["place,expand", "expnd", "expand{fast=1}", "expand;place", ""])
def test_a_pipeline_that_does_not_fit_together_is_refused(text):
    """Unknown passes, unknown options, a wrong order and bad punctuation each get CH210."""
    with pytest.raises(BerthaError) as caught:
        parse_pipeline(text)
    assert caught.value.diagnostics[0].code.number() == "CH210"


@pytest.mark.parametrize("folder", examples(), ids=lambda p: p.name)
def test_every_stage_prints_and_parses_back(folder):
    """What any pass makes of the examples round-trips through the textual IR."""
    built = api.build(sorted(folder.glob("*.chunnel")))
    assert len(built.snapshots) == 10
    for name, value in built.snapshots:
        assert parse_ir(print_ir(value)) == value, name


def test_an_unknown_stack_is_refused():
    """`--stack` with a name that no file declares."""
    with pytest.raises(BerthaError) as caught:
        compiled(SHARD, stacks=["ap"])
    assert caught.value.diagnostics[0].code.number() == "CH211"
