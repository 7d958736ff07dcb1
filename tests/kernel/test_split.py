"""Programs that would be too much for the verifier run as parts, one behind another, and do the same."""

import subprocess
from contextlib import ExitStack

import pytest
from attrs import evolve
from catalogue import NAMES, built, frames
from generators import Programs
from generators import frames as random_frames
from loading import compared, emit, loaded, needs_kernel, runs_at_tc
from packets import Traffic

from bertha_ir.backends.ebpf import extent
from bertha_ir.backends.ebpf.source import Source
from bertha_ir.cost_models.calibration.trial import compiled
from bertha_ir.runtime import ebpf

pytestmark = needs_kernel
TURNS = """
chunnel turned() {
  place: path;
  on packet(m) {
    let h = m.src.port;
    repeat 100 { repeat 100 { h = (h ^ (m.ipv4.ttl as u16)) * 7; } }
    m.ipv4.identification = h;
  }
}
chunnel branched() {
  place: path;
  on packet(m) {
    let h = m.src.port;
    repeat 50 { repeat 100 { h = h * 7 + 1; if h & 4 == 0 { h += m.ipv4.ttl as u16; } } }
    m.ipv4.identification = h;
  }
}
"""
BY = (
    "Query.kind",
    "Query.flags",
    "Query.word",
    "Query.wide",
    "ipv4.dscp",
    "ipv4.src",
    "ipv4.ttl",
    "ipv4.identification",
)
COUNTS = [f"count(by = {BY[n % len(BY)]})" for n in range(72)]
TOO_MUCH = {
    "instructions": (["turned"] * 6, 12),
    "branches": (["branched"] * 2, 12),
    "the stack": (COUNTS, 400),
    "the stack, sent elsewhere in between": (
        [*COUNTS[:36], "shard(key = Query.wide, shards = [own, other, third])", "tag(ipv4.dscp, 9)", *COUNTS[36:]],
        400,
    ),
}
QUERY = Traffic(
    (0x0A000001, 4242),
    ((0x0A000001, 9001), (0x0A000002, 9002)),
    lambda source: source.randbytes(12 + source.randrange(20)),
    clients=((0x0A000009, 5555), (0x0A000008, 6), (0xC0A80101, 7)),
)
# What random programs compute in vain is not the printer's fault.
IN_VAIN = ("-Wno-unused-variable", "-Wno-unused-but-set-variable", "-Wno-self-assign", "-Wno-tautological-compare")
NARROW = 100  # instructions that random programs have room for; the parts of none are more than may call one another


TOLD = ("-Dbpf_ktime_get_ns()=1000000000000ULL", "-Dbpf_get_prandom_u32()=7")


def parts(program):
    """How many parts each block of a program has."""
    return [len(found) for found in Source(program).parts.values()]


@pytest.fixture
def unlimited(monkeypatch):
    """No limits, for the one test that shows what they are for."""

    def lift():
        for limit in ("ROOM", "INSTRUCTIONS", "BRANCHES", "STACK"):
            monkeypatch.setattr(extent, limit, 1 << 30)

    return lift


@pytest.mark.parametrize("name", TOO_MUCH)
@pytest.mark.parametrize("hook", ["ingress", "egress"])
def test_what_is_too_much_in_one_runs_in_parts(name, hook, tmp_path, unlimited):
    """The compiler or the kernel refuses the one program; the parts are loaded, and do what the interpreter does."""
    chain, count = TOO_MUCH[name]
    program = evolve(compiled(" |> ".join(chain), "ingress", TURNS), hook=hook)
    assert max(parts(program)) > 1
    taken = compared(program, QUERY.frames(1, count), tmp_path)
    assert taken[program.blocks[0].name, "pass"] > count // 8
    unlimited()
    assert parts(program) == [1]
    with pytest.raises(ebpf.EbpfError) as refused, loaded(program, tmp_path):
        pass
    log = f"{refused.value}{refused.value.log}"
    assert "BPF program is too large" in log or "too complex" in log or "stack limit of 512 bytes" in log


@pytest.mark.parametrize("seed", range(60))
def test_random_parts_are_the_interpreters(seed, tmp_path, monkeypatch):
    """200 frames through parts of random programs, at XDP and TC: same verdict, bytes and state."""
    monkeypatch.setattr(extent, "ROOM", NARROW)
    program = Programs(seed).program()
    for hook in ("ingress", "egress"):
        folder = tmp_path / hook
        folder.mkdir()
        compared(evolve(program, hook=hook), random_frames(seed, 200), folder, *IN_VAIN)


def test_random_programs_are_cut(monkeypatch):
    """Most of them."""
    monkeypatch.setattr(extent, "ROOM", NARROW)
    assert sum(max(parts(Programs(seed).program())) > 1 for seed in range(60)) > 30


def catalogue():
    """The kernel programs of the catalogue."""
    for name in NAMES:
        for placed in (p for p in built(name).programs if p.backend == "ebpf"):
            yield pytest.param(name, placed.program, id=f"{name}-{placed.program.name}")


@pytest.mark.parametrize(("name", "program"), list(catalogue()))
def test_no_real_chain_is_cut_and_each_could_be(name, program, tmp_path, monkeypatch):
    """What the catalogue has fits; cut all the same, it does the same: verdicts, bytes, what is remembered."""
    assert set(parts(program)) == {1}
    folders = [tmp_path / "one", tmp_path / "cut"]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as opened:
        one = opened.enter_context(loaded(program, folders[0], *TOLD))
        monkeypatch.setattr(extent, "ROOM", NARROW)
        cut = opened.enter_context(loaded(program, folders[1], *TOLD))
        for frame in frames(name, program, 200):
            if program.hook == "ingress" or runs_at_tc(frame):
                was, became = one.verdict(frame), cut.verdict(frame)
                assert was[0] == became[0], frame.hex()
                assert was[0] == "drop" or was[1] == became[1], frame.hex()
        for state in program.states:
            assert dict(one.maps[state.name].items()) == dict(cut.maps[state.name].items()), state.name


def test_estimates_are_near_what_is_measured(tmp_path):
    """Of chains of one sort, of up to 40 ops: the instructions that are walked through are at most `FACTOR` times as
    many as estimated, the stack no more than estimated.
    """
    for n, chain in enumerate((COUNTS[:1], COUNTS[:8], COUNTS[:30], ["turned"], ["limit(1000000, 9, ipv4.src)"] * 9)):
        program = compiled(" |> ".join(chain), "ingress", TURNS)
        (block,) = program.blocks
        found = extent.extent_of(block.body, Source(program).containers, extent.ways_to(program, block))
        folder = tmp_path / str(n)
        folder.mkdir()
        with loaded(program, folder) as kernel:
            assert kernel.instructions()[1] <= extent.FACTOR * found.instructions
        assert _stack(folder / "app.bpf.o") <= found.stack + found.spilled


def _stack(path):
    """The bytes of the stack that a program writes."""
    text = subprocess.run(["llvm-objdump", "-d", path], capture_output=True, text=True, check=True).stdout
    words = (line.split("(r10 - ")[1] for line in text.splitlines() if "(r10 - " in line)
    return max((int(word.split(")")[0]) for word in words), default=0)


def test_parts_of_parts_are_alike(tmp_path):
    """The same program is the same parts, whatever the order of sets."""
    program = compiled(" |> ".join(COUNTS), "ingress")
    assert emit(program, tmp_path).read_text() == Source(program).text
