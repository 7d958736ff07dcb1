"""Prints expressions as Python. Integers are masked where an operation can leave their width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from bertha_ir import expr as e
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.program import ADDRESS
from bertha_ir.types import Bits, Bytes, bit_width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        if self.at == "0":
            return str(offset)
        return f"{self.at} + {offset}" if offset else self.at


@define
class Words:
    """Prints expressions of one program. `say` takes statements that must run before what is being printed."""

    program: DeviceProgram
    views: Mapping[str, View]
    locals: Mapping[str, str]
    say: Callable[[str], None]
    fresh: Callable[[str], str]

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
                return "bytes(packet)"
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
            case e.Size(of):
                return f"len({self.text(of)})"
            case e.FrameSize():
                return "size"
            case e.HeaderOffset(header):
                return self.views[header].at
            case e.Call():
                return self._call(node)
        msg = f"{node} was not refused"
        raise TypeError(msg)

    def text_of(self, header: str, name: str) -> str:
        """Return the value of a header's field."""
        if header == ADDRESS:
            return name
        first, size, shift, width = self.place(header, name)
        view = self.views[header]
        if isinstance(self.program.header(header).field(name).type, Bytes):
            return f"bytes({view.data}[{view.plus(first)}:{view.plus(first + size)}])"
        if size == 1:
            value = f"{view.data}[{view.plus(first)}]"
        elif size in STRUCTS:
            value = f"{STRUCTS[size]}.unpack_from({view.data}, {view.plus(first)})[0]"
        else:
            value = f'int.from_bytes({view.data}[{view.plus(first)}:{view.plus(first + size)}], "big")'
        value = f"({value} >> {shift})" if shift else value
        return f"({value} & {hex((1 << width) - 1)})" if shift + width < 8 * size else value

    def place(self, header: str, name: str) -> tuple[int, int, int, int]:
        """Return the first byte and the number of bytes that a field lies in, its shift there, and its width."""
        layout = self.program.header(header)
        start, width = layout.bit_offset(name), layout.field(name).width
        first, last = start // 8, (start + width + 7) // 8
        return first, last - first, last * 8 - start - width, width

    def _unary(self, op: str, of: e.Expr) -> str:
        inner = self.text(of)
        return f"(not {inner})" if op == "not" else f"({op}{inner} & {_mask(of)})"

    def _binary(self, node: e.Binary) -> str:
        left, right = self._short(node.left), self._short(node.right)
        if node.op in e.SHIFTS:
            return self._shift(node, left, right)
        if node.op in {"/", "%"}:
            return self._divide(node, left, right)
        text = f"({left} {node.op} {right})"
        return f"({text} & {_mask(node)})" if node.op in {"+", "-", "*"} else text

    def _shift(self, node: e.Binary, left: str, right: str) -> str:
        width = bit_width(node.type) or 0
        if isinstance(node.right, e.Const):
            if int(node.right.value) >= width:  # type: ignore[arg-type]  # a word
                return "0"
            return f"(({left} << {right}) & {_mask(node)})" if node.op == "<<" else f"({left} >> {right})"
        right = self._once(right, node.right)
        shifted = f"({left} << {right}) & {_mask(node)}" if node.op == "<<" else f"{left} >> {right}"
        return f"(({shifted}) if {right} < {width} else 0)"

    def _divide(self, node: e.Binary, left: str, right: str) -> str:
        op = "//" if node.op == "/" else "%"
        if isinstance(node.right, e.Const) and node.right.value:
            return f"({left} {op} {right})"
        left, right = self._once(left, node.left), self._once(right, node.right)
        return f"({left} {op} {right} if {right} else {'0' if node.op == '/' else left})"

    def _cast(self, of: e.Expr, node: e.Cast) -> str:
        inner = self.text(of)
        match of.type, node.type:
            case Bytes(), Bits():
                return f'int.from_bytes({inner}, "big")'
            case Bits(), Bytes(size):
                return f'{inner}.to_bytes({size}, "big")' if not inner.isdigit() else f'({inner}).to_bytes({size}, "big")'
            case Bits(old), Bits(new) if new < old:
                return f"({inner} & {_mask(node)})"
            case _:
                return inner

    def _call(self, node: e.Call) -> str:
        primitive = PRIMITIVES[node.primitive]
        if node.primitive == "pack":
            return f"pack_{node.arguments[0].type.message}(value)"  # type: ignore[union-attr]  # a record
        arguments = [self.text(a) for a in node.arguments]
        if node.primitive == "unpack":
            return f"unpack_{node.type.message}({arguments[0]})"  # type: ignore[union-attr]  # a record
        if "any" in primitive.arguments:
            (key,) = node.arguments
            if isinstance(key.type, Bits):
                arguments = [f'({arguments[0]}).to_bytes({(key.type.width + 7) // 8}, "big")']
        return f"primitives.{node.primitive}({', '.join(arguments)})"

    def _short(self, node: e.Expr) -> str:
        """Return an operand; a long one is computed in a statement of its own."""
        text = self.text(node)
        return self._once(text, node) if len(text) > LONGEST else text

    def _once(self, text: str, node: e.Expr) -> str:
        if isinstance(node, e.Const | e.Local):
            return text
        name = self.fresh("step")
        self.say(f"{name} = {text}")
        return name


def _mask(node: e.Expr) -> str:
    return hex((1 << (bit_width(node.type) or 0)) - 1)
