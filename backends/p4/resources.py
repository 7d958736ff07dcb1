"""What a program takes of a switch's pipeline: an estimate, made before it is printed, from the device's profile alone.

It is a lower bound in its own model, which the texts of `chip`, `steps` and `stages` describe with their sources: a
program that is refused takes more than there is however its tables are laid out, as far as the model is that of the
switch. It is not what a compiler for the switch would find: that also fits tables to crossbars and buses, fields to
containers, and keeps room for itself, so it may refuse what is taken here; and one that joins operations, or keeps what
no stage touches elsewhere, may need less. What forwards frames between ports is not counted.

A profile that is silent about a figure, such as that of BMv2, a program that has no such limits, sets no limit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.base import Use
from bertha_ir.backends.p4 import codes
from bertha_ir.backends.p4.chip import BYTE, Chip
from bertha_ir.backends.p4.cut import first_over
from bertha_ir.backends.p4.layout import Layout
from bertha_ir.backends.p4.model import Catalogue
from bertha_ir.backends.p4.names import Names
from bertha_ir.backends.p4.stages import Stages
from bertha_ir.backends.p4.state import declare
from bertha_ir.diagnostics import Diagnostic
from bertha_ir.types import bit_width
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.backends.base import Unit
    from bertha_ir.backends.p4.chip import Demand
    from bertha_ir.program import DeviceProgram

HINT = "make its tables or state smaller, or let another device run some of the ops"
SAID = {
    "phv_bits": "{} bits of packet headers and values carried from stage to stage",
    "parser_rows": "{} rows of the parser",
    "sram": "{} blocks of SRAM",
    "tcam": "{} blocks of TCAM",
    "register_sram": "{} blocks of SRAM for one register array, which is in one stage,",
    "tables": "{} tables",
    "ternary_tables": "{} tables in TCAM",
    "stateful_alus": "{} stateful ALUs",
    "hashes": "{} hashes",
    "stages": "{} stages",
}
SUMS = (
    ("sram", "sram"), ("tcam", "tcam"), ("tables", "tables"), ("ternary_tables", "ternary"),
    ("stateful_alus", "alus"), ("hashes", "hashes"),
)  # fmt: skip


def estimate(program: DeviceProgram, limits: tuple[tuple[str, float], ...] = ()) -> tuple[Use, ...]:
    """Return what a program that `validate` has nothing else against takes, and how much there is by a profile."""
    chip = Chip.of(limits)
    stages = Stages(chip, {table.name: table for table in program.tables}, _registers(program, chip))
    for block in program.blocks:
        stages.block(block)
    demands = [demand for _, demand in stages.everything]
    rows, depth = _parser(program)
    return (
        Use("phv_bits", carried(program), chip.phv),
        Use("parser_rows", rows, chip.parser),
        Use("parser_depth", depth),
        Use("register_sram", max((d.registers for d in demands), default=0), chip.each.get("registers")),
        *(Use(name, sum(getattr(d, of) for d in demands), _everywhere(chip, of)) for name, of in SUMS),
        Use("stages", stages.needed, chip.stages),
    )


def refuse(unit: Unit) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each resource of which a program takes more than the device has, at the first op with
    which it does. The number of stages, which comes last, counts only if the rest fits.
    """
    over = [use for use in estimate(unit.program, unit.limits) if use.exceeded]
    for use in over[:-1] if len(over) > 1 and over[-1].name == "stages" else over:
        message = f"it takes {SAID[use.name].format(use.needs)} of {use.has}"
        op, span = first_over(unit.program, partial(_over, unit.limits, use.name))
        named = f"`{op}` is too much: {message}" if op is not None else message
        yield Diagnostic(codes.CH354NoRoom, named, span or unit.program.span, HINT)


def _over(limits: tuple[tuple[str, float], ...], resource: str, program: DeviceProgram) -> bool:
    return any(use.exceeded for use in estimate(program, limits) if use.name == resource)


def _everywhere(chip: Chip, resource: str) -> int | None:
    """Return how much all stages have of a resource."""
    each = chip.each.get(resource)
    return None if each is None or chip.stages is None else each * chip.stages


def _registers(program: DeviceProgram, chip: Chip) -> dict[str, tuple[Demand, ...]]:
    stores = declare(program, Names.of_program(), Catalogue())
    return {
        name: tuple(chip.register(r) for r in (*store.values, *((store.present,) if store.present else ())))
        for name, store in stores.items()
    }


def _parser(program: DeviceProgram) -> tuple[int, int]:
    """Return the rows of a parser's TCAM, one for each way on from a header and one for none (Gibb et al., "Design
    Principles for Packet Parsers", ANCS 2013), and the most headers one behind another.
    """
    rows = sum(len(state.transitions) + 1 for state in program.parser)
    return rows, max(_longest(program, weigh=False), default=0)


def carried(program: DeviceProgram) -> int:
    """Return the bits that a packet carries from stage to stage (PHV): all headers on the longest way of the parser,
    and the locals of a block that are needed at one time, at the most; a packet meets one block.

    Whole bytes, of which containers of 8, 16 and 32 bits are composed (Bosshart et al., SIGCOMM 2013, section 4.1);
    without what the chip itself keeps of a packet, such as its ports.
    """
    headers = max(_longest(program, weigh=True), default=0)
    return headers + max((_live(block.body) for block in program.blocks), default=0)


def _longest(program: DeviceProgram, *, weigh: bool) -> Iterator[int]:
    """Yield, for each header, the most headers down to it, or their bits."""
    done: dict[str, int] = {}
    for header in Layout.of(program).ordered:
        before = (s.header for s in program.parser if any(t.to == header.name for t in s.transitions))
        here = header.size * BYTE if weigh else 1
        done[header.name] = here + max((done[name] for name in before), default=0)
        yield done[header.name]


def _live(body: s.Body) -> int:
    """Return the most bits of locals between their first and their last use, in the order of the text."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    bits: dict[str, int] = {}
    for number, node in enumerate(walk(body)):
        for name, width in _locals(node):
            first.setdefault(name, number)
            last[name] = number
            bits[name] = max(bits.get(name, 0), -(-width // BYTE) * BYTE)
    return max((sum(bits[n] for n in bits if first[n] <= at <= last[n]) for at in set(first.values())), default=0)


def _locals(node: object) -> Iterator[tuple[str, int]]:
    match node:
        case s.Let(name, value):
            yield name, bit_width(value.type) or 1
        case s.Lookup(hit=str(name)):
            yield name, 1
        case e.Local(name, type_):
            yield name, bit_width(type_) or 1
