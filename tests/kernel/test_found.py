"""Each mistake that running programs in the kernel brought to light, as the smallest program that shows it."""

import random
import shutil
import subprocess
import sys

import pytest
from attrs import evolve
from generators import Programs
from loading import compared, emit, loaded, needs_kernel
from samples import header
from switches import TRUE

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.program import Block, DeviceProgram, Entry, ParseState, State, Table, Transition
from bertha_ir.runtime import ebpf
from bertha_ir.runtime.ebpf import EbpfError
from bertha_ir.types import BOOL, U8, U16, U32, U64, Bits

pytestmark = needs_kernel
ETHERNET = header("ethernet", ("dst", 48), ("src", 48), ("ethertype", 16))
BODY = header("body", ("mac", 48), ("word", 32), ("wide", 64), ("byte", 8), ("odd", 8), ("sum", 16), ("udp_sum", 16))
PARSER = (ParseState("ethernet", (Transition((), "body"),)), ParseState("body"))
FIELDS = {f.name: e.Field("body", f.name, f.type) for f in BODY.fields}
MAC, WORD, WIDE, BYTE, SUM, UDP_SUM = (FIELDS[n] for n in ("mac", "word", "wide", "byte", "sum", "udp_sum"))
NEW = e.Const(0x1234, U16)
BOTH = pytest.mark.parametrize("hook", ["ingress", "egress"])


def small(value):
    """Whether the byte is below a value."""
    return e.Binary("<", BYTE, e.Const(value, U8))


def running(*body, guard=TRUE, more=(), tables=(), states=(), hook="ingress"):
    """A program that runs `body` on every frame long enough."""
    block = Block("first", ("ethernet", "body"), guard, body, ("first",))
    return DeviceProgram("p", "h1", "frame", hook, (ETHERNET, BODY), PARSER, tables, states, (block, *more))


def agreed(program, folder):
    """Run 200 frames both ways; return what was seen."""
    source = random.Random(7)
    edges = (bytes(24), b"\xff" * 24)
    bodies = [source.choice((*edges, *(source.randbytes(24) for _ in range(6)))) for _ in range(200)]
    return compared(program, [bytes(12) + b"\x88\xb5" + b + source.randbytes(9) for b in bodies], folder)


@BOTH
def test_a_conditional_bounce_keeps_the_changes_made_before_it(hook, tmp_path):
    """A change of a checksum in front of an `If` that changes it too and bounces counts."""
    fix = s.FixChecksum(SUM, e.Cast(WORD, U16), NEW, optional=False)
    late = s.FixChecksum(UDP_SUM, WORD, e.Const(7, U32), optional=True, part="address")
    program = running(fix, late, s.If(small(128), (fix, late, s.Bounce())), fix, hook=hook)
    seen = agreed(program, tmp_path)
    assert min(seen["first", "bounce"], seen["first", "pass"]) > 10


def test_a_redirect_ends_the_program(tmp_path):
    """At TC, after a bounce that changed a checksum, the verifier must see no way into the next block."""
    late = s.FixChecksum(UDP_SUM, WORD, e.Const(7, U32), optional=True, part="content")
    more = (Block("second", ("ethernet", "body"), TRUE, (s.Assign(BYTE, e.Const(1, U8)),), ("second",)),)
    agreed(running(late, s.Bounce(), guard=small(128), more=more, hook="egress"), tmp_path)


@BOTH
def test_the_frames_size_is_a_number(hook, tmp_path):
    """Arithmetic on it is not arithmetic on the packet's end, which the verifier prohibits."""
    size = e.FrameSize()
    program = running(s.Assign(WORD, e.Binary("-", e.Unary("~", size), e.Binary("+", WORD, size))), hook=hook)
    assert agreed(program, tmp_path)["first", "changed"] > 100


def test_a_value_stored_in_parts_is_computed_once(tmp_path):
    """48 bits are written as 32 and 16: the second part is not computed from a half-written field."""
    program = running(s.Assign(MAC, e.Binary(">>", MAC, e.Const(8, U8))))
    assert agreed(program, tmp_path)["first", "changed"] > 100


@BOTH
def test_a_local_bound_again_in_an_inner_block_is_the_same(hook, tmp_path):
    """What an `If` binds to a known name is read after it."""
    again = s.Let("x", e.Binary("+", e.Local("x", U32), e.Const(5, U32)))
    program = running(s.Let("x", WORD), s.If(small(128), (again,)), s.Assign(WORD, e.Local("x", U32)), hook=hook)
    assert 10 < agreed(program, tmp_path)["first", "changed"] < 190


def test_a_deleted_cell_is_zero(tmp_path):
    """A cell cannot be removed from an array: its values go back to zero."""
    read = s.Lookup("cell", (), None, (e.Local("last", U64),))
    change = s.If(small(100), (s.Delete("cell", ()),), (s.Store("cell", (), "add", (WIDE,)),))
    program = running(change, read, s.Assign(WIDE, e.Local("last", U64)), states=(State("cell", (), (U64,)),))
    assert agreed(program, tmp_path)["first", "changed"] > 50


@pytest.mark.parametrize("bits", [8, 24, 48, 64])
def test_prefixes_of_any_width_have_no_padding(bits, tmp_path):
    """The verifier takes no key with bytes that nobody wrote, and the loader counts on none."""
    entries = (Entry((0, 1), (1,)), Entry((1 << bits - 1, 2), (2,)), Entry(((1 << bits) - 1, bits), (3,)))
    table = Table("prefixes", "lpm", (Bits(bits),), (U8,), 16, entries)
    look_up = s.Lookup("prefixes", (e.Cast(WIDE, Bits(bits)),), "hit", (e.Local("value", U8),))
    use = s.If(e.Local("hit", BOOL), (s.Assign(BYTE, e.Local("value", U8)),))
    program = running(look_up, use, tables=(table,))
    assert agreed(program, tmp_path)["first", "changed"] > 50
    with loaded(program, tmp_path) as kernel:
        expected = {(length, value): values for (value, length), values in ((x.match, x.values) for x in entries)}
        assert dict(kernel.maps["prefixes"].items()) == expected


def test_names_longer_than_the_kernels_are_kept_apart(tmp_path):
    """Tables and maps whose names share their first and last 40 characters; the kernel keeps 15 of each."""
    names = [f"{'a' * 45}{i}{'b' * 45}" for i in range(2)]
    tables = tuple(
        Table(f"{name}_t", "exact", (U8,), (U8,), 4, (Entry((0,), (i + 1,)),)) for i, name in enumerate(names)
    )
    states = tuple(State(name, (U8,), (U32,), 8) for name in names)
    body = [s.Lookup(f"{n}_t", (e.Const(0, U8),), None, (e.Local(f"v{i}", U8),)) for i, n in enumerate(names)]
    sums = [s.Store(n, (e.Local(f"v{i}", U8),), "add", (e.Const(i + 1, U32),)) for i, n in enumerate(names)]
    agreed(running(*body, *sums, tables=tables, states=states), tmp_path)


def test_maps_are_read_and_written_from_outside(tmp_path):
    """An operator's entries are seen by the program; what is not there is None, or a KeyError when removed."""
    state = State("hits", (U8,), (U64,), 4)
    program = running(s.Store("hits", (BYTE,), "add", (e.Const(1, U64),)), states=(state,))
    with loaded(program, tmp_path) as kernel:
        hits = kernel.maps["hits"]
        hits[3,] = (1 << 40,)
        kernel.run(bytes(14) + bytes(18) + b"\3" + bytes(9))
        assert hits.get((3,)) == ((1 << 40) + 1,)
        assert hits.get((4,)) is None
        del hits[3,]
        with pytest.raises(KeyError):
            del hits[3,]
        for key in range(4):
            hits[key,] = (key,)
        with pytest.raises(EbpfError, match="does not take the entry"):
            hits[9,] = (9,)
        assert sorted(hits.items()) == [((k,), (k,)) for k in range(4)]
        with pytest.raises(EbpfError, match="13 bytes"):
            kernel.run(bytes(13))


def test_a_program_that_clang_refuses_says_why(tmp_path):
    """The first line of clang's complaint is the message, the whole is kept."""
    source = tmp_path / "bad.bpf.c"
    source.write_text("int f(void) { return nothing; }\n")
    with pytest.raises(EbpfError, match=r"clang refuses bad\.bpf\.c: .*nothing") as caught:
        ebpf.build(source, tmp_path)
    assert "error" in caught.value.log
    source.write_text("this is no object")
    with pytest.raises(EbpfError, match="is no eBPF object"):
        ebpf.Object(source)


def test_a_program_that_the_verifier_refuses_says_why(tmp_path):
    """The last lines of the verifier's log are the message, the whole is kept, and nothing stays open."""
    source = tmp_path / "bad.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
        'SEC("xdp") int bad(struct xdp_md *ctx) { return *(int *)(long)ctx->data; }\n'
    )
    with pytest.raises(EbpfError, match=r"the kernel refuses bad\.bpf\.o: .*outside of the packet") as caught:
        ebpf.Object(ebpf.build(source, tmp_path))
    assert "processed" in caught.value.log


def test_evicting_maps_take_new_keys_when_full(tmp_path):
    """A map that evicts is the kernel's LRU: 100 keys into 4 places leave few behind, and none is refused."""
    state = State("recent", (U32,), (U64,), 4, evicts=True)
    program = running(s.Store("recent", (WORD,), "set", (WIDE,)), states=(state,))
    with loaded(evolve(program, name="lru"), tmp_path) as kernel:
        for number in range(100):
            kernel.run(bytes(20) + number.to_bytes(4, "big") + bytes(24))
        recent = kernel.maps["recent"]
        assert recent.get((99,)) == (0,)
        assert len(dict(recent.items())) < 100


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not on PATH")
@pytest.mark.parametrize("lacking", [None, "net_admin", "perfmon", "bpf"])
def test_a_process_needs_three_capabilities_and_no_more(lacking, tmp_path):
    """With the three a program loads; without one of them the message names it, not the kernel's riddle."""
    source = emit(running(s.Assign(WORD, e.FrameSize())), tmp_path)
    ebpf.build(source, tmp_path)
    kept = ",".join(f"+{name}" for name in ("bpf", "net_admin", "perfmon", "dac_override") if name != lacking)
    code = "import sys, pathlib; from bertha_ir.runtime import ebpf; ebpf.Object(pathlib.Path(sys.argv[1])).close()"
    command = ("setpriv", "--inh-caps=-all", f"--bounding-set=-all,{kept}", sys.executable, "-c", code)
    done = subprocess.run((*command, tmp_path / "p.bpf.o"), capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (lacking is None), done.stderr
    if lacking:
        assert f"loading a program needs CAP_{lacking.upper()}, which this process lacks" in done.stderr


def test_an_index_is_a_whole_register(tmp_path):
    """One of 32 bits was made one of 64 behind its check, and the verifier lost sight of that (random program 108)."""
    program = Programs(108).program()
    options = ("-Wno-unused-variable", "-Wno-unused-but-set-variable", "-Wno-self-assign")
    with loaded(evolve(program, hook="ingress"), tmp_path, *options, "-Wno-tautological-compare") as kernel:
        assert kernel.fd > 0
