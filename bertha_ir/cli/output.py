"""What commands print: answers on standard output, mistakes on standard error, JSON with its schema version."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from bertha_ir.cli.stream import complain, say
from bertha_ir.diagnostics.render import render, to_data, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bertha_ir.diagnostics import Diagnostic

SCHEMA = 1


def say_json(**content: object) -> None:
    """Print an answer as JSON."""
    say(json.dumps({"schema": SCHEMA, **content}, indent=2, ensure_ascii=False) + "\n")


def table(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Return rows as lines whose columns begin below each other; the last column is as long as it is."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        indent + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in rows
    )


def report(diagnostics: Sequence[Diagnostic], *, as_json: bool) -> None:
    """Print the mistakes found: as the answer when JSON is asked for, else on standard error."""
    if as_json:
        say_json(ok=not has_errors(diagnostics), diagnostics=[to_data(d) for d in diagnostics])
        return
    colour = wants_colour(sys.stderr, os.environ)
    complain(render(diagnostics, colour=colour))
    if codes := sorted({d.code.number() for d in diagnostics}):
        complain(f"\n{_count(diagnostics)}; `bertha explain {codes[0]}` says more about {codes[0]}\n")


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether any of them is an error."""
    return any(d.severity == "error" for d in diagnostics)


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    errors = sum(d.severity == "error" for d in diagnostics)
    parts = [(errors, "error"), (len(diagnostics) - errors, "warning")]
    return ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in parts if n)


def summary(cls: type) -> str:
    """Return the first sentence of a class's docstring, without its period."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split()).partition(". ")[0].removesuffix(".")
