"""Prints expressions as C. Every value of at most 32 bits is a `__u32`, every wider one a `__u64`, always in range, so
that C's promotions never change a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir.backends.printing import bare, place_of
from bertha_ir.types import Bits, Bool, Bytes, bit_width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.program import DeviceProgram
    from bertha_ir.types import Type

REGISTER = 64
WHOLE = (1, 2, 4, 8)  # bytes that one access reads or writes
_TO_NETWORK = {2: "bpf_htons", 4: "bpf_htonl", 8: "bpf_cpu_to_be64"}
_FROM_NETWORK = {2: "bpf_ntohs", 4: "bpf_ntohl", 8: "bpf_be64_to_cpu"}
LONGEST = 64  # characters of an operand
LOGIC = {"and": "&&", "or": "||"}


def width_of(type_: Type) -> int:
    """Return the bits of a word's type."""
    width = bit_width(type_)
    assert width is not None  # noqa: S101  INVARIANT: validated
    return width


def c_type(type_: Type) -> str:
    """Return the C type that values of a word's type are computed in."""
    return "__u32" if width_of(type_) <= 32 else "__u64"  # noqa: PLR2004  (a half register)


def literal(value: int, width: int) -> str:
    """Return a C literal of the type that values of this width are computed in."""
    suffix = "U" if width <= 32 else "ULL"  # noqa: PLR2004  (a half register)
    return f"{value}{suffix}" if value < 1 << 16 else f"{value:#x}{suffix}"


def masked(text: str, width: int) -> str:
    """Return `text` cut to its low bits, where the C type is wider."""
    return text if width in (32, 64) else f"({text} & {literal((1 << width) - 1, width)})"


def raw(base: str, offset: int, size: int) -> str:
    """Return the `size` bytes (see `WHOLE`) at a byte offset, as they lie there."""
    return f"*({base} + {offset})" if size == 1 else f"*(__be{8 * size} *)({base} + {offset})"


def ordered(text: str, size: int) -> str:
    """Return a value of `size` bytes (see `WHOLE`) as it lies in a packet."""
    return text if size == 1 else f"{_TO_NETWORK[size]}({text})"


def load(base: str, offset: int, size: int) -> str:
    """Return the big-endian integer of `size` bytes (1 to 8) at a byte offset."""
    if size in WHOLE:
        value = raw(base, offset, size)
        value = value if size == 1 else f"{_FROM_NETWORK[size]}({value})"
        return f"(__u32){value}" if size <= 2 else value  # noqa: PLR2004  (less than C's promotion)
    first = 1 << (size.bit_length() - 1)
    rest = 8 * (size - first)
    kind = "__u32" if size <= 4 else "__u64"  # noqa: PLR2004  (a half register)
    return f"(({kind}){load(base, offset, first)} << {rest} | {load(base, offset + first, size - first)})"


def stores(base: str, offset: int, size: int, value: str) -> list[str]:
    """Return the statements that write an integer as `size` big-endian bytes."""
    if size in WHOLE:
        return [f"{raw(base, offset, size)} = {ordered(value, size)};"]
    first = 1 << (size.bit_length() - 1)
    rest = 8 * (size - first)
    return [
        *stores(base, offset, first, f"({value} >> {rest})"),
        *stores(base, offset + first, size - first, f"({value} & {literal((1 << rest) - 1, 8 * size)})"),
    ]


class Bytewise(NamedTuple):
    """Where the bytes of a field lie."""

    base: str
    first: int
    size: int


@define
class Words:
    """Prints expressions of one block. `say` takes statements that must run before what is being printed; `headers`
    are the C pointers of the headers, `offsets` the C variables with the bytes in front of them, `rests` those with the
    bytes from their start to the frame's end, `copied` those that are copies of fields, as long as the fields stay so,
    `taken` those with fields of headers that were popped.
    """

    program: DeviceProgram
    headers: Mapping[str, str]
    offsets: Mapping[str, str]
    rests: Mapping[str, str]
    locals: Mapping[str, str]
    frame_size: str
    say: Callable[[str], None]
    fresh: Callable[[str], str]
    copied: dict[str, Bytewise | None] = Factory(dict)
    taken: dict[tuple[str, str], str] = Factory(dict)

    def text(self, node: e.Expr) -> str:  # noqa: C901, PLR0911, PLR0912  (one row a node)
        """Return the C expression of equal value."""
        match node:
            case e.Const(bool(value)):
                return "1" if value else "0"
            case e.Const(bytes(value)):
                return literal(int.from_bytes(value, "big"), 8 * len(value))
            case e.Const(int(value)):
                return literal(value, width_of(node.type))
            case e.Local(name):
                return self.locals[name]
            case e.Field(header, name):
                return self.field(header, name)
            case e.Unary(op, of):
                return self._unary(op, of)
            case e.Binary():
                return self._binary(node)
            case e.Cast(of, type_):
                return self._cast(of, type_)
            case e.Choose(condition, yes, no):
                return f"({self.text(condition)} ? {self.text(yes)} : {self.text(no)})"
            case e.Size(of):
                return literal(width_of(of.type) // 8, 32)
            case e.FrameSize():
                return self.frame_size
            case e.HeaderOffset(header):
                return self.offsets[header]
            case e.Parsed(header):
                return f"({self.headers[header]} != 0)"
            case e.Call("now"):
                return "bpf_ktime_get_ns()"
            case e.Call("random"):
                return "bpf_get_prandom_u32()"
        msg = f"{node} was not refused"
        raise TypeError(msg)

    def field(self, header: str, name: str) -> str:
        """Return the value of a header's field."""
        if (header, name) in self.taken:
            return self.taken[header, name]
        first, size, shift, width = place_of(self.program, header, name)
        value = load(self.headers[header], first, size)
        if shift == 0 and width == 8 * size:
            return value
        moved = f"({value} >> {shift})" if shift else value
        return moved if shift + width == 8 * size else f"({moved} & {literal((1 << width) - 1, 8 * size)})"

    def copy(self, variable: str, field: e.Field) -> None:
        """Know that a variable is a copy of a field, until `copied` is cleared."""
        self.copied[variable] = self._bytes(field)

    def _bytes(self, field: e.Field) -> Bytewise | None:
        """Return where a field lies, if it is whole bytes of a packet."""
        if (field.header, field.name) in self.taken:
            return None
        place = place_of(self.program, field.header, field.name)
        whole = (place.shift, place.width) == (0, 8 * place.size)
        return Bytewise(self.headers[field.header], place.first, place.size) if whole else None

    def _byte(self, node: e.Expr) -> str | None:
        """Return the lowest byte of an expression, if it is one of a field: it is read from there."""
        shift = 0
        match node:
            case e.Binary(">>", shifted, e.Const(int(by))) if by % 8 == 0:
                node, shift = shifted, by // 8
        match node:
            case e.Local(name):
                whole = self.copied.get(self.locals[name])
            case e.Field():
                whole = self._bytes(node)
            case _:
                whole = None
        if whole is None or shift >= whole.size:
            return None
        return load(whole.base, whole.first + whole.size - 1 - shift, 1)

    def network(self, node: e.Expr) -> str:
        """Return the value of 16 or 32 bits as it lies in a packet."""
        size = width_of(node.type) // 8
        whole = self._bytes(node) if isinstance(node, e.Field) else None
        if whole and whole.size == size:
            return raw(whole.base, whole.first, size)
        return ordered(bare(self.text(node)), size)

    def _unary(self, op: str, of: e.Expr) -> str:
        inner = self.text(of)
        return f"!{inner}" if op == "not" else masked(f"({op}{inner})", width_of(of.type))

    def _binary(self, node: e.Binary) -> str:
        if _is_zero(node):
            return literal(0, width_of(node.type))
        if rest_of(node) in self.rests:
            return f"(__u32){self._compared(node)}"
        if node.op in e.ORDER:
            return f"({self._compared(node.left)} {node.op} {self._compared(node.right)})"
        left, right = self._short(node.left), self._short(node.right)
        if node.op in e.SHIFTS:
            return self._shift(node, left, right)
        if node.op in {"/", "%"}:
            return self._divide(node, left, right)
        text = f"({left} {LOGIC.get(node.op, node.op)} {right})"
        wraps = node.op in {"+", "-", "*"}
        return masked(text, width_of(node.type)) if wraps else text

    def _compared(self, node: e.Expr) -> str:
        """Return the C expression of an operand, which may be of a wider type."""
        header = rest_of(node)
        if header is not None and header in self.rests:
            return self.rests[header]
        return self._short(node)

    def _shift(self, node: e.Binary, left: str, right: str) -> str:
        width = width_of(node.type)
        if not isinstance(node.right, e.Const):
            right = self._bind(right, node.right)
        shifted = f"({left} {node.op} {right})"
        shifted = masked(shifted, width) if node.op == "<<" else shifted
        return shifted if isinstance(node.right, e.Const) else f"({right} < {width} ? {shifted} : 0)"

    def _divide(self, node: e.Binary, left: str, right: str) -> str:
        if isinstance(node.right, e.Const):
            return f"({left} {node.op} {right})" if node.right.value else left
        left, right = self._bind(left, node.left), self._bind(right, node.right)
        return f"({right} ? {left} {node.op} {right} : {'0' if node.op == '/' else left})"

    def _cast(self, of: e.Expr, type_: Type) -> str:
        if width_of(type_) == 8 and (byte := self._byte(of)):  # noqa: PLR2004  (bits of a byte)
            return byte
        inner, old, new = self.text(of), width_of(of.type), width_of(type_)
        if new >= old:
            return f"(__u64){inner}" if old <= 32 < new else inner  # noqa: PLR2004  (a half register)
        if new in (8, 16):
            return f"(__u32)(__u{new}){inner}"
        cut = inner if new == 32 else f"({inner} & {literal((1 << new) - 1, old)})"  # noqa: PLR2004
        return f"({c_type(type_)}){cut}"

    def once(self, node: e.Expr) -> str:
        """Return a constant or a variable with the value, for uses that want it more than once."""
        return self._bind(self.text(node), node)

    def _short(self, node: e.Expr) -> str:
        """Return the C expression of an operand; a long one is computed in a statement of its own."""
        text = self.text(node)
        return self._bind(text, node) if len(text) > LONGEST else text

    def _bind(self, text: str, node: e.Expr) -> str:
        """Compute a value once, where it is used twice."""
        if isinstance(node, e.Const | e.Local):
            return text
        name = self.fresh("step")
        self.say(f"{c_type(node.type)} {name} = {text};")
        return name


def rest_of(node: object) -> str | None:
    """Return the header from whose start to the frame's end a node says the bytes; None for other nodes."""
    match node:
        case e.Binary("-", e.FrameSize(), e.HeaderOffset(header)):
            return header
    return None


def _is_zero(node: e.Binary) -> bool:
    """Whether a shift by too much, or a division by zero, makes the value zero whatever the left operand is."""
    if not isinstance(node.right, e.Const) or not isinstance(node.right.value, int):
        return False
    return node.right.value >= width_of(node.type) if node.op in e.SHIFTS else node.op == "/" and not node.right.value


def is_word(type_: Type) -> bool:
    """Whether values of a type fit a register."""
    match type_:
        case Bool():
            return True
        case Bits(width):
            return width <= REGISTER
        case Bytes(size):
            return size is not None and 8 * size <= REGISTER
        case _:
            return False
