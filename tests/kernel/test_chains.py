"""What `benchmarks/chains.py` measures: the chains do the same either way, and each run meets a frame as it came."""

import sys
from itertools import cycle, islice

import pytest
from loading import loaded, needs_kernel
from project import ROOT
from rows import loaded_row

from bertha_ir.interpreter.program import Machine

sys.path.append(str(ROOT / "benchmarks"))
from chosen import MIXED, made
from feed import fed

pytestmark = needs_kernel
NOW = "-Dbpf_ktime_get_ns()=1000000000000ULL"  # all are told the same time


@pytest.fixture(scope="module")
def chains():
    """Chains of the library's chunnels, by name."""
    return {chain.name: chain for chain in made()}


@pytest.mark.parametrize("name", ["2 chunnels", "4 chunnels", "8 chunnels", "16 chunnels", "early drop"])
def test_chains_do_the_same_written_merged_and_planned(chains, name, tmp_path):
    """On the traffic that is measured: verdicts, bytes, and what is remembered of it."""
    chain = chains[name]
    folders = [tmp_path / kind for kind in ("merged", "planned", "written")]
    for folder in folders:
        folder.mkdir()
    (merged,), (planned,) = chain.written.whole(), chain.planned.whole()
    with (
        loaded(merged, folders[0], NOW) as one,
        loaded(planned, folders[1], NOW) as other,
        loaded_row(chain.written.apart(), folders[2], NOW) as row,
    ):
        for frame in chain.mixed:
            verdict, data = one.verdict(frame)
            for verdict_too, data_too in (other.verdict(frame), row[0].verdict(frame)):
                assert verdict_too == verdict, frame.hex()
                assert verdict == "drop" or data_too == data, frame.hex()
        held = {n: dict(m.items()) for part in row for n, m in part.maps.items()}
        for state in merged.states:
            assert dict(one.maps[state.name].items()) == held[state.name], state.name
        for state in planned.states:
            assert dict(other.maps[state.name].items()) == held[state.name], state.name


def test_traffic_is_what_the_workload_says(chains):
    """Seven of ten are dropped, by the one op that may; without a workload none is."""
    machine = Machine(chains["early drop"].written.whole()[0])
    dropped = [machine.run(frame).verdict == "drop" for frame in chains["early drop"].mixed]
    assert len(dropped) == MIXED
    assert sum(dropped) > 0.7 * MIXED
    quiet = Machine(chains["2 chunnels"].written.whole()[0])
    assert {quiet.run(frame).verdict for frame in chains["2 chunnels"].mixed} == {"pass"}


def test_every_run_meets_a_frame_as_it_came(chains):
    """Run after run, what comes out is what the program makes of the next frame, not of what the last run left."""
    chain = chains["4 chunnels"]
    frames = list(dict.fromkeys(chain.mixed))[:4]
    machine = Machine(chain.written.whole()[0], lambda _: 10**12)
    expected = [machine.run(frame).data for frame in frames]
    assert expected != frames
    with fed(chain.written.apart(), "ingress", frames) as feeder:
        for data in islice(cycle(expected), 12):
            assert feeder.verdict(frames[0]) == ("pass", data)
