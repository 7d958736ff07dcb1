"""`bertha plan`: say what would run where, why, and at what cost."""

from __future__ import annotations

import os
import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.building import build
from bertha_ir.cli.others import better, what_if
from bertha_ir.cli.output import say_json
from bertha_ir.cli.status import DONE, UsageError
from bertha_ir.cli.stream import say
from bertha_ir.diagnostics.render import wants_colour
from bertha_ir.report import files
from bertha_ir.report.data import explained
from bertha_ir.report.dot import dot
from bertha_ir.report.html import html
from bertha_ir.report.other import beside, other_data
from bertha_ir.report.svg import svg
from bertha_ir.report.text import EIGHTHS, PLAIN, WIDTH, Style, text_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bertha_ir.plan import Plan

    Draw = Callable[[Sequence[Plan]], str]

HINT = "name a file of its own, in a folder that there is"


def run(parsed: argparse.Namespace) -> int:
    """Print the plan of each stack."""
    drawn = _asked(parsed)
    compiled = build(parsed, "placed", "a plan")
    plans = compiled.plans
    asked = what_if(parsed, compiled) if parsed.what_if else None
    gains = better(parsed, compiled) if parsed.next else None
    _write({path: draw(plans) for path, draw in drawn.items()})
    if parsed.json:
        others = {"what_if": asked, "next": gains}
        given = {name: [other_data(o) for o in found] for name, found in others.items() if found is not None}
        say_json(ok=True, plans=[{**api.plan_data(plan), "explained": explained(plan)} for plan in plans], **given)
        return DONE
    style = _style()
    if asked is None and gains is None:
        say("\n".join(text_of(plan, style) for plan in plans))
    say("\n".join(beside(other, style) for other in [*(asked or ()), *(gains or ())]))
    if gains == []:
        say("no limit of the site stands between its plans and better ones\n")
    return DONE


def _asked(parsed: argparse.Namespace) -> dict[Path, Draw]:
    """Return the files to write, and what makes each. Raises `UsageError` for those that cannot be written."""
    options: tuple[tuple[Path | None, Draw], ...] = ((parsed.svg, svg), (parsed.dot, dot), (parsed.html, html))
    named = [(path, draw) for path, draw in options if path is not None]
    try:
        files.check([path for path, _ in named], [*parsed.files, *parsed.site])
    except files.UnwritableError as error:
        raise UsageError(str(error), HINT) from error
    return dict(named)


def _write(made: dict[Path, str]) -> None:
    try:
        files.write(made)
    except files.UnwritableError as error:
        raise UsageError(str(error), HINT) from error


def _style() -> Style:
    """Return how to write on standard output: a pipe has neither colours nor bars, and lines of a fixed width."""
    colour = wants_colour(sys.stdout, os.environ)
    if not (colour or sys.stdout.isatty()):
        return Style()
    width = get_terminal_size((WIDTH, 0)).columns if sys.stdout.isatty() else WIDTH
    try:
        EIGHTHS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return Style(colour, PLAIN, width)
    return Style(colour, EIGHTHS, width)
