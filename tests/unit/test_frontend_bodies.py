"""Typing of bodies: what each form becomes, and that widths are never guessed."""

import pytest

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.diagnostics import BerthaError
from bertha_ir.frontend.load import load
from bertha_ir.spec import ListArgument, PrefixesArgument, RangesArgument
from bertha_ir.types import BOOL, BYTES, ENDPOINT, U8, U16, U32, U64, Bits, Bytes

KV = "message Kv over udp { op: u8; key: u64; verb: bytes[4]; rest: bytes; }\nendpoint a = 10.0.0.1:1;\n"


@pytest.fixture
def spec(tmp_path):
    """Loads text."""

    def make(text: str):
        file = tmp_path / "app.chunnel"
        file.write_text(KV + text)
        return load([file])

    return make


@pytest.fixture
def body(spec):
    """Types the statements of a `packet` handler, with some parameters and states in sight."""

    def make(statements: str, event: str = "packet") -> s.Body:
        text = f"""chunnel one(n: u32, to: endpoint, targets: list[endpoint; 2..8], wide: list[u8; 1..1000],
            rows: ranges[u8 -> endpoint; 8], deny: prefixes[ipv4; 8], key: secret[32]) {{
          place: endpoint;
          state hits: map[u64 -> u64; 16];
          state total: u32;
          state ports: map[endpoint -> u16; 16];
          on {event}(m) {{ {statements} }}
        }}"""
        return next(c for c in spec(text).chunnels if c.name == "one").handlers[0].body

    return make


def value(body: s.Body) -> e.Expr:
    (only,) = body
    assert isinstance(only, s.Let)
    return only.value


OP, KEY, VERB = e.Field("Kv", "op", U8), e.Field("Kv", "key", U64), e.Field("Kv", "verb", Bytes(4))
VXLAN = {"flags": U8, "reserved": Bits(24), "vni": Bits(24), "reserved2": U8}
N, TO = e.Param("n", U32), e.Param("to", ENDPOINT)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("m.Kv.op + 1", e.Binary("+", OP, e.Const(1, U8))),
        ("1 + m.Kv.op", e.Binary("+", e.Const(1, U8), OP)),
        ("1 + 2 * n", e.Binary("+", e.Const(1, U32), e.Binary("*", e.Const(2, U32), N))),
        ("5 as u16", e.Const(5, U16)),
        ("(1 + 2) as u16", e.Binary("+", e.Const(1, U16), e.Const(2, U16))),
        ("m.Kv.op as u64", e.Cast(OP, U64)),
        ("m.Kv.key as u64", KEY),
        ("m.Kv.verb as u32", e.Cast(VERB, U32)),
        ("n as bytes[4]", e.Cast(N, Bytes(4))),
        ("n << 3", e.Binary("<<", N, e.Const(3, U8))),
        ("1 as u64 << n", e.Binary("<<", e.Const(1, U64), N)),
        ('m.Kv.op == "A"', e.Binary("==", OP, e.Const(65, U8))),
        ('m.Kv.verb == "get "', e.Binary("==", VERB, e.Const(b"get ", Bytes(4)))),
        ("m.src.ip == 10.0.0.1", e.Binary("==", e.Part(e.Address("src"), "ip"), e.Const(0x0A000001, U32))),
        ("m.dst == 10.0.0.1:80", e.Binary("==", e.Address("dst"), e.Const((0x0A000001, 80), ENDPOINT))),
        ("m.ethernet.src == 02:00:00:00:00:01", None),
        ("n & 1 == 0", e.Binary("==", e.Binary("&", N, e.Const(1, U32)), e.Const(0, U32))),
        ("not (n < 5) or true", None),
        ("n < 5 && n > 2 || false", None),
        ("-n + ~n", e.Binary("+", e.Unary("-", N), e.Unary("~", N))),
        ("if n == 0 then 1 else n", e.Choose(e.Binary("==", N, e.Const(0, U32)), e.Const(1, U32), N)),
        ("hits[m.Kv.key] + 1", e.Binary("+", e.Get("hits", KEY, U64), e.Const(1, U64))),
        ("hits[5]", e.Get("hits", e.Const(5, U64), U64)),
        ("total", e.Get("total", None, U32)),
        ("5 in hits", e.Contains("hits", e.Const(5, U64))),
        ("m.src in ports", e.Contains("ports", e.Address("src"))),
        ("m.src in deny", e.Contains("deny", e.Part(e.Address("src"), "ip"))),
        ("m.dst in targets", e.Contains("targets", e.Address("dst"))),
        ("targets[1]", e.Element("targets", e.Const(1, U32), ENDPOINT)),
        ("targets[n % len(targets)]", e.Element("targets", e.Binary("%", N, e.Count("targets")), ENDPOINT)),
        (
            "targets[m.Kv.op % len(targets)]",
            e.Element("targets", e.Cast(e.Binary("%", OP, e.Cast(e.Count("targets"), U8)), U32), ENDPOINT),
        ),
        ("(rows[m.Kv.op] else to)", e.Match("rows", OP, TO)),
        ("len(wide)", e.Count("wide")),
        ("size(m.payload)", e.Size(e.Payload())),
        ("endpoint(n, 80)", e.MakeEndpoint(N, e.Const(80, U16))),
        ("fnv1a(m.Kv.verb)", e.Call("fnv1a", (VERB,), U64)),
        ("now()", e.Call("now", (), U64)),
        ("aead_seal(key, nonce(), m.payload)", None),
        ("true", e.Const(value=True, type=BOOL)),
        ('"GET"', e.Const(b"GET", Bytes(3))),
    ],
)
def test_an_expression_becomes(body, text, typed):
    """Literals take the width of what they meet, look-ups their table's types, and nothing else changes."""
    found = value(body(f"let x = {text};"))
    assert typed is None or found == typed
    assert found.span.text.strip("()") in text


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("m.dst = to;", s.Assign(e.Address("dst"), TO)),
        ("m.dst.port = 80;", s.Assign(e.Part(e.Address("dst"), "port"), e.Const(80, U16))),
        ("m.Kv.op |= 1;", s.Assign(OP, e.Binary("|", OP, e.Const(1, U8)))),
        ('m.payload = "hello";', s.Assign(e.Payload(), e.Const(b"hello", Bytes(5)))),
        ("m.dst = rows[m.Kv.op] else to;", s.Assign(e.Address("dst"), e.Match("rows", OP, TO))),
        ("hits[m.Kv.key] += 1;", s.Store("hits", (KEY,), "add", (e.Const(1, U64),))),
        ("hits[m.Kv.key] = 1;", s.Store("hits", (KEY,), "set", (e.Const(1, U64),))),
        (
            "hits[1] -= 2;",
            s.Store(
                "hits",
                (e.Const(1, U64),),
                "set",
                (e.Binary("-", e.Get("hits", e.Const(1, U64), U64), e.Const(2, U64)),),
            ),
        ),
        ("total += n;", s.Store("total", (), "add", (N,))),
        ("total = 5;", s.Store("total", (), "set", (e.Const(5, U32),))),
        ("delete hits[m.Kv.key];", s.Delete("hits", (KEY,))),
        ("clone to to;", s.Clone(TO)),
        ("reply m.payload;", s.Reply(e.Payload())),
        ("bounce;", s.Bounce()),
        ("repeat 3 { total += 1; }", s.Repeat(3, (s.Store("total", (), "add", (e.Const(1, U32),)),))),
        (
            "push vxlan { vni = 7 };",
            s.Push("vxlan", (("flags", e.Const(8, U8)), ("vni", e.Const(7, Bits(24))))),
        ),
        (
            "m.payload = aead_open(key, m.payload) else { drop; }",
            s.Attempt(e.Payload(), e.Call("aead_open", (e.Param("key", Bytes(32)), e.Payload()), BYTES), (s.Drop(),)),
        ),
        (
            "if n == 0 { drop; } else if n == 1 { bounce; }",
            s.If(
                e.Binary("==", N, e.Const(0, U32)),
                (s.Drop(),),
                (s.If(e.Binary("==", N, e.Const(1, U32)), (s.Bounce(),)),),
            ),
        ),
    ],
)
def test_a_statement_becomes(body, text, typed):
    """Each statement of the language is one node."""
    assert body(text) == (typed,)


def test_a_pop_demands_what_the_layout_fixes(body):
    """A header that holds something else takes the other branch, which finds the message as it was if it sends it."""
    fields = {n: e.Field("vxlan", n, t) for n, t in VXLAN.items()}
    broken = e.Binary("!=", fields["flags"], e.Const(8, U8))
    dropped, bounced = (s.Drop(),), (s.Bounce(),)
    assert body("pop vxlan else drop;") == (s.Pop("vxlan", dropped), s.If(broken, dropped))
    back = s.Push("vxlan", tuple(fields.items()))
    assert body("pop vxlan else { bounce; }") == (s.Pop("vxlan", bounced), s.If(broken, (back, *bounced)))
    assert body("pop reliable_header else drop;") == (s.Pop("reliable_header", dropped),)


def test_locals_of_two_blocks_have_two_names(body):
    """A name used again in another block is another local, so that no target needs scopes."""
    first, second = body("if n == 0 { let x: u8 = 1; } if n == 1 { let x: u16 = 2; let y = x; }")
    assert first.then == (s.Let("x", e.Const(1, U8)),)
    assert second.then == (s.Let("x_2", e.Const(2, U16)), s.Let("y", e.Local("x_2", U16)))


def test_a_length_takes_its_context_only_if_it_fits(body):
    """`len` of a list that may hold 1000 is no u8."""
    with pytest.raises(BerthaError, match="CH032"):
        body("let x = wide[m.Kv.op % len(wide)];")


def test_for_each_binds_keys_and_values(body):
    """The two locals have the map's types."""
    (loop,) = body("for (k, v) in hits { total += (k + v) as u32; }")
    assert (loop.state, loop.key, loop.value) == ("hits", e.Local("k", U64), e.Local("v", U64))


def test_an_instance_has_the_types_of_its_arguments(spec):
    """`type(by)` is the field's type where the chunnel is used; the declared copy is typed with a stand-in."""
    made = spec("stack s(client, server) { request: count(Kv.op) |> count(Kv.key) |> udp(1); }")
    first, second, _ = made.stacks[0].directions[0].instances
    assert (first.id, second.id) == ("count", "count_2")
    assert (first.chunnel.states[0].type.key, second.chunnel.states[0].type.key) == (U8, U64)
    assert first.argument("by") == e.Field("Kv", "op", U8)
    assert next(c for c in made.chunnels if c.name == "count").states[0].type.key == U32


def test_a_generic_chunnel_may_suit_some_types_only(spec):
    """Where it is declared nothing is known of the field; the first stand-in that fits is taken."""
    made = spec("chunnel small(by: field) { on packet(m) { m.dst.port = m.by; } }")
    assert next(c for c in made.chunnels if c.name == "small").handlers[0].body[0].value.type == U16


def test_a_generic_chunnel_is_checked_where_it_is_declared(spec):
    """What does not depend on the field is wrong for every field."""
    with pytest.raises(BerthaError, match="CH031"):
        spec("chunnel small(by: field) { on packet(m) { if m.by == 5 { m.dst.port = m.dst.ip; } } }")


def test_arguments_become_constants(spec):
    """Endpoint names, characters and prefixes are resolved, ranges sorted, and rings computed."""
    made = spec(
        'stack s(client, server) { request: steer(Kv.op, ["B".."C" -> a, 0 -> a], 10.9.8.7:6) '
        "|> firewall([10.0.0.0/8, 10.1.2.3]) |> load_balance(Kv.key, [a, 10.0.0.1:2, 10.0.0.2:1]) |> udp(1); }"
    )
    steer, firewall, balance, _ = made.stacks[0].directions[0].instances
    to = e.Const((0x0A000001, 1), ENDPOINT)
    assert steer.argument("ranges") == RangesArgument(((0, 0, to), (66, 67, to)))
    assert steer.argument("otherwise") == e.Const((0x0A090807, 6), ENDPOINT)
    assert firewall.argument("deny") == PrefixesArgument(((0x0A000000, 8), (0x0A010203, 32)))
    ring = balance.argument("ring")
    assert isinstance(ring, ListArgument)
    assert len(ring.elements) == 1021
    shares = [sum(c.value == i for c in ring.elements) for i in range(3)]
    assert max(shares) - min(shares) <= 1


def test_what_follows_from_an_unknown_type_is_checked_all_the_same(spec):
    """A hash of an unknown field is still a u64, an element of a list still the list's."""
    text = "chunnel spread(by: field, wide: list[endpoint; 1..1000], ring: list[u8; 1..8]) { on packet(m) { "
    with pytest.raises(BerthaError, match="CH032"):
        spec(text + "let row = ring[fnv1a(m.by) % len(ring)]; m.dst = wide[row % len(wide)]; } }")
