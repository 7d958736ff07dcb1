"""A program for each op, one behind another, does what one program of all of them does."""

import pytest
from attrs import evolve
from catalogue import NAMES, built, frames
from loading import loaded, needs_kernel, runs_at_tc
from rows import both, loaded_row

from bertha_ir.backends.ebpf.row import LONGEST, emit_row
from bertha_ir.cost_models.calibration.trial import CHAINS, graph_of, steady_frame
from bertha_ir.runtime.ebpf import EbpfError

pytestmark = needs_kernel
NOW = 1_000_000_000_000
TOLD = f"-Dbpf_ktime_get_ns()={NOW}ULL"  # all are told the same time


def rows():
    """The chains of the catalogue of which one kernel runs two ops or more."""
    for name in NAMES:
        compiled = built(name)
        for placed in (p for p in compiled.programs if p.backend == "ebpf"):
            for block in placed.program.blocks:
                if len(block.ops) > 1 and block.name.endswith("_request"):
                    yield pytest.param(name, placed, block.ops, id=placed.program.name)


@pytest.mark.parametrize(("name", "placed", "ops"), list(rows()))
def test_rows_are_the_merged_program(name, placed, ops, tmp_path):
    """On hundreds of the chain's packets: verdicts, bytes, and what is remembered."""
    compiled = built(name)
    graph = next(g for g in compiled.graphs if g.direction == "request")
    hook = placed.program.hook
    whole, parts = both(compiled.specification, graph, tuple(graph.op(o) for o in ops), hook)
    alone = tmp_path / "whole"
    alone.mkdir()
    seen = set()
    with loaded(whole, alone, TOLD) as one, loaded_row(parts, tmp_path, TOLD) as row:
        for frame in frames(name, whole, 300):
            if hook == "egress" and not runs_at_tc(frame):
                continue
            verdict, data = one.verdict(frame)
            also, other = row[0].verdict(frame)
            assert also == verdict, frame.hex()
            assert verdict == "drop" or other == data, frame.hex()
            seen.add(verdict)
        maps = {name_: m for part in row for name_, m in part.maps.items()}
        for state in whole.states:
            assert dict(one.maps[state.name].items()) == dict(maps[state.name].items()), state.name
    assert "pass" in seen


def test_a_row_of_many(tmp_path):
    """Sixteen ops: as long as chains get, half as long as the kernel allows."""
    specification, graph, ops = graph_of(" |> ".join([CHAINS[6], CHAINS[1]] * 8))
    whole, parts = both(specification, graph, ops, "ingress")
    assert len(parts) == 16
    frame = steady_frame(whole)
    with loaded_row(parts, tmp_path) as row:
        assert row[0].verdict(frame)[0] == "pass"
        assert [list(part.maps["app_count_hits"].items()) for part in row[:1]] == [[((0,), (1,))]]
        assert [list(part.maps["app_count_8_hits"].items()) for part in row if "app_count_8_hits" in part.maps] == [
            [((0,), (1,))]
        ]


def test_the_last_goes_on_to_nothing(tmp_path):
    """Only programs that were emitted to go on do."""
    specification, graph, ops = graph_of(f"{CHAINS[0]} |> {CHAINS[6]}")
    with loaded_row(both(specification, graph, ops, "ingress")[1], tmp_path) as row, pytest.raises(EbpfError):
        row[1].go_on_to(row[0])


def test_a_row_that_would_not_be_the_chain_is_refused():
    """A state in two programs would be two states, and the kernel stops after 33 calls."""
    specification, graph, ops = graph_of(CHAINS[6])
    (program,) = both(specification, graph, ops, "ingress")[1]
    with pytest.raises(ValueError, match="app_count_hits"):
        emit_row([program, program])
    stateless = [evolve(program, states=())] * (LONGEST + 1)
    with pytest.raises(ValueError, match="33"):
        emit_row(stateless)
