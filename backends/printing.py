"""What the printers of several targets share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram


def role(*, active: bool) -> str:
    """Return the sentence at the head of a program that says whether the plan runs it."""
    if active:
        return "Active: the plan runs this program."
    return "Standby: the plan runs its operations elsewhere. Load it in place of those, never beside them."


def bare(text: str) -> str:
    """Return an expression without the parentheses around the whole of it. Text with quotes is left as it is."""
    if not (text.startswith("(") and text.endswith(")")) or "'" in text or '"' in text:
        return text
    depth = 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and at < len(text) - 1:
            return text
    return text[1:-1]


class Place(NamedTuple):
    """Where a field lies: its first byte in its header, the bytes it touches, and its shift and width in them."""

    first: int
    size: int
    shift: int
    width: int


def place_of(program: DeviceProgram, header: str, name: str) -> Place:
    """Return where a header's field lies; KeyError when there is none."""
    layout = program.header(header)
    start, width = layout.bit_offset(name), layout.field(name).width
    first, last = start // 8, (start + width + 7) // 8
    return Place(first, last - first, last * 8 - start - width, width)
