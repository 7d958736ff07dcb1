"""State that may be kept once per processor is, where nothing depends on it: the sums are what one processor has."""

import os
from itertools import cycle

import pytest
from loading import emit, loaded, needs_kernel, remembered
from packets import Traffic

from bertha_ir.backends.ebpf.maps import only_added_to
from bertha_ir.cost_models.calibration.trial import compiled
from bertha_ir.interpreter.program import Machine

pytestmark = needs_kernel
CHUNNELS = """
chunnel narrow(by: field) {
  place: path;
  state some: map[type(by) -> u8; 64] volatile;
  state few: map[type(by) -> u12; 4096] volatile evicts;
  state all: u48 volatile;
  on packet(m) { some[m.by] += 200; few[m.by] += 4095; all += m.udp.length as u48; all += 3; }
}
chunnel lengths(by: field) {
  place: path;
  state sums: map[type(by) -> u64; 65536] volatile;
  on packet(m) { sums[m.by] += m.udp.length as u64; }
}
chunnel quota(by: field) {
  place: path;
  state used: map[type(by) -> u64; 4096] volatile;
  state met: u64 volatile;
  on packet(m) { met += 1; if used[m.by] == 3 { drop; } used[m.by] += 1; }
}
chunnel last(by: field) {
  place: path;
  state value: map[type(by) -> u64; 4096] volatile;
  on packet(m) { value[m.by] = m.src.port as u64; }
}
chunnel gone(by: field) {
  place: path;
  state there: map[type(by) -> u64; 4096] volatile;
  on packet(m) { there[m.by] += 1; if m.src.port == 6 { delete there[m.by]; } }
}
"""
STACKS = {
    "count(by = Query.kind)": {"HASH"},
    "lengths(by = Query.kind)": {"HASH"},
    "count(by = Query.wide) |> lengths(by = ipv4.src)": {"HASH"},
    "narrow(by = Query.kind)": {"HASH", "LRU_HASH", "ARRAY"},
    "quota(by = Query.kind)": {"ARRAY"},
    "last(by = Query.kind)": set(),
    "gone(by = Query.kind)": set(),
}
QUERY = Traffic(
    (0x0A000001, 4242),
    ((0x0A000001, 9001), (0x0A000002, 9002)),
    lambda source: source.randbytes(19 + source.randrange(20)),
    clients=((0x0A000009, 5555), (0x0A000008, 6), (0xC0A80101, 7)),
)
PROCESSORS = sorted(os.sched_getaffinity(0))


def at_xdp(chain):
    """The server's program for requests."""
    return compiled(chain, "ingress", CHUNNELS)


@pytest.fixture
def processors():
    """Every processor in turn, for the next run; afterwards any."""

    def each():
        for one in cycle(PROCESSORS):
            os.sched_setaffinity(0, {one})
            yield one

    yield each()
    os.sched_setaffinity(0, PROCESSORS)


@pytest.mark.parametrize("chain", STACKS)
def test_sums_are_the_interpreters(chain, tmp_path, processors):
    """1,000 packets by all processors in turn: verdicts, bytes, and what is remembered; an inserted value is a sum."""
    program = at_xdp(chain)
    machine = Machine(program)
    with loaded(program, tmp_path) as kernel:
        for frame, _ in zip(QUERY.frames(1, 1000), processors, strict=False):
            outcome, (verdict, data) = machine.run(frame), kernel.verdict(frame)
            assert verdict == outcome.verdict, frame.hex()
            assert verdict == "drop" or data == outcome.data, frame.hex()
        for state in program.states:
            held = kernel.maps[state.name]
            assert dict(held.items()) == remembered(machine, state.name), state.name
            key, value = next(held.items())
            held[key] = value
            assert held.get(key) == value


@pytest.mark.skipif(len(PROCESSORS) < 2, reason="one processor keeps all there is")
def test_each_processor_has_its_share(tmp_path, processors):
    """Of 1,000 packets, each processor counts those that it met itself."""
    program = at_xdp("count(by = ipv4.ttl)")
    with loaded(program, tmp_path) as kernel:
        frames = [f for f in QUERY.frames(1, 1000) if Machine(program).run(f).block is not None]
        for frame, _ in zip(frames, processors, strict=False):
            kernel.verdict(frame)
        (counted,) = kernel.maps.values()
        rows = [counted.shares(key) for key, _ in counted.items()]
    counts = [sum(share for (share,) in column) for column in zip(*rows, strict=True)]
    assert [count for count in counts if count] == [len(frames[n :: len(PROCESSORS)]) for n in range(len(PROCESSORS))]


@pytest.mark.parametrize(("chain", "apart"), STACKS.items())
def test_only_what_is_only_added_to_is_apart(chain, apart, tmp_path):
    """What a verdict depends on, or is set or removed, stays one for all."""
    program = at_xdp(chain)
    text = emit(program, tmp_path).read_text()
    assert {kind for kind in ("HASH", "LRU_HASH", "ARRAY") if f"_TYPE_{_apart(kind)})" in text} == apart
    assert bool(only_added_to(program)) == bool(apart)


def _apart(kind):
    return "LRU_PERCPU_HASH" if kind == "LRU_HASH" else f"PERCPU_{kind}"
