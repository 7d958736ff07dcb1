"""The parts of the prover: byte strings and state as terms against real ones, counterexamples, secrecy and sizes."""

from random import Random

import pytest
import z3

from bertha_ir.frontend.load import load_uses
from bertha_ir.interpreter.store import StateStore
from bertha_ir.passes.smt.context import all_of, bits, fresh, solver
from bertha_ir.passes.smt.expressions import read_bits, write_bits
from bertha_ir.passes.smt.memory import Asked, room, start_of
from bertha_ir.passes.smt.obligations import Prover
from bertha_ir.passes.smt.question import differs, run_both
from bertha_ir.passes.smt.secrecy import looks_alike
from bertha_ir.passes.smt.solve import solve
from bertha_ir.passes.smt.terms import MAX_SANE, Facts, Text, text_of, text_of_bits
from bertha_ir.program import State
from bertha_ir.types import BYTES, Bits, Bytes

SEEDS = range(40)


@pytest.fixture(autouse=True)
def _context():
    """A z3 context for each test."""
    with fresh():
        yield


def valid(claim: z3.BoolRef, facts: Facts) -> bool:
    """Whether a claim follows from the facts, which themselves can hold."""
    asked = solver(5000)
    asked.add(*facts.known)
    assert asked.check() == z3.sat
    asked.add(z3.Not(claim))
    return asked.check() == z3.unsat


def incoming(data: bytes, facts: Facts, name: str = "payload") -> Text:
    """A byte string that comes in, and is known to be this one."""
    text = facts.fresh(name)
    facts.known.append(text.size() == len(data))
    facts.known += [text.byte(i) == byte for i, byte in enumerate(data)]
    return text


def is_(text: Text, data: bytes) -> z3.BoolRef:
    return all_of(text.size() == len(data), *(text.byte(i) == byte for i, byte in enumerate(data)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_byte_string_is_its_bytes(seed):
    """Whatever is taken off, put in front, spelled out or overwritten, size and bytes are those of real bytes."""
    rng, facts = Random(seed), Facts()
    data = rng.randbytes(rng.randrange(6, 14))
    text = text_of(data) if seed % 4 == 0 else incoming(data, facts)
    for _ in range(6):
        count = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                text = text.exposed(count)
                assert len(text.head) >= count
            case 1 if len(data) - count >= 3:
                text, data = text.dropped(count), data[count:]
            case 2:
                more = rng.randbytes(count)
                text, data = Text((*text_of(more).head, *text.head), text.base, text.cut), more + data
            case 3:
                first, width = rng.randrange(8), rng.randint(1, 16)
                value = rng.getrandbits(width)
                text = write_bits(text, first, bits(value, width))
                data = overwritten(data, first, width, value)
                assert valid(read_bits(text, first, width) == value, facts)
    assert valid(is_(text, data), facts)
    assert not valid(text.size() == len(data) + 1, facts)


def overwritten(data: bytes, first: int, width: int, value: int) -> bytes:
    digits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
    digits = digits[:first] + f"{value:0{width}b}" + digits[first + width :]
    return int(digits, 2).to_bytes(len(data), "big")


def test_equal_byte_strings():
    """The same bytes by different ways are equal, whatever they are; bytes of another size or content never are."""
    facts = Facts()
    text = facts.fresh("payload")
    again = text.exposed(4)
    assert valid(text.same(again, facts), facts)
    front = text_of(b"ab").head
    longer = Text((*front, *text.head), text.base, text.cut)
    assert valid(longer.dropped(2).same(text, facts), facts)
    assert valid(z3.Not(longer.same(text, facts)), facts)
    changed = Text((bits(7, 8), *again.head[1:]), again.base, again.cut)
    assert valid(changed.same(text, facts) == (text.byte(0) == 7), facts)
    assert valid(text_of(b"abc").same(text_of_bits(bits(0x616263, 24)), facts), facts)
    assert valid(z3.Not(text_of(b"abc").same(text_of(b"abd"), facts)), facts)
    assert valid(z3.Not(text_of(b"").same(text_of(b"a"), facts)), facts)


def test_two_byte_strings_that_came_in_may_be_equal_or_not():
    """Nothing is known of them; if they are equal, so are their sizes and bytes."""
    facts = Facts()
    one, other = facts.fresh("one"), facts.fresh("other")
    same = one.same(other, facts)
    assert not valid(same, facts)
    assert not valid(z3.Not(same), facts)
    assert valid(z3.Implies(same, all_of(one.size() == other.size(), one.byte(9) == other.byte(9))), facts)


@pytest.mark.parametrize(
    ("does", "undoes", "given"),
    [
        ("zstd_compress", "zstd_decompress", ()),
        ("http2_frame", "http2_unframe", (7,)),
        ("aead_seal", "aead_open", (3, 5)),
        ("delimit", "undelimit", ()),
    ],
)
def test_what_undoes_undoes(does, undoes, given):
    """Also where it does not show that the argument is what was made; and no sooner is anything known of the result."""
    facts = Facts()
    widths = {"http2_frame": (32,), "aead_seal": (256, 96)}.get(does, ())
    leading = tuple(bits(n, w) for n, w in zip(given, widths, strict=True))
    key = leading[:1] if does == "aead_seal" else ()
    text, other = facts.fresh("payload"), facts.fresh("other")
    made = facts.apply(does, leading, text)
    assert facts.attempt(undoes, key, made)[1] is text
    hidden = facts.opaque(z3.If(text.size() == 9, facts.term(made), facts.term(other)))
    succeeds, back = facts.attempt(undoes, key, hidden)
    assert valid(z3.Implies(text.size() == 9, all_of(succeeds, back.same(text, facts))), facts)
    assert not valid(succeeds, facts)
    growth = {"http2_frame": 9, "aead_seal": 28, "delimit": 4}.get(does)
    assert growth is None or valid(made.size() == text.size() + growth, facts)


def test_what_is_too_short_to_be_taken_apart_contradicts_nothing():
    """A path on which a message is too short for what is done to it does not make such messages impossible."""
    facts = Facts()
    text = incoming(b"\1", facts)
    rest = text.dropped(2)
    made = facts.apply("aead_seal", (bits(1, 256), bits(2, 96)), rest)
    hidden = facts.opaque(z3.If(text.byte(0) == 1, facts.term(made), facts.term(text)))
    facts.attempt("aead_open", (bits(1, 256),), hidden)
    assert valid(z3.UGT(rest.size(), MAX_SANE), facts)


STATES = {
    "cell": State("cell", (), (Bits(3), Bits(8))),
    "plain": State("plain", (Bits(2),), (Bits(8),), 2),
    "pairs": State("pairs", (Bits(2), Bytes(1)), (Bits(8), Bits(3)), 3),
    "evicts": State("evicts", (Bits(2),), (Bits(8),), 2, evicts=True),
}


def random_step(state: State, rng: Random):
    key = tuple(rng.randrange(3) if isinstance(k, Bits) else bytes([rng.randrange(2)]) for k in state.keys)
    kinds = ("get", "set", "set", "add") if not state.keys else ("get", "set", "set", "add", "delete")
    return rng.choice(kinds), key, tuple(rng.randrange(1 << v.width) for v in state.values)


def as_terms(values, components):
    return tuple(
        bits(int.from_bytes(v, "big") if isinstance(v, bytes) else v, c.width if isinstance(c, Bits) else 8 * c.size)
        for v, c in zip(values, components, strict=True)
    )


def there_is(memory, key, row) -> z3.BoolRef:
    """Whether a memory holds this row, or none."""
    if not memory.state.keys:
        return all_of(*(a == b for a, b in zip(memory.row, as_terms(row, memory.state.values), strict=True)))
    term = z3.Concat(*key) if len(key) > 1 else key[0]
    history = memory.state.evicts
    there = memory.holds(term) if history else memory.present[term]
    if row is None:
        return z3.Not(there)
    found = memory.row(term) if history else tuple(array[term] for array in memory.rows)
    return all_of(there, *(a == b for a, b in zip(found, as_terms(row, memory.state.values), strict=True)))


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("seed", SEEDS)
def test_state_does_what_real_state_does(name, seed):
    """Reads, writes, sums and removals give what the interpreter's store gives. For a map that evicts, what the store
    did is possible; for others, it follows.
    """
    state, rng, facts = STATES[name], Random(seed), Facts()
    store, asked = StateStore.of((state,)), Asked({})
    for _ in range(rng.randrange(4)):
        store.set(name, *random_step(state, rng)[1:])
    start = memory = start_of(state, asked, facts)
    held = dict(store.rows[name])
    count = len(held)
    claims = []
    for _ in range(5):
        what, key, row = random_step(state, rng)
        terms, given = as_terms(key, state.keys), as_terms(row, state.values)
        if what == "delete":
            memory = memory.delete(terms, facts)
            store.delete(name, key)
        elif what == "set":
            memory = memory.set(terms, given, facts)
            store.set(name, key, row)
        else:
            memory, there, found = memory.get(terms, facts)
            real = store.get(name, key)
            claims.append(there == z3.BoolVal(real is not None, there.ctx))
            zeros = (0,) * len(row)
            values = [z3.If(there, part, bits(0, part.size())) for part in found]
            claims += [a == b for a, b in zip(values, as_terms(real or zeros, state.values), strict=True)]
            if what == "add":
                memory = memory.set(terms, tuple(a + b for a, b in zip(values, given, strict=True)), facts)
                store.add(name, key, row)
        claims.append(there_is(memory, terms, store.rows[name].get(key, (0,) * len(row) if not state.keys else None)))
    keys = {key: as_terms(key, state.keys) for key in [*held, *_all_keys(state)]}
    begins = [there_is(start, terms, held.get(k, None if k else (0,) * len(state.values))) for k, terms in keys.items()]
    facts.known += [*begins, *room(state, asked)]
    facts.known += [start.count == count] if hasattr(start, "count") else []
    if state.evicts:
        facts.known += claims
        assert valid(bits(1, 1) == 1, facts)
    else:
        assert valid(all_of(*claims), facts)


def _all_keys(state: State):
    if len(state.keys) == 2:
        return [(n, bytes([b])) for n in range(4) for b in range(2)]
    return [(n,) for n in range(4)] if state.keys else [()]


def test_a_map_that_evicts_keeps_rows_apart():
    """A write is read again; another key's row stays as it was, as long as it is there."""
    facts = Facts()
    state, asked = STATES["evicts"], Asked({})
    (one,), (two,) = as_terms((1,), state.keys), as_terms((2,), state.keys)
    before, there, row = start_of(state, asked, facts).get((two,), facts)
    after = before.set((one,), (bits(9, 8),), facts)
    _, kept, now = after.get((two,), facts)
    assert valid(all_of(after.holds(one), after.row(one)[0] == 9), facts)
    assert valid(z3.Implies(kept, all_of(there, now[0] == row[0])), facts)
    assert not valid(kept == there, facts)
    assert not valid(z3.Not(kept), facts)
    assert valid(z3.Not(after.delete((one,), facts).holds(one)), facts)


def test_a_full_map_takes_no_new_key():
    """And a removal makes room again."""
    facts = Facts()
    state, asked = STATES["plain"], Asked({})
    key, other = ((bits(n, 2),) for n in (1, 2))
    start = start_of(state, asked, facts)
    facts.known += [start.count == 2, z3.Not(start.present[key[0]]), start.present[other[0]]]
    full = start.set(key, (bits(9, 8),), facts)
    assert valid(z3.Not(full.get(key, facts)[1]), facts)
    assert valid(z3.Not(full.differs(start)), facts)
    room_again = start.delete(other, facts).set(key, (bits(9, 8),), facts)
    assert valid(all_of(room_again.get(key, facts)[1], room_again.count == 2), facts)


def test_byte_strings_in_state_are_bounded_and_start_empty():
    """What is not there reads as no bytes; what is there is no larger than a message can become."""
    facts = Facts()
    state = State("texts", (Bits(2),), (BYTES,), 2)
    memory, there, row = start_of(state, Asked({}), facts).get((bits(1, 2),), facts)
    text = facts.opaque(row[0])
    assert valid(z3.Implies(z3.Not(there), text.same(Text(), facts)), facts)
    assert valid(z3.ULE(text.size(), MAX_SANE), facts)
    assert not valid(text.size() == 0, facts)
    again = memory.set((bits(1, 2),), (facts.term(text_of(b"xy")),), facts).get((bits(1, 2),), facts)
    assert valid(z3.Implies(again[1], is_(facts.opaque(again[2][0]), b"xy")), facts)


MESSAGES = """
message Q over udp { id: u16; kind: u8; flags: u8; name: bytes[4]; rest: bytes; }
chunnel idle() { place: path; on packet(m) { } }
"""


def counterexample(folder, more: str, body: str):
    """The start that z3 finds for a path through a body."""
    file = folder / "test.chunnel"
    file.write_text(f"{MESSAGES} chunnel one() {{ place: path; {more} on packet(m) {{ {body} }} }}")
    specification, (idle, one) = load_uses([file], ("idle", "one"))
    question = Prover(specification).refines(one, idle).parts[0].question
    answer = solve(question)
    assert answer.reason == "z3's counterexample, replayed"
    assert differs(question, *run_both(question.tracers(), answer.start))
    return answer.start


def test_a_counterexample_says_all_that_a_path_needs(tmp_path):
    """Fields, addresses, the network's fields, sizes, inputs, and entries under keys of several parts."""
    start = counterexample(
        tmp_path,
        """state s: map[endpoint -> bytes[4]; 8]; state t: map[bytes[4] -> endpoint; 8] evicts;
          state u: map[u8 -> bytes; 4];""",
        """if m.Q.id == 0xBEEF and m.ipv4.ttl == 9 and random() == 77 and size(m.payload) == 300 {
          if s[m.src] == "abcd" and t[m.Q.name] == m.src and size(u[m.Q.kind]) == 5 {
            if m.src.port == 4444 { drop; } } }""",
    )
    assert start.payload[:2] == b"\xbe\xef"
    assert len(start.payload) == 300
    assert start.network == {"ipv4": {"ttl": 9}}
    assert start.inputs["one.packet", "random", 0] == 77
    assert dict(start.states["_one_s"])[start.src] == (b"abcd",)
    assert dict(start.states["_one_t"])[start.payload[4:8],] == start.src
    assert len(dict(start.states["_one_u"])[start.payload[2],][0]) == 5


def test_a_counterexample_with_a_full_map(tmp_path):
    """A map that is full of other keys takes no new one."""
    body = "s[m.Q.kind] = 1; if not (m.Q.kind in s) { m.Q.flags = m.Q.flags + 1; }"
    start = counterexample(tmp_path, "state s: map[u8 -> u8; 3];", body)
    assert len(start.states["_one_s"]) == 3
    assert (start.payload[2],) not in dict(start.states["_one_s"])


USES = {"compress": "compress", "encrypt": 'encrypt(secret("k"))', "http2": "http2", "reliable": "reliable"}


def parts(one: str, other: str, limit: int | None = None):
    """What is said of each part of two chunnels trading places, end to end."""
    specification, chains = load_uses([], (USES[one], USES[other]))
    return {p.part: p for p in Prover(specification, max_size=limit).commute(*chains, "end-to-end").parts}


@pytest.mark.parametrize(("one", "other"), [("compress", "encrypt"), ("encrypt", "compress")])
def test_compressing_shows_something_on_either_side_of_encrypting(one, other):
    """The ends cannot tell; but sizes say something else, for two messages that are shown."""
    found = parts(one, other)
    assert found["whole"].answer.status == "proved"
    secrecy = found["secrecy"]
    assert secrecy.answer.status == "refuted"
    assert secrecy.answer.reason == "two messages that look the same on the link as written look different when changed"
    assert not looks_alike(secrecy.question, secrecy.answer.start, secrecy.answer.other)
    assert looks_alike(secrecy.question, secrecy.answer.start, secrecy.answer.start)


@pytest.mark.parametrize(("one", "other"), [("http2", "encrypt"), ("encrypt", "http2")])
def test_framing_shows_nothing_on_either_side_of_encrypting(one, other):
    """A frame's length is that of what it holds, and that of what is sealed shows it, too."""
    found = parts(one, other, limit=1400)
    assert {p.answer.status for p in found.values()} == {"proved"}
    assert found["secrecy"].answer.reason == "what looks the same on the link still does"
    assert found["size"].answer.reason == "what fits into 1400 bytes still does"


def test_what_was_compressed_may_no_longer_fit():
    """Sealed bytes do not compress: a message of zeros was small, and is larger than the link takes."""
    found = parts("compress", "encrypt", limit=1400)["size"]
    assert found.answer.status == "refuted"
    assert found.answer.reason == "51 bytes on the link as written, 1402 when changed: more than 1400"
    sizes = [max(len(d.payload) for d in t.run(found.answer.start).deliveries) for t in found.question.tracers()]
    assert sizes == [51, 1402]


def test_without_a_limit_nothing_is_said_of_sizes():
    """And without what conceals, nothing of secrecy."""
    assert parts("compress", "http2").keys() == {"guarantees", "whole"}
    assert parts("compress", "http2", limit=1400).keys() == {"guarantees", "whole", "size"}
