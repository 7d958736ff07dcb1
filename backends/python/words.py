"""Prints expressions as Python. Integers are masked where an operation can leave their width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir.backends.printing import bare, place_of
from bertha_ir.backends.python import inline
from bertha_ir.backends.python.payload import Payload, as_bytes
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.program import ADDRESS
from bertha_ir.types import Bits, Bytes, bit_width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.backends.python.inline import Cut
    from bertha_ir.backends.python.payload import Pieces
    from bertha_ir.backends.python.records import Record
    from bertha_ir.program import DeviceProgram

LONGEST = 80  # characters of an operand
STRUCTS = {2: "U16", 4: "U32", 8: "U64"}


@define
class View:
    """Where a header's bytes are: a Python variable with them, and one with the header's offset in them."""

    data: str
    at: str

    def plus(self, offset: int) -> str:
        """Return the Python expression of an offset in the header."""
        if self.at.isdigit():
            return str(int(self.at) + offset)
        return f"{self.at} + {offset}" if offset else self.at


@define
class Words:
    """Prints expressions of one program. `say` takes statements that must run before what is being printed; `records`
    are the messages' classes.
    """

    program: DeviceProgram
    views: Mapping[str, View]
    locals: Mapping[str, str]
    say: Callable[[str], None]
    fresh: Callable[[str], str]
    payload: Payload = Factory(lambda self: Payload("data", self.say), takes_self=True)
    records: Mapping[str, Record] = Factory(dict)

    def text(self, node: e.Expr) -> str:  # noqa: C901, PLR0911, PLR0912  (one row a node)
        """Return the Python expression of equal value."""
        match node:
            case e.Const(value):
                return repr(value) if not isinstance(value, int) or value < 1 << 16 else hex(value)
            case e.Local(name):
                return self.locals[name]
            case e.Secret(name):
                return f"SECRETS[{name!r}]"
            case e.Payload():
                return self.payload.text()
            case e.Value():
                return "value"
            case e.Field(header, name):
                return self.text_of(header, name)
            case e.Unary(op, of):
                return self._unary(op, of)
            case e.Binary():
                return self._binary(node)
            case e.Cast(of):
                return self._cast(of, node)
            case e.Choose(condition, yes, no):
                return f"({self.text(yes)} if {self.text(condition)} else {self.text(no)})"
            case e.Size(e.Payload()):
                return self.payload.size()
            case e.Size(of):
                return f"len({bare(self.text(of))})"
            case e.FrameSize():
                return "size"
            case e.HeaderOffset(header):
                return self.views[header].at
            case e.Parsed(header):
                return f"({self.present(header)})"
            case e.Call():
                return self._call(node)
        msg = f"{node} was not refused"
        raise TypeError(msg)

    def present(self, header: str) -> str:
        """Return the condition that a header was parsed; the first is if there is room for it."""
        at = self.views[header].at
        return f"size >= {self.program.header(header).size}" if at == "0" else f"{at} >= 0"

    def text_of(self, header: str, name: str) -> str:
        """Return the value of a header's field."""
        if header == ADDRESS:
            return name
        first, size, shift, width = place_of(self.program, header, name)
        view = self.views[header]
        if isinstance(self.program.header(header).field(name).type, Bytes):
            return as_bytes(f"{view.data}[{view.plus(first)}:{view.plus(first + size)}]")
        if size == 1:
            value = f"{view.data}[{view.plus(first)}]"
        elif size in STRUCTS:
            value = f"{STRUCTS[size]}.unpack_from({view.data}, {view.plus(first)})[0]"
        else:
            value = f'int.from_bytes({view.data}[{view.plus(first)}:{view.plus(first + size)}], "big")'
        value = f"({value} >> {shift})" if shift else value
        return f"({value} & {hex((1 << width) - 1)})" if shift + width < 8 * size else value

    def _unary(self, op: str, of: e.Expr) -> str:
        inner = self.text(of)
        return f"(not {inner})" if op == "not" else f"({op}{inner} & {_mask(of)})"

    def _binary(self, node: e.Binary) -> str:
        if node.op in e.EQUALITY and (text := self._same_bytes(node)):
            return text
        left, right = self._short(node.left), self._short(node.right)
        if node.op in e.SHIFTS:
            return self._shift(node, left, right)
        if node.op in {"/", "%"}:
            return self._divide(node, left, right)
        text = f"({left} {node.op} {right})"
        return f"({text} & {_mask(node)})" if node.op in {"+", "-", "*"} else text

    def _same_bytes(self, node: e.Binary) -> str | None:
        """Return the comparison of a field with a constant as one of bytes, where that spares an integer."""
        match node.left, node.right:
            case e.Field(header, name), e.Const(int(value)) if header != ADDRESS:
                first, size, _, width = place_of(self.program, header, name)
                if width == 8 * size and size > 1 and size not in STRUCTS:
                    view, wanted = self.views[header], value.to_bytes(size, "big")
                    return f"({view.data}[{view.plus(first)}:{view.plus(first + size)}] {node.op} {wanted!r})"
        return None

    def _shift(self, node: e.Binary, left: str, right: str) -> str:
        width = bit_width(node.type) or 0
        if isinstance(node.right, e.Const):
            if int(node.right.value) >= width:  # type: ignore[arg-type]  # a word
                return "0"
            return f"(({left} << {right}) & {_mask(node)})" if node.op == "<<" else f"({left} >> {right})"
        right = self.once(right, node.right)
        shifted = f"({left} << {right}) & {_mask(node)}" if node.op == "<<" else f"{left} >> {right}"
        return f"(({shifted}) if {right} < {width} else 0)"

    def _divide(self, node: e.Binary, left: str, right: str) -> str:
        op = "//" if node.op == "/" else "%"
        if isinstance(node.right, e.Const) and node.right.value:
            return f"({left} {op} {right})"
        left, right = self.once(left, node.left), self.once(right, node.right)
        return f"({left} {op} {right} if {right} else {'0' if node.op == '/' else left})"

    def _cast(self, of: e.Expr, node: e.Cast) -> str:
        inner = self.text(of)
        match of.type, node.type:
            case Bytes(), Bits():
                return f'int.from_bytes({inner}, "big")'
            case Bits(), Bytes(size):
                return to_bytes(inner, size or 0)
            case Bits(), Bits(new) if new < width_of(of):
                return f"({inner} & {_mask(node)})"
            case _:
                return inner

    def _call(self, node: e.Call) -> str:
        primitive = PRIMITIVES[node.primitive]
        if node.primitive == "pack":
            return f"({inline.pieces_of(self, node).text})"
        arguments = [bare(self.text(a)) for a in node.arguments]
        if "any" in primitive.arguments:
            (key,) = node.arguments
            if isinstance(key.type, Bits):
                arguments = [to_bytes(self.text(key), (key.type.width + 7) // 8)]
        return f"primitives.{node.primitive}({', '.join(arguments)})"

    def packed(self, record: e.Expr) -> Pieces:
        """Return the bytes of a record in parts, and say what its fields must hold."""
        made = self.records[record.type.message]  # type: ignore[union-attr]  # a record
        for line in made.checks():
            self.say(line)
        return made.packed()

    def unpacked(self, node: e.Call, name: str, front: int) -> Cut:
        """Return how a record is taken from a variable, where it begins at byte `front`."""
        return self.records[node.type.message].unpacked(name, front)  # type: ignore[union-attr]  # a record

    def held(self, node: e.Expr) -> tuple[str, int]:
        """Return the variable that holds a byte string, and where in it that begins."""
        if isinstance(node, e.Payload):
            self.payload.join()
            return self.payload.name, self.payload.front
        return self.once(self.text(node), node), 0

    def _short(self, node: e.Expr) -> str:
        """Return an operand; a long one is computed in a statement of its own."""
        text = self.text(node)
        return self.once(text, node) if len(text) > LONGEST else text

    def once(self, text: str, node: e.Expr) -> str:
        """Return a name or a constant of an expression's value, computed by a statement if need be."""
        if isinstance(node, e.Const | e.Local):
            return text
        name = self.fresh("step")
        self.say(f"{name} = {bare(text)}")
        return name


def width_of(node: e.Expr) -> int:  # noqa: PLR0911  (one row a node)
    """Return how many bits the value of a word can take, which may be fewer than its type has."""
    width = bit_width(node.type) or 0
    match node:
        case e.Const(int(value)):
            return value.bit_length()
        case e.Cast(of) if isinstance(of.type, Bits):
            return min(width, width_of(of))
        case e.Binary(">>", of, e.Const(int(shift))):
            return max(width_of(of) - shift, 0)
        case e.Binary("%", of, e.Const(int(divisor))) if divisor:
            return min(width_of(of), (divisor - 1).bit_length())
        case e.Binary("/", of, _):
            return width_of(of)
        case e.Binary("&", left, right):
            return min(width_of(left), width_of(right))
        case e.Binary("|" | "^", left, right):
            return max(width_of(left), width_of(right))
        case _:
            return width


def to_bytes(text: str, size: int) -> str:
    """Return the expression of a word as so many bytes."""
    return f'{text if text.isidentifier() else f"({bare(text)})"}.to_bytes({size}, "big")'


def _mask(node: e.Expr) -> str:
    return hex((1 << (bit_width(node.type) or 0)) - 1)
