"""Prints a device program as one C file: tables and state, a function per block, and the program that parses a frame
and hands it to the first block that takes it.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.block import Around, BlockPrinter, Verdicts
from bertha_ir.backends.ebpf.bounds import Bounds
from bertha_ir.backends.ebpf.comparisons import comparisons
from bertha_ir.backends.ebpf.follow import Following
from bertha_ir.backends.ebpf.maps import Container, container_of, contents, declaration, only_added_to
from bertha_ir.backends.ebpf.moves import MOVES, held, moves
from bertha_ir.backends.ebpf.names import CNames
from bertha_ir.backends.ebpf.split import parts_of
from bertha_ir.backends.ebpf.sums import CONTEXT
from bertha_ir.backends.ebpf.words import literal, rest_of
from bertha_ir.backends.names import comment
from bertha_ir.backends.printing import place_of, role
from bertha_ir.backends.reach import Reach
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.backends.ebpf.split import Part
    from bertha_ir.program import Block, DeviceProgram, ParseState, State, Table

XDP = Verdicts("XDP_PASS", "XDP_DROP", "XDP_TX", helper=False)
TC_EGRESS = Verdicts("TC_ACT_UNSPEC", "TC_ACT_SHOT", "TC_ACT_REDIRECT", helper=True)

LINE = 72

PRELUDE = """#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NOT_TAKEN (-2)
/* Keeps the compiler from knowing where a value comes from, and so from leaving out a check of its range, or computing
 * with the end of the packet, neither of which the verifier allows.
 */
#define HIDE(x) asm volatile("" : "+r"(x))

char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""
NEXT = "next_program"
FOLLOWING = f"""/* The program that goes on with what this one passes. */
struct {{
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
}} {NEXT} SEC(".maps");
"""
# What blocks call, in an order in which each comes before what uses it.
FUNCTIONS = {
    "change_16": """\
/* What a changed value adds to the one's complement sum of what a checksum covers (RFC 1624, equation 3). Values, sums
 * and checksums are as they lie in the packet: such a sum does not depend on the order of bytes.
 */
static __always_inline __u64 change_16(__u64 old, __u64 fresh)
{
	return 0xffff - old + fresh;
}
""",
    "change_32": """/* As change_16, for two words. */
static __always_inline __u64 change_32(__u64 old, __u64 fresh)
{
	return 0x1fffe - (old & 0xffff) - (old >> 16) + (fresh & 0xffff) + (fresh >> 16);
}
""",
    "folded": """static __always_inline __u64 folded(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}
""",
    "fix_checksum": """static __always_inline void fix_checksum(unsigned char *checksum, __u64 delta)
{
	*(__be16 *)checksum = ~folded(0xffff - *(__be16 *)checksum + delta);
}
""",
    "fix_optional_checksum": """\
/* A checksum of 0 means that there is none; one that comes to 0 is sent as 0xffff (RFC 768). */
static __always_inline void fix_optional_checksum(unsigned char *checksum, __u64 delta)
{
	__u64 sum = folded(0xffff - *(__be16 *)checksum + delta);

	if (*(__be16 *)checksum)
		*(__be16 *)checksum = sum == 0xffff ? 0xffff : ~sum;
}
""",
    "difference": """/* The change of a sum as the kernel's checksum helpers take it. */
static __always_inline __u32 difference(__u64 delta)
{
	return folded(delta);
}
""",
}
FUNCTIONS |= MOVES
USES_FOLDED = ("fix_checksum", "fix_optional_checksum", "difference")


@define
class Source:
    """One program as C. `text` is the file, `maps` what a loader must know of its maps. `goes_on`: what it takes and
    passes, it hands to the program in its map `NEXT`, if there is one, by a tail call.
    """

    program: DeviceProgram
    active: bool = True
    goes_on: bool = False
    names: CNames = field(factory=CNames)
    name: str = field(init=False)
    containers: dict[str, Container] = field(init=False)
    headers: dict[str, str] = field(init=False)
    offsets: dict[str, str] = field(init=False)
    rests: dict[str, str] = field(init=False)
    parts: dict[str, tuple[Part, ...]] = field(init=False)
    functions: dict[tuple[str, int], str] = field(init=False)
    following: Following = field(init=False)

    def __attrs_post_init__(self) -> None:
        program = self.program
        self.name = self.names.fresh(program.name)
        items: tuple[Table | State, ...] = (*program.tables, *program.states)
        added = only_added_to(program)
        self.containers = {i.name: container_of(i, self.names.fresh(i.name), apart=i.name in added) for i in items}
        self.headers = {h.name: self.names.fresh(h.name) for h in program.headers}
        self.offsets = {h.name: self.names.fresh(f"{h.name}_at") for h in program.headers}
        self.parts = parts_of(program, self.containers)
        fixed = not (self.verdicts.helper or self._moves or any(map(self._is_split, program.blocks)))
        rests = {rest_of(n) for n in walk(program.blocks)} if fixed else frozenset()
        self.rests = {h.name: self.names.fresh(f"{h.name}_rest") for h in program.headers if h.name in rests}
        numbers = [(name, n) for name, parts in self.parts.items() for n in range(len(parts))]
        self.functions = {(b, n): self.names.fresh(f"take_{b}{f'_{n + 1}' if n else ''}") for b, n in numbers}
        self.following = Following(
            program, self.parts, self.names, self.headers, self.offsets, self.name, self.verdicts.drop
        )

    @property
    def verdicts(self) -> Verdicts:
        """The verdicts of the hook."""
        return TC_EGRESS if self.program.hook == "egress" else XDP

    @property
    def context(self) -> str:
        """The C type of what the hook is given."""
        return "struct __sk_buff" if self.verdicts.helper else "struct xdp_md"

    @property
    def maps(self) -> str:
        """See `maps.contents`."""
        return contents(self.program, self.containers, self.following.array)

    @property
    def text(self) -> str:
        """The C file."""
        blocks = [self._part(block, n) for block in self.program.blocks for n in range(len(self.parts[block.name]))]
        called = {name for name in FUNCTIONS if any(re.search(rf"\b{name}\(", block) for block in blocks)}
        called |= {"folded"} if called & set(USES_FOLDED) else set()
        functions = [text for name, text in FUNCTIONS.items() if name in called]
        tables = [declaration(c) + "\n" for c in self.containers.values()]
        following = [FOLLOWING] * self.goes_on
        declared = [*tables, *self.following.declarations(self.context), *following]
        later = [self._follower(block, n) for block, n in self.following.programs]
        programs = [self._main(), *later, *self.following.linked()]
        return "\n".join([self._head(), PRELUDE, *declared, *functions, *blocks, *programs])

    def _head(self) -> str:
        hook = "TC egress" if self.verdicts.helper else "XDP"
        ops = ", ".join(op for block in self.program.blocks for op in block.ops)
        return (
            f"/* {comment(self.program.name)}: what the kernel of {comment(self.program.device)} runs at {hook}:"
            f" {comment(ops)}.\n * {role(active=self.active)}\n"
            " * Written by Bertha; changes are lost when it is compiled again.\n */"
        )

    def _given(self, block: Block) -> tuple[tuple[str, str], ...]:
        """Return the C variables that a block's function is given, with their types: pointers to the headers it reads,
        the bytes in front of those it asks for, and the bytes from there to the frame's end.
        """
        nodes = tuple(walk((block.guard, block.body)))
        read = held(block)
        rests = Counter(header for header in map(rest_of, nodes) if header in self.rests)
        asked = set(Counter(n.header for n in nodes if isinstance(n, e.HeaderOffset)) - rests)
        asked |= read if moves(block) or self._is_split(block) else frozenset()
        if self.verdicts.helper:
            asked |= {n.checksum.header for n in nodes if isinstance(n, s.FixChecksum) and n.part != "header"}
        names = [h.name for h in self.program.headers]
        pointers = [(self.headers[n], "unsigned char *") for n in names if n in read]
        offsets = [(self.offsets[n], "__u32 ") for n in names if n in asked]
        return (*pointers, *offsets, *((self.rests[n], "__u64 ") for n in names if n in rests))

    def _is_split(self, block: Block) -> bool:
        return len(self.parts[block.name]) > 1

    def _part(self, block: Block, number: int) -> str:
        """Return the function of a part of a block."""
        given, part = self._given(block), self.parts[block.name][number]
        printer = BlockPrinter(
            self.program, self.containers, self.names, self.verdicts, self.headers, self.offsets, self.rests
        )  # fmt: skip
        ending = None
        if part.after:
            known = frozenset(name for name, _ in given)
            ending = partial(self.following.left, block.name, number, known=known)
        lines = printer.block(part.block, Around(block, not number, self.following.taken(part), ending))
        parameters = [f"{self.context} *{CONTEXT}", "__u32 frame_size", *(kind + name for name, kind in given)]
        parameters += [f"struct {self.following.kept}_value *kept"] * bool(number)
        ops = comment(", ".join(block.ops)) + (f", part {number + 1}" if self._is_split(block) else "")
        head = f"/* {comment(block.name)}: {ops} */\nstatic __always_inline int {self.functions[block.name, number]}("
        return head + _wrapped(parameters) + ")\n{\n" + "\n".join(lines) + "\n}\n"

    def _follower(self, name: str, number: int) -> str:
        """Return the program that runs a part behind the first."""
        block = next(block for block in self.program.blocks if block.name == name)
        given = [name for name, _ in self._given(block)]
        places = self.following.places(self.parts[name][number], frozenset(given))
        taken = f"{self.functions[name, number]}({_wrapped([CONTEXT, 'frame_size', *given, 'kept'])})"
        lines = [
            *self._entry(),
            *(f"\t{line}" for line in (*self.following.found(), *places)),
            f"\tint verdict = {taken};\n",
            *self._handed_on("\t"),
            "\treturn verdict;",
        ]
        section = "tc" if self.verdicts.helper else "xdp"
        head = f'SEC("{section}")\nint {self.following.programs[name, number]}({self.context} *{CONTEXT})\n{{'
        return "\n".join([head, *lines, "}", ""])

    def _handed_on(self, tab: str) -> list[str]:
        """Return the lines that hand what passes to the next program of a row."""
        call = [f"{tab}if (verdict == {self.verdicts.on})", f"{tab}\tbpf_tail_call({CONTEXT}, &{NEXT}, 0);"]
        return call if self.goes_on else []

    def _main(self) -> str:
        """Return the program: it parses as deep as it goes, then offers the frame to the blocks in turn."""
        section = "tc" if self.verdicts.helper else "xdp"
        bounds = Bounds(self.program, Reach.of(self.program))
        lines = [f'SEC("{section}")', f"int {self.name}({self.context} *{CONTEXT})", "{", *self._entry()]
        kept = dict(v for block in self.program.blocks for v in self._given(block))
        lines += [f"\t{kind}{name} = 0;" for name, kind in kept.items()]
        lines.append("\tunsigned char *at = data;")
        if any(name in kept for name in self.offsets.values()):
            lines.append("\t__u32 at_offset = 0;")
        lines += ["\tint verdict;", *self._passed(), ""]
        for state in bounds.reach.order:
            lines += self._state(state, bounds, kept)
        return "\n".join([*lines, "}", ""])

    @property
    def _moves(self) -> bool:
        """Whether some block moves headers."""
        return any(map(moves, self.program.blocks))

    def _passed(self) -> list[str]:
        """Return the declaration of the verdict on what no block takes. Where calls keep registers from holding such
        constants, the compiler would load it anew before each check.
        """
        return [f"\tint passed = {self.verdicts.on};\n", "\tHIDE(passed);"] if self._moves else []

    def _entry(self) -> list[str]:
        load = [
            f"\tunsigned char *data = (unsigned char *)(long){CONTEXT}->data;",
            f"\tunsigned char *end = (unsigned char *)(long){CONTEXT}->data_end;",
        ]
        if not self.verdicts.helper:
            sizes = sum(isinstance(n, e.FrameSize) for n in walk(self.program.blocks))
            hidden = sizes > sum(rest_of(n) in self.rests for n in walk(self.program.blocks))
            return [*load, "\t__u32 frame_size = end - data;\n", *["\tHIDE(frame_size);"] * hidden]
        deepest = literal(sum(h.size for h in self.program.headers), 32)
        wanted = f"frame_size < {deepest} ? frame_size : {deepest}"
        return [
            *load,
            f"\t__u32 frame_size = {CONTEXT}->len;",
            "",
            f"\tif (end - data < ({wanted})) {{",
            f"\t\tbpf_skb_pull_data({CONTEXT}, {wanted});",
            f"\t\tdata = (unsigned char *)(long){CONTEXT}->data;",
            f"\t\tend = (unsigned char *)(long){CONTEXT}->data_end;",
            "\t}",
        ]

    def _state(self, state: ParseState, bounds: Bounds, kept: Mapping[str, str]) -> list[str]:
        reach, header = bounds.reach, self.program.header(state.header)
        name = self.headers[state.header]
        label = [f"parse_{name}:"] if reach.is_target(state.header) else []
        lines = label
        if wanted := bounds.checks[state.header]:
            lines += [f"\tif (at + {wanted} > end) {{", *self._offer(reach.before(state.header), 2), "\t}"]
        offset, counted = self.offsets[state.header], any(o in kept for o in self.offsets.values())
        lines += [f"\t{name} = at;"] * (name in kept) + [f"\t{offset} = at_offset;"] * (offset in kept)
        if (rest := self.rests.get(state.header)) in kept:
            lines += [f"\t{rest} = end - at;", f"\tHIDE({rest});"]
        for transition in state.transitions:
            tests = comparisons("at", [(place_of(self.program, state.header, n), v) for n, v in transition.when])
            skip = [f"at_offset += {header.size};"] * counted
            jump = [f"at += {header.size};", *skip, f"goto parse_{self.headers[transition.to]};"]
            if not tests:
                return [*lines, *(f"\t{line}" for line in jump)]
            lines += [f"\tif ({' && '.join(tests)}) {{", *(f"\t\t{line}" for line in jump), "\t}"]
        return [*lines, *self._offer(reach.upto(state.header), 1)]

    def _offer(self, parsed: frozenset[str], depth: int) -> list[str]:
        """Return the lines that offer a frame whose parsed headers include `parsed` to the blocks that need no more."""
        tab = "\t" * depth
        lines = []
        for block in self.program.blocks:
            if set(block.needs) <= parsed:
                given = _wrapped([CONTEXT, "frame_size", *(name for name, _ in self._given(block))])
                lines.append(f"{tab}verdict = {self.functions[block.name, 0]}({given});")
                lines += self._handed_on(tab)
                lines.append(f"{tab}if (verdict != NOT_TAKEN)")
                lines.append(f"{tab}\treturn verdict;")
        return [*lines, f"{tab}return {'passed' if self._moves else self.verdicts.on};"]


def _wrapped(items: list[str]) -> str:
    """Return items separated by commas, in lines of about 80 columns."""
    lines = [items[0]]
    for item in items[1:]:
        if len(lines[-1]) + len(item) > LINE:
            lines[-1] += ","
            lines.append("\t\t" + item)
        else:
            lines[-1] += f", {item}"
    return "\n".join(lines)
