"""`bertha explain`: what an error code means and how to mend its cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.pages import all_codes, page
from bertha_ir.cli.status import DONE, UsageError
from bertha_ir.cli.stream import say

if TYPE_CHECKING:
    import argparse


def run(parsed: argparse.Namespace) -> int:
    """Print one page, or the list of all."""
    pages = {code.number(): page(code) for code in all_codes()}
    if parsed.code is None:
        if parsed.json:
            say_json(ok=True, codes=[{"code": p.number, "name": p.name, "title": p.title} for p in pages.values()])
        else:
            say(table((p.number, p.title) for p in pages.values()))
        return DONE
    chosen = pages.get(parsed.code.upper())
    if chosen is None:
        message = f"no error code is called `{parsed.code}`"
        raise UsageError(message, "`bertha explain` lists them all")
    if parsed.json:
        say_json(ok=True, code=chosen.number, name=chosen.name, title=chosen.title, sections=chosen.sections)
    else:
        say(chosen.text)
    return DONE
