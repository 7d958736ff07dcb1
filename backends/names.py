"""Identifiers for names from the source: whatever the source says, what is printed is one new, harmless word."""

from __future__ import annotations

import re

from attrs import Factory, define

LONGEST = 64


@define
class Names:
    """One name space of a target. Nothing is handed out twice, so no declaration shadows another."""

    reserved: frozenset[str]
    taken: set[str] = Factory(set)

    def fresh(self, name: str) -> str:
        """Return a new identifier that resembles `name`."""
        stem = mangle(name)
        stem += "_" * (stem in self.reserved)
        result, count = stem, 1
        while result in self.taken or result in self.reserved:
            count += 1
            result = f"{stem}_{count}"
        self.taken.add(result)
        return result


def mangle(name: str) -> str:
    """Return `name` with everything but ASCII letters, digits and `_` replaced; it starts with a letter.

    A leading `_` gets a letter in front: C, and the C preprocessor that P4 passes, keep such names to themselves.
    """
    word = re.sub(r"[^A-Za-z0-9_]", "_", name)[:LONGEST]
    return word if re.match(r"[A-Za-z]", word) else f"x{word}"


def comment(text: str) -> str:
    """Return `text` fit for a comment: one line of harmless characters, no comment marks."""
    return re.sub(r"[^A-Za-z0-9_.,:;()<>=+%& -]", "?", text)[:100]
