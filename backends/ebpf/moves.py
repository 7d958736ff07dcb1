"""Prints what puts a header into a frame at XDP, or takes one out: what is in front of it is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.ebpf.words import c_type, literal, ordered
from bertha_ir.backends.printing import bare
from bertha_ir.backends.reach import Reach
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.backends.ebpf.pushes import Pushes
    from bertha_ir.backends.ebpf.words import Words
    from bertha_ir.program import Block, DeviceProgram

ROOM = 128  # bytes that a block may put in front of a frame: XDP_PACKET_HEADROOM is 256, of which the kernel uses some
WORDS = (8, 4, 2, 1)
# The words may be of any type, and the compiler is not to take a field for another than the one that was moved there.
MOVES = {
    f"{verb}_{size}": f"""static __always_inline void {verb}_{size}({parameters})
{{
	typedef __u{8 * size} __attribute__((may_alias)) word;

	*(word *)to = {value};
}}
"""
    for size in WORDS
    for verb, parameters, value in (
        ("move", "unsigned char *to, const unsigned char *from", "*(const word *)from"),
        ("fill", f"unsigned char *to, __u{8 * size} with", "with"),
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
    """Prints the moves of one block. A frame that cannot be moved is dropped, by the verdict `drop`. `exact`: the
    verifier knows where headers lie, as they were parsed here.
    """

    block: Block
    words: Words
    drop: str
    exact: bool = True

    @property
    def program(self) -> DeviceProgram:
        """The block's program."""
        return self.words.program

    def declare(self) -> None:
        """Print the declarations of what is read anew behind each move."""
        self.words.say("unsigned char *data, *end;")

    def push(self, pushes: Pushes) -> None:
        """Make room behind a header, and fill it."""
        size, behind = len(pushes.image), pushes.behind
        self._adjust(-size)
        self._shift(behind, -size)
        self.words.say(f"frame_size += {size};")
        self._relay(pushes.headers, behind, size)
        start, at = self.words.offsets[behind], self.program.header(behind).size
        for header in pushes.headers:
            self.words.say(f"{self.words.offsets[header]} = {start} + {at};")
            self.words.say(f"{self.words.headers[header]} = data + {self.words.offsets[header]};")
            self._forget(header)
            at += self.program.header(header).size
        first = self.words.headers[pushes.headers[0]]
        for piece, width in _pieces(size).items():
            value = int.from_bytes(pushes.image[piece : piece + width], "big")
            self.words.say(f"fill_{width}({first} + {piece}, {ordered(literal(value, 8 * width), width)});")

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
        self._shift(behind, size)
        self._adjust(size)
        self.words.say(f"frame_size -= {size};")
        self.words.say(f"if (data + {self.words.offsets[behind]} + {start} > end)")
        self.words.say(f"\treturn {self.drop};")
        self._relay((header,), behind, -size)

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

    def _shift(self, behind: str, by: int) -> None:
        """Print the moves of what is in front by some bytes, to the end of the frame if they are more than 0. Where
        ways to the header differ by less than a word, its last word moves apart from those in front.
        """
        start, last = self.words.offsets[behind], self.program.header(behind).size
        fronts = [at + last for at in starts(self.program, behind)]
        words = _shared(fronts, abs(by)) if self.exact else None
        if words is not None:
            self.words.say(f"if (data + {start} + {last + abs(by)} > end)")
            self.words.say(f"\treturn {self.drop};")
            moved = [("data", at, WORDS[0]) for at in range(0, words, WORDS[0])]
            self._moves([*moved, (f"data + {start}", last - WORDS[0], WORDS[0])], by)
            return
        for number, front in enumerate(fronts):
            test = f"if ({start} == {front - last} && data + {front + abs(by)} <= end) {{"
            self.words.say(f"}} else {test}" if number else test)
            self._moves([("data", at, width) for at, width in _pieces(front).items()], by, "\t")
        self.words.say("} else {")
        self.words.say(f"\treturn {self.drop};")
        self.words.say("}")

    def _moves(self, pieces: list[tuple[str, int, int]], by: int, indent: str = "") -> None:
        """Print the moves of pieces by some bytes, in an order in which none is overwritten before it is read."""
        for base, at, width in pieces if by < 0 else reversed(pieces):
            to, source = (at, at - by) if by < 0 else (at + by, at)
            self.words.say(f"{indent}move_{width}({base} + {to}, {base} + {source});")

    def _relay(self, headers: tuple[str, ...], behind: str, by: int) -> None:
        """Print where the block's other headers lie now."""
        front = Reach.of(self.program).possible[behind]
        for other in (h.name for h in self.program.headers if h.name in held(self.block)):
            name, at = self.words.headers[other], self.words.offsets[other]
            if other in front:
                self.words.say(f"{name} = data + {at};")
                if not self.exact:
                    self.words.say(f"if ({name} + {self.program.header(other).size} > end)")
                    self.words.say(f"\treturn {self.drop};")
            elif other not in headers:
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


def _shared(fronts: list[int], by: int) -> int | None:
    """Return how many bytes, whole words, to move of each front of so many bytes before its last word, which may
    overlap them, moves as well; None where there is no such number.
    """
    size = -(-(fronts[-1] - WORDS[0]) // WORDS[0]) * WORDS[0]
    fits = size <= fronts[0] and size <= fronts[0] - WORDS[0] + by
    return size if fits else None


def _pieces(size: int) -> dict[int, int]:
    """Cut bytes into whole words: where each begins, and its size."""
    found, at = {}, 0
    while at < size:
        width = next(w for w in WORDS if at + w <= size)
        found[at] = width
        at += width
    return found
