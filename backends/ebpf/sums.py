"""Prints how checksums are kept right: changes are summed up, and applied once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir import expr as e
from bertha_ir.backends.ebpf.words import width_of
from bertha_ir.backends.printing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertha_ir import stmt as s
    from bertha_ir.backends.ebpf.words import Words

CONTEXT = "ctx"
MANGLED = "BPF_F_MARK_MANGLED_0"
Change = tuple[e.Field, str]
"""A checksum, and which part of what it sums changes."""


@define
class Sums:
    """The changes of checksums in one block. `helper`: those of transports go through the kernel's helper, at the end
    of the block: at TC it may not have filled them in yet.
    """

    words: Words
    helper: bool
    deltas: dict[Change, str] = Factory(dict)
    optional: set[e.Field] = Factory(set)

    def waits(self, part: str) -> bool:
        """Whether a change is applied at the end of the block only, by the kernel's helper."""
        return self.helper and part != "header"

    def change(self, node: s.FixChecksum) -> Change:
        """Return what is summed up together: only the kernel's helper cares which part of a sum changes."""
        return node.checksum, node.part if self.waits(node.part) else "header"

    def open(self, change: Change) -> None:
        """Begin to sum up."""
        name = self.words.fresh(f"{change[0].header}_delta")
        self.deltas[change] = name
        self.words.say(f"__u64 {name} = 0;")

    def add(self, node: s.FixChecksum) -> None:
        """Add a change."""
        delta = self.deltas[self.change(node)]
        old, new = self.words.network(node.old), self.words.network(node.new)
        self.words.say(f"{delta} += change_{width_of(node.old.type)}({old}, {new});")

    def apply(self, changes: Iterable[Change]) -> None:
        """Write checksums."""
        for checksum, part in changes:
            at = f"{self.words.headers[checksum.header]} + {self._first(checksum)}"
            kind = "optional_checksum" if checksum in self.optional else "checksum"
            self.words.say(f"fix_{kind}({at}, {self.deltas[checksum, part]});")

    def apply_late(self) -> None:
        """Have the kernel write those that wait."""
        for (checksum, part), delta in self.deltas.items():
            if not self.waits(part):
                continue
            at = f"{self.words.offsets[checksum.header]} + {self._first(checksum)}"
            flags = [
                f for f, on in (("BPF_F_PSEUDO_HDR", part == "address"), (MANGLED, checksum in self.optional)) if on
            ]
            said = " | ".join(flags) or "0"
            self.words.say(f"if ({delta})")
            self.words.say(f"\tbpf_l4_csum_replace({CONTEXT}, {at}, 0, difference({delta}), {said});")

    def _first(self, checksum: e.Field) -> int:
        return place_of(self.words.program, checksum.header, checksum.name).first
