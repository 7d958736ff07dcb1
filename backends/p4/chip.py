"""A switch's pipeline as its profile describes it, and what tables and registers take of its memory.

Match-action stages that each have their own blocks of SRAM and TCAM: that form, tables that go on in the next stage,
and exact matches by hashing into several ways are those of RMT (Bosshart et al., "Forwarding Metamorphosis", SIGCOMM
2013). How entries lie in blocks is as in the compiler for Tofino that its maker gave to p4c, p4lang/p4c at 34b86e9,
backends/tofino/bf-p4c: formulas from `mau/resource_estimate.cpp`, constants from `mau/table_format.h`.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from attrs import asdict, frozen

from bertha_ir.backends.p4.layout import key_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bertha_ir.backends.p4.model import Register
    from bertha_ir.program import Table

BYTE = 8
VERSION, INSTRUCTION = 4, 6  # bits of an entry: VERSION_BITS and FULL_IMEM_ADDRESS_BITS
MOST_IN_ROW = 5  # entries: MAX_GROUPS_PER_RAM
WAYS = 4  # of an exact table, a block or more each: calculate_way_sizes
NARROWEST = 8  # bits of what a ternary entry gives: TernaryIndirectPerWord
WORD = 64  # bits of a register's widest word: a pair of 32 bits (bf-p4c/mau/stateful_alu.h)


@frozen
class Demand:
    """What something takes: logical tables, those of them that are ternary, blocks of SRAM and TCAM, the blocks of SRAM
    that registers are in, stateful ALUs, and hashes.
    """

    tables: int = 0
    ternary: int = 0
    sram: int = 0
    tcam: int = 0
    registers: int = 0
    alus: int = 0
    hashes: int = 0

    def items(self) -> Iterable[tuple[str, int]]:
        """Return each resource that is taken, and how much."""
        return ((name, amount) for name, amount in asdict(self).items() if amount)


# The figure of a profile that says how much a stage has, by resource.
FIGURES = {
    "tables": "stage-tables",
    "ternary": "stage-ternary-tables",
    "sram": "stage-sram",
    "tcam": "stage-tcam",
    "registers": "stage-register-sram",
    "alus": "stage-stateful-alus",
    "hashes": "stage-hashes",
}


@frozen
class Chip:
    """A pipeline. `stages`, `phv` (bits), `parser` (rows), and `each`, what a stage has by resource: what is not known
    is not there, and limits nothing. Of a block, the rows and the bits of a row.
    """

    stages: int | None
    phv: int | None
    parser: int | None
    each: Mapping[str, int]
    sram_rows: int
    sram_bits: int
    tcam_rows: int
    tcam_bits: int

    @classmethod
    def of(cls, limits: tuple[tuple[str, float], ...]) -> Chip:
        """Return the pipeline of a profile's figures. Blocks whose form is not known are taken to be Tofino's."""
        known = {name: int(value) for name, value in limits}
        phv = known.get("phv")
        return cls(
            known.get("stages"),
            None if phv is None else phv * BYTE,
            known.get("parser-rows"),
            {name: known[figure] for name, figure in FIGURES.items() if figure in known},
            max(1, known.get("sram-rows", 1024)),
            max(1, known.get("sram-bits", 128)),
            max(1, known.get("tcam-rows", 512)),
            max(1, known.get("tcam-bits", 44)),
        )

    def stages_for(self, demand: Mapping[str, int]) -> int:
        """Return how many stages have as much as is demanded, together."""
        rows = ((amount, self.each[name]) for name, amount in demand.items() if name in self.each)
        return max((ceil(amount / max(1, there)) for amount, there in rows), default=0)

    def table(self, table: Table, *, with_values: bool) -> Demand:
        """Return what a table takes for as many entries as it may have."""
        values = key_width(table.values) if with_values else 0
        match table.kind:
            case "array":
                return Demand(tables=1, sram=self._packed(table.size, values + INSTRUCTION))
            case "exact":
                told = (self.sram_rows - 1).bit_length()  # bits of the key that the row's number tells
                bits = max(0, key_width(table.keys) - told) + values + VERSION + INSTRUCTION
                return Demand(tables=1, sram=self._packed(table.size, bits, WAYS), hashes=1)
            case "lpm" | "range":
                return self._ternary(table, values)

    def _packed(self, entries: int, bits: int, least: int = 1) -> int:
        """Return the blocks of entries that lie side by side in a row, or of which one takes a row of several."""
        wide, beside = ceil(bits / self.sram_bits), min(MOST_IN_ROW, max(1, self.sram_bits // bits))
        return max(least, ceil(entries / (self.sram_rows * beside))) * wide

    def _ternary(self, table: Table, values: int) -> Demand:
        """Return the blocks of TCAM, and those of SRAM with what its rows give, of a power of two bits each.

        A range of `w` bits is at most `2 w - 2` prefixes, a row each (Gupta and McKeown, "Algorithms for Packet
        Classification", IEEE Network 2001).
        """
        bits = key_width(table.keys)
        rows = table.size * (max(1, 2 * bits - 2) if table.kind == "range" else 1)
        result = max(NARROWEST, 1 << (values + INSTRUCTION - 1).bit_length())
        tcam = max(1, ceil(rows / self.tcam_rows)) * ceil(bits / self.tcam_bits)
        return Demand(tables=1, ternary=1, sram=self._packed(rows, result), tcam=tcam)

    def register(self, register: Register) -> Demand:
        """Return what a register array takes: words of a power of two bits, and a block to spare, as a block is read
        and written at a time (calculate_attached_rams); one wider than an ALU's word, several arrays.
        """
        arrays = ceil(register.width / WORD)
        width = 1 << (min(register.width, WORD) - 1).bit_length()
        blocks = ceil(register.size / (self.sram_rows * max(1, self.sram_bits // width))) + 1
        hashes = int(register.size > 1)  # which makes the key an index
        return Demand(tables=1, sram=arrays * blocks, registers=arrays * blocks, alus=arrays, hashes=hashes)
