"""Headers that a block puts into a frame at once, and what it writes of them that is known when it is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.printing import place_of
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.program import DeviceProgram


@frozen
class Pushes:
    """Pushes behind one header, one after another. `headers`: outermost first; `image`: their bytes, as far as they are
    constants, else zeros; `rest`: the statements that remain to be printed, of the `count` that these are.
    """

    headers: tuple[str, ...]
    behind: str
    image: bytes
    rest: tuple[s.Stmt, ...]
    count: int

    @classmethod
    def of(cls, program: DeviceProgram, body: Sequence[s.Stmt]) -> Pushes | None:
        """Return the pushes that a body begins with, and the constants that it writes right behind them."""
        names: list[str] = []
        behind: str | None = None
        for node in body:
            if not isinstance(node, s.Push) or node.header in names or (names and node.behind != behind):
                break
            behind = node.behind
            names.append(node.header)
        if behind is None:
            return None
        written: dict[e.Field, int] = {}
        rest: list[s.Stmt] = []
        count = len(names)
        for node in body[count:]:
            match node:
                case s.Assign(e.Field(header) as field, e.Const(int() | bytes() as value)) if header in names:
                    written[field] = int.from_bytes(value, "big") if isinstance(value, bytes) else value
                case s.FixChecksum() if not any(isinstance(n, e.Field) for n in walk((node.old, node.new))):
                    rest.append(node)
                case _:
                    break
            count += 1
        headers = tuple(reversed(names))
        image = b"".join(_image(program, header, written) for header in headers)
        return cls(headers, behind, image, tuple(rest), count)


def _image(program: DeviceProgram, header: str, written: dict[e.Field, int]) -> bytes:
    size, total = program.header(header).size, 0
    for field, value in written.items():
        if field.header == header:
            place = place_of(program, header, field.name)
            total |= value << 8 * (size - place.first - place.size) + place.shift
    return total.to_bytes(size, "big")
