"""Prints expressions. A wide one is cut into steps, each bound to a name of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define

from bertha_ir import expr as e
from bertha_ir.backends.p4.fold import fold
from bertha_ir.backends.p4.layout import METADATA, Layout, p4_type, width_of
from bertha_ir.backends.printing import bare
from bertha_ir.types import Bits, Bool, Type
from bertha_ir.walk import transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.backends.p4.helpers import Helpers
    from bertha_ir.backends.p4.names import Names

WIDEST_STEP = 64  # characters
LOGIC = {"and": "&&", "or": "||"}
NARROW_SHIFT = 8  # bits of the amounts that p4c for BMv2 takes


@define
class Words:
    """Prints expressions of one block. `say` takes the statements that must run before what is being printed."""

    layout: Layout
    names: Names
    helpers: Helpers
    locals: Mapping[tuple[str, Type], str]
    say: Callable[[str], None]

    def text(self, node: e.Expr) -> str:
        """Return the P4 expression of equal value, for the right side of an assignment or as an argument."""
        return bare(self._node(self._fold(node)))

    def condition(self, node: e.Expr) -> tuple[str, ...]:
        """Return the conditions whose conjunction a truth value is."""
        return tuple(self._node(part) for part in conjuncts(self._fold(node)))

    def operand(self, node: e.Expr) -> str:
        """Return a name for the value, for uses that want one."""
        node = self._fold(node)
        text = self._node(node)
        return text if isinstance(node, e.Local | e.Field) else self.bind(text, p4_type(node.type))

    def bind(self, text: str, type_: str) -> str:
        """Compute `text` in a statement of its own and return the name that holds it."""
        name = self.names.fresh("step")
        self.say(f"{type_} {name} = {bare(text)};")
        return name

    def _text(self, node: e.Expr) -> str:
        text = self._node(node)
        return self.bind(text, p4_type(node.type)) if len(text) > WIDEST_STEP else text

    def _node(self, node: e.Expr) -> str:  # noqa: C901, PLR0911  (one row a node)
        match node:
            case e.Const(value):
                return literal(value, node.type)
            case e.Local(name, type_):
                return self.locals[name, type_]
            case e.Field(header, name):
                return self.layout.field(header, name)
            case e.Unary(op, of):
                inner = self._text(of)
                return f"{'!' if op == 'not' else op}{f'({inner})' if inner[0] in '!~-' else inner}"
            case e.Binary():
                return self._binary(node)
            case e.Cast(of, type_):
                inner = self._text(of)
                return inner if width_of(of.type) == width_of(type_) else f"({p4_type(type_)}){inner}"
            case e.Choose(condition, yes, no):
                return f"({self._text(condition)} ? {self._text(yes)} : {self._text(no)})"
            case e.Size(of):
                return literal(width_of(of.type) // 8, node.type)
            case e.FrameSize():
                return f"{METADATA}.packet_length"
            case e.HeaderOffset(header):
                return self._offset(header)
            case e.Parsed(header):
                return f"{self.layout.header(header)}.isValid()"
            case e.Call():
                return EXTERNS[node.primitive](self, node)
        msg = f"{node} was not refused"
        raise TypeError(msg)

    def _binary(self, node: e.Binary) -> str:
        left = self._text(node.left)
        if node.op in e.SHIFTS:
            return self._shift(node, left)
        if node.op in {"/", "%"}:
            return self._divide(node, left)
        return f"({left} {LOGIC.get(node.op, node.op)} {self._text(node.right)})"

    def _shift(self, node: e.Binary, left: str) -> str:
        if isinstance(node.right, e.Const):
            return f"({left} {node.op} {node.right.value!r})"
        amount, right = width_of(node.right.type), self._text(node.right)
        if amount <= NARROW_SHIFT:
            return f"({left} {node.op} (bit<{NARROW_SHIFT}>){right})"
        return f"{self.helpers.shift(node.op, width_of(node.type), amount)}({left}, {right})"

    def _divide(self, node: e.Binary, left: str) -> str:
        assert isinstance(node.right, e.Const)  # noqa: S101  INVARIANT: validated
        assert isinstance(node.right.value, int)  # noqa: S101  INVARIANT: a word
        width, divisor = width_of(node.type), node.right.value
        if divisor & (divisor - 1) == 0:
            power = divisor.bit_length() - 1
            return f"({left} >> {power})" if node.op == "/" else f"({left} & {literal(divisor - 1, node.type)})"
        helper = self.helpers.divide if node.op == "/" else self.helpers.remainder
        return f"{helper(width, divisor)}({left})"

    def _offset(self, name: str) -> str:
        fixed, others = self.layout.offset(name)
        sizes = {other: self.layout.program.header(other).size for other in others}
        terms = [f"({self.layout.header(other)}.isValid() ? 32w{size} : 32w0)" for other, size in sizes.items()]
        return f"({' + '.join([f'32w{fixed}', *terms])})"

    def _fold(self, node: e.Expr) -> e.Expr:
        return fold(transform(node, self._fixed))

    def _fixed(self, node: Any) -> Any:  # noqa: ANN401  (nodes of every class pass)
        """Replace offsets that no optional header moves."""
        if isinstance(node, e.HeaderOffset) and not self.layout.offset(node.header)[1]:
            return e.Const(self.layout.offset(node.header)[0], node.type, node.span)
        return node

    def _now(self, _: e.Call) -> str:
        return f"((bit<64>){METADATA}.ingress_global_timestamp * 1000)"  # BMv2 counts microseconds

    def _random(self, node: e.Call) -> str:
        name = self.bind("0", p4_type(node.type))
        self.say(f"random({name}, 32w0, 32w0xffffffff);")
        return name

    def _crc32(self, node: e.Call) -> str:
        (key,) = node.arguments
        data, name = self.operand(key), self.bind("0", p4_type(node.type))
        self.say(f"hash({name}, HashAlgorithm.crc32, 32w0, {{ {data} }}, 33w0x100000000);")
        return name


EXTERNS: dict[str, Callable[[Words, e.Call], str]] = {
    "now": Words._now,  # noqa: SLF001  (the class's own table)
    "random": Words._random,  # noqa: SLF001
    "crc32": Words._crc32,  # noqa: SLF001
}


def conjuncts(node: e.Expr) -> tuple[e.Expr, ...]:
    """Take `and`s apart."""
    match node:
        case e.Binary("and", left, right):
            return (*conjuncts(left), *conjuncts(right))
        case _:
            return (node,)


def literal(value: e.Scalar, type_: Type) -> str:
    """Return a P4 literal of the type: decimal for small numbers, hexadecimal for others."""
    if isinstance(type_, Bool):
        return "true" if value else "false"
    number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
    assert isinstance(number, int)  # noqa: S101  INVARIANT: endpoints were refused
    digits = str(number) if number < 1 << 16 and isinstance(type_, Bits) else f"{number:#x}"
    return f"{width_of(type_)}w{digits}"
