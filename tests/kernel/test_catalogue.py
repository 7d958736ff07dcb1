"""What the kernel does with the programs of the catalogue's chains is what the interpreter does."""

from collections import Counter

import pytest
from catalogue import NAMES, built, frames
from loading import loaded, needs_kernel, remembered, runs_at_tc

from bertha_ir.interpreter.program import Machine

pytestmark = needs_kernel
COUNT = 400
NOW = 1_000_000_000_000
# Both sides are told the same time: it is put in the place of what the kernel's helper would answer.
TOLD = f"-Dbpf_ktime_get_ns()={NOW}ULL"
# In a switch alone, or in a process alone.
NOT_IN_KERNELS = {"coap_gateway", "dns_cache", "netcache", "rpc_faults", "sequencer"}


def programs(name):
    """Those of a chain that run in kernels."""
    return [p.program for p in built(name).programs if p.backend == "ebpf"]


@pytest.mark.parametrize("name", NAMES)
def test_programs_are_the_interpreters(name, tmp_path):
    """At least 300 packets through each program, those that stand by, too: verdicts, bytes and state are the same; over
    100 packets are the chain's, and something is done to them.
    """
    found = programs(name)
    assert bool(found) == (name not in NOT_IN_KERNELS)
    for number, program in enumerate(found):
        folder = tmp_path / str(number)
        folder.mkdir()
        packets = [f for f in frames(name, program, COUNT) if program.hook == "ingress" or runs_at_tc(f)]
        seen = compared(program, packets, folder)
        assert sum(seen[verdict] for verdict in ("pass", "drop", "bounce")) > 100
        assert seen["drop"] + seen["changed"] + len(program.states) > 0
        assert len(packets) > 300


@pytest.mark.parametrize("name", ["ddos_scrubber", "ntp_guard", "rpc_admission", "tenant_limits"])
def test_limits_are_exceeded(name):
    """The packets of the test above are too many for those chains that limit, and not all of them are."""
    (program,) = (p.program for p in built(name).programs if p.backend == "ebpf" and p.active)
    machine = Machine(program, told)
    verdicts = Counter(machine.run(f).verdict for f in frames(name, program, COUNT))
    assert min(verdicts["pass"], verdicts["drop"]) > 20


def told(name):
    """What the programs ask for from outside."""
    return {"now": NOW}[name]


def compared(program, packets, folder):
    """Run packets through kernel and interpreter; return how often the program's blocks gave each verdict."""
    machine, seen = Machine(program, told), Counter()
    with loaded(program, folder, TOLD) as kernel:
        for packet in packets:
            outcome, (verdict, data) = machine.run(packet), kernel.verdict(packet)
            where = f"{program.name}: {packet.hex()}"
            assert verdict == outcome.verdict, where
            assert verdict == "drop" or data.hex() == outcome.data.hex(), where
            if outcome.block is not None:
                seen[outcome.verdict] += 1
                seen["changed"] += outcome.data != packet
        for state in program.states:
            assert dict(kernel.maps[state.name].items()) == remembered(machine, state.name), state.name
    return seen
