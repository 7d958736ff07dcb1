"""Prints what puts a header into a frame at XDP, or takes one out: what is in front of it is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.words import c_type
from bertha_ir.backends.printing import bare
from bertha_ir.backends.reach import Reach
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.backends.ebpf.words import Words
    from bertha_ir.program import Block, DeviceProgram

ROOM = 128  # bytes that a block may put in front of a frame: XDP_PACKET_HEADROOM is 256, of which the kernel uses some
WHOLE = (8, 4, 2, 1)
# The words may be of any type, and the compiler is not to take a field for another than the one that was moved there.
MOVES = {
    f"{verb}_{size}": f"""static __always_inline void {verb}_{size}({parameters})
{{
	typedef __u{8 * size} __attribute__((may_alias)) word;

	*(word *)to = {value};
}}
"""
    for size in WHOLE
    for verb, parameters, value in (
        ("move", "unsigned char *to, const unsigned char *from", "*(const word *)from"),
        ("clear", "unsigned char *to", "0"),
    )
}


def moves(block: Block) -> bool:
    """Whether a block pushes or pops a header."""
    return any(isinstance(n, s.Push | s.Pop) for n in walk(block.body))


def held(block: Block) -> frozenset[str]:
    """Return the headers to which a block needs pointers."""
    nodes = tuple(walk((block.guard, block.body)))
    moved = (n for n in nodes if isinstance(n, s.Push | s.Pop))
    read = {n.header for n in nodes if isinstance(n, e.Field | e.Parsed)}
    return frozenset(read | {name for n in moved for name in (n.header, n.behind) if name is not None})


@define
class Mover:
    """Prints the moves of one block. A frame that cannot be moved is dropped, by the verdict `drop`."""

    block: Block
    words: Words
    drop: str

    @property
    def program(self) -> DeviceProgram:
        """The block's program."""
        return self.words.program

    def declare(self) -> None:
        """Print the declarations of what is read anew behind each move."""
        self.words.say("unsigned char *data, *end;")

    def push(self, header: str, behind: str) -> None:
        """Make room behind a header, and fill it with zeros."""
        size = self.program.header(header).size
        self._adjust(-size)
        self._shift(behind, size, lambda front: [(at, f"data + {at}", f"data + {at + size}") for at in _pieces(front)])
        self.words.say(f"frame_size += {size};")
        self._relay(header, behind, size)
        name, at = self.words.headers[header], self.words.offsets[header]
        self.words.say(f"{at} = {self.words.offsets[behind]} + {self.program.header(behind).size};")
        self.words.say(f"{name} = data + {at};")
        for piece, width in _pieces(size).items():
            self.words.say(f"clear_{width}({name} + {piece});")
        self._forget(header)

    def pop(self, header: str, behind: str) -> None:
        """Keep what is read of a header, and close the gap that it leaves."""
        size, start = self.program.header(header).size, self.program.header(behind).size
        self._ends()
        name = self.words.headers[header]
        self.words.say(f"{name} = data + {self.words.offsets[behind]} + {start};")
        self.words.say(f"if ({name} + {size} > end)")
        self.words.say(f"\treturn {self.drop};")
        self._forget(header)
        read = {n.name: n for n in walk(self.block.body) if isinstance(n, e.Field) and n.header == header}
        kept = {n: self.words.fresh(f"{header}_{n}") for n in read}
        for field, variable in kept.items():
            self.words.say(f"{c_type(read[field].type)} {variable} = {bare(self.words.field(header, field))};")
        self.words.taken.update({(header, field): variable for field, variable in kept.items()})
        self._shift(
            behind, size, lambda front: [(at, f"data + {at + size}", f"data + {at}") for at in reversed(_pieces(front))]
        )
        self._adjust(size)
        self.words.say(f"frame_size -= {size};")
        self.words.say(f"if (data + {self.words.offsets[behind]} + {start} > end)")
        self.words.say(f"\treturn {self.drop};")
        self._relay(header, behind, -size)

    def _forget(self, header: str) -> None:
        """Let a header's fields be those that lie in the frame."""
        for key in [key for key in self.words.taken if key[0] == header]:
            del self.words.taken[key]

    def _adjust(self, by: int) -> None:
        """Move the frame's start. One that has no room for it is dropped."""
        self.words.say(f"if (bpf_xdp_adjust_head(ctx, {by}))")
        self.words.say(f"\treturn {self.drop};")
        self._ends()

    def _ends(self) -> None:
        self.words.say("data = (unsigned char *)(long)ctx->data;")
        self.words.say("end = (unsigned char *)(long)ctx->data_end;")

    def _shift(self, behind: str, size: int, made: Callable[[int], list[tuple[int, str, str]]]) -> None:
        """Print the moves of what is in front: as long as one of the ways to the header is."""
        for number, start in enumerate(starts(self.program, behind)):
            front = start + self.program.header(behind).size
            test = f"if ({self.words.offsets[behind]} == {start} && data + {front + size} <= end) {{"
            self.words.say(f"}} else {test}" if number else test)
            for at, to, source in made(front):
                self.words.say(f"\tmove_{_pieces(front)[at]}({to}, {source});")
        self.words.say("} else {")
        self.words.say(f"\treturn {self.drop};")
        self.words.say("}")

    def _relay(self, header: str, behind: str, by: int) -> None:
        """Print where the block's headers lie now."""
        front = Reach.of(self.program).possible[behind]
        for other in (h.name for h in self.program.headers if h.name in held(self.block)):
            name, at = self.words.headers[other], self.words.offsets[other]
            if other in front:
                self.words.say(f"{name} = data + {at};")
            elif other != header:
                self.words.say(f"if ({at}) {{")
                self.words.say(f"\t{at} {'+' if by > 0 else '-'}= {abs(by)};")
                self.words.say(f"\t{name} = data + {at};")
                self.words.say(f"\tif ({name} + {self.program.header(other).size} > end)")
                self.words.say(f"\t\treturn {self.drop};")
                self.words.say("}")


def starts(program: DeviceProgram, header: str) -> tuple[int, ...]:
    """Return every number of bytes that may lie in front of a parsed header, least first."""
    found: dict[str, set[int]] = {}
    order = Reach.of(program).order
    for number, state in enumerate(order):
        at = found.setdefault(state.header, set())
        at |= {0} if number == 0 else set()
        for transition in state.transitions:
            size = program.header(state.header).size
            found.setdefault(transition.to, set()).update(start + size for start in at)
    return tuple(sorted(found[header]))


def _pieces(size: int) -> dict[int, int]:
    """Cut bytes into whole words: where each begins, and its size."""
    found, at = {}, 0
    while at < size:
        width = next(w for w in WHOLE if at + w <= size)
        found[at] = width
        at += width
    return found
