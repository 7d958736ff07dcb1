"""Prints how the parts of a program run one behind another: each leaves what the next must know in a map of which every
processor has its own, and calls it by a tail call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir.backends.ebpf.moves import ROOM
from bertha_ir.backends.ebpf.sums import CONTEXT
from bertha_ir.backends.ebpf.words import c_type
from bertha_ir.backends.reach import Reach
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.backends.ebpf.names import CNames
    from bertha_ir.backends.ebpf.split import Part
    from bertha_ir.program import DeviceProgram


@define
class Following:
    """The parts behind the first, of all blocks of a program. `headers` and `offsets` are the C variables of headers
    and of the bytes in front of them; `drop` is the verdict on a frame that a part cannot go on with.
    """

    program: DeviceProgram
    parts: Mapping[str, tuple[Part, ...]]
    names: CNames
    headers: Mapping[str, str]
    offsets: Mapping[str, str]
    name: str
    drop: str
    kept: str = ""
    array: str = ""
    programs: dict[tuple[str, int], str] = Factory(dict)
    locals: dict[str, int] = Factory(dict)

    def __attrs_post_init__(self) -> None:
        keys = [(block, n) for block, parts in self.parts.items() for n in range(1, len(parts))]
        if keys:
            self.kept, self.array = (self.names.fresh(f"{self.name}_{word}") for word in ("kept", "parts"))
        self.programs = {key: self.names.fresh(f"{self.name}_{number}") for number, key in enumerate(keys, 2)}
        crossing = (local.name for parts in self.parts.values() for part in parts for local in part.left)
        self.locals = {name: number for number, name in enumerate(dict.fromkeys(crossing))}

    def declarations(self, context: str) -> list[str]:
        """Return the C declarations of what is kept, and of the programs that are called."""
        if not self.programs:
            return []
        count, widest = len(self.program.headers), max(header.size for header in self.program.headers)
        members = f"{f' __u64 local[{len(self.locals)}];' if self.locals else ''} __u32 at[{count}];"
        return [
            f"""/* What a part of the program leaves for the next: locals, and where headers lie. */
struct {self.kept}_value {{{members} __u8 none[{widest}]; }};
struct {{
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct {self.kept}_value);
}} {self.kept} SEC(".maps");
""",
            f"""/* The parts that follow: all in one would be too much for the verifier. */
struct {self.array}_type {{
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, {len(self.programs)});
	__uint(key_size, sizeof(__u32));
	__array(values, int ({context} *));
}};
extern struct {self.array}_type {self.array};
""",
        ]

    def linked(self) -> list[str]:
        """Return what a loader fills the map of the parts by. It stands behind them: what is referred to before would
        come first in the object, where loaders expect the program that is to be attached.
        """
        values = "\n".join(f"\t\t[{n}] = (void *)&{program}," for n, program in enumerate(self.programs.values()))
        text = f'struct {self.array}_type {self.array} SEC(".maps") = {{\n\t.values = {{\n{values}\n\t}},\n}};\n'
        return [text] if self.programs else []

    def found(self) -> list[str]:
        """Return the lines that find what is kept."""
        return [
            "__u32 first = 0;",
            f"struct {self.kept}_value *kept = bpf_map_lookup_elem(&{self.kept}, &first);",
            "if (!kept)",
            f"\treturn {self.drop};",
        ]

    def taken(self, part: Part) -> dict[str, tuple[str, str]]:
        """Return for each local that a part is given its C type and value."""
        return {x.name: (c_type(x.type), f"kept->local[{self.locals[x.name]}]") for x in part.given}

    def left(self, block: str, number: int, variables: Mapping[str, str], known: frozenset[str]) -> list[str]:
        """Return the lines that end a part that is not the last of its block: `variables` are the locals, `known` the
        C variables that it has.
        """
        slot = list(self.programs).index((block, number + 1))
        part = self.parts[block][number]
        return [
            *([] if number else self.found()),
            *(f"kept->local[{self.locals[x.name]}] = {variables[x.name]};" for x in part.left),
            *(
                f"kept->at[{n}] = {self.offsets[h.name]};"
                for n, h in enumerate(self.program.headers)
                if self.offsets[h.name] in known
            ),
            f"bpf_tail_call({CONTEXT}, &{self.array}, {slot});",
            f"return {self.drop};",
        ]

    def places(self, part: Part, known: frozenset[str]) -> list[str]:
        """Return the lines that find the headers again."""
        parsed = Reach.of(self.program).parsed
        certain = frozenset[str]().union(part.certain, *(parsed[h] for h in part.block.needs)) - part.gone
        asked = {n.header for n in walk(part.block.body) if isinstance(n, e.Parsed)}
        lines: list[str] = []
        for number, header in enumerate(self.program.headers):
            name, at = self.headers[header.name], self.offsets[header.name]
            if at in known:
                lines.append(f"__u32 {at} = {0 if header.name in part.gone else f'kept->at[{number}] & {self._mask}'};")
            if name in known and header.name in certain:
                lines += self._certain(name, at, header.size)
            elif name in known:
                lines += self._uncertain(name, at, header.size, "0" if header.name in asked else "kept->none")
        return lines

    def _certain(self, name: str, at: str, size: int) -> list[str]:
        """Return the lines that find a header that is there."""
        return [
            f"unsigned char *{name} = data + {at};",
            f"if ({name} + {size} > end)",
            f"\treturn {self.drop};",
        ]

    def _uncertain(self, name: str, at: str, size: int, without: str) -> list[str]:
        """Return the lines that find a header that may be there. Where a local says if it is, the verifier does not
        know that, and something is to be there `without` it.
        """
        return [
            f"unsigned char *{name} = {without};",
            f"if ({at} && data + {at} + {size} <= end)",
            f"\t{name} = data + {at};",
        ]

    @property
    def _mask(self) -> int:
        """The bits that any number of bytes in front of a header has room in: the verifier is shown that it has."""
        return (1 << (sum(header.size for header in self.program.headers) + ROOM).bit_length()) - 1
