"""Counterexamples are made plain."""

from itertools import islice

import pytest

from bertha_ir.frontend.load import load_uses
from bertha_ir.passes.smt.obligations import Prover
from bertha_ir.passes.smt.question import differs, run_both
from bertha_ir.passes.smt.search import starts
from bertha_ir.passes.smt.shrink import shrunk

PAIRS = {
    "a counted drop": ("count(dns.id)", "firewall([10.0.0.0/8])"),
    "a new sender": ("nat(192.0.2.1)", "firewall([0.0.0.0/1])"),
    "a record": ("serialize(dns)", "compress"),
    "a hit": ("cache(ipv4.identification, ipv4.ttl, 7, dns.answers)", "tag(dns.id, 7)"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_left_still_tells_and_nothing_more_can_go(name):
    """From any message on which the sides differ, one that is as plain as can be; the same from every start."""
    specification, chains = load_uses([], PAIRS[name])
    question = Prover(specification).commute(*chains, "wire").decisive.question
    tracers = question.tracers()
    differing = list(islice((s for s in starts(question, 5000) if differs(question, *run_both(tracers, s))), 3))
    assert differing
    for start in differing:
        plain = shrunk(question, start)
        assert differs(question, *run_both(tracers, plain))
        assert shrunk(question, plain) == plain
        assert len(plain.payload) <= len(start.payload)
        assert sum(map(len, plain.states.values())) <= sum(map(len, start.states.values()))


def test_the_plainest_message_for_a_counted_drop():
    """An address that is refused, and nothing else."""
    specification, chains = load_uses([], PAIRS["a counted drop"])
    question = Prover(specification).commute(*chains, "wire").decisive.question
    start = next(s for s in starts(question, 300) if differs(question, *run_both(question.tracers(), s)))
    plain = shrunk(question, start)
    assert (plain.src, plain.dst, plain.states) == ((0x0A000000, 0), (0, 0), {"_count_hits": ()})
