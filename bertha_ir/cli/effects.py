"""`bertha effects`: say what each handler reads, writes, remembers, drops, sends, and by how much a message grows."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE
from bertha_ir.cli.stream import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from bertha_ir.passes.growth import Growth
    from bertha_ir.passes.survey import Surveyed, SurveyedHandler
    from bertha_ir.spec import Instance

WIDTH, WIDEST, NARROWEST = 100, 40, 6
HEAD = ("handler", "reads", "writes", "state", "does", "inputs", "bytes")
SENT = {"reply": "replies", "emit": "emits", "clone": "copies"}


def run(parsed: argparse.Namespace) -> int:
    """Print a row for each handler of the uses given, or of the whole library."""
    found = api.effects(parsed.file, parsed.chains)
    if parsed.json:
        say_json(ok=True, uses=[_data(use) for use in found])
        return DONE
    parts = []
    if rows := [_row(use, handler) for use in found for handler in use.handlers]:
        parts.append(_fitted([HEAD, *rows]))
    if promises := [_promises(use.instance) for use in found if _promises(use.instance)[1:] != ("-", "-", "-")]:
        parts.append(_fitted([("use", "ends", "provides", "requires"), *promises]))
    if not parsed.chains:
        parts.append("used as:\n" + "".join(f"  {use.use}\n" for use in found))
    say("\n".join(parts))
    return DONE


def _row(use: Surveyed, handler: SurveyedHandler) -> tuple[str, ...]:
    does = handler.effects
    words = [
        *(["drops"] if does.drops else []),
        *(["bounces"] if does.bounces else []),
        *(SENT[kind] for kind in sorted(does.sent)),
        *(["routes"] if does.redirects else []),
    ]
    states = [f"{name} {'r' * read}{'w' * written}" for name, read, written in _states(use, handler)]
    lists = (sorted(does.reads), sorted(does.writes), states, words, sorted(does.inputs))
    return f"{use.instance.id}.{handler.event}", *(", ".join(i) or "-" for i in lists), _bytes(handler.growth)


def _states(use: Surveyed, handler: SurveyedHandler) -> list[tuple[str, bool, bool]]:
    """Return each state that the handler touches, and whether it is read and written."""
    reads, writes = handler.effects.state_reads, handler.effects.state_writes
    names = (state.name for state in use.instance.chunnel.states)
    return [(name, name in reads, name in writes) for name in names if name in reads | writes]


def _bytes(growth: Growth) -> str:
    if growth is None:
        return "varies"
    return ", ".join(f"{size:+}" if size else "0" for size in sorted(growth)) or "-"


def _promises(instance: Instance) -> tuple[str, ...]:
    chunnel = instance.chunnel
    names = (", ".join(given) or "-" for given in (chunnel.provides, chunnel.requires))
    return instance.id, "both" if chunnel.both_ends else "-", *names


def _fitted(rows: Sequence[Sequence[str]]) -> str:
    """Return a table in which lists are broken behind commas, so that it is at most 100 columns wide if it can be."""
    for limit in range(WIDEST, NARROWEST - 1, -1):
        text = table(line for row in rows for line in _lines(row, limit))
        if max(map(len, text.splitlines())) <= WIDTH:
            break
    return text


def _lines(row: Sequence[str], limit: int) -> Iterable[tuple[str, ...]]:
    """Yield a row as lines of cells of at most `limit` characters, or one item of a list."""
    return zip_longest(*(_broken(cell, limit) for cell in row), fillvalue="")


def _broken(cell: str, limit: int) -> list[str]:
    lines = [""]
    for item in cell.split(", "):
        longer = f"{lines[-1]}, {item}" if lines[-1] else item
        if len(longer) < limit or not lines[-1]:
            lines[-1] = longer
        else:
            lines[-1] += ","
            lines.append(item)
    return lines


def _data(use: Surveyed) -> dict[str, object]:
    chunnel = use.instance.chunnel
    return {
        "use": use.use, "id": use.instance.id, "chunnel": chunnel.name, "place": chunnel.place,
        "both_ends": chunnel.both_ends, "provides": list(chunnel.provides), "requires": list(chunnel.requires),
        "handlers": [_handler_data(use, handler) for handler in use.handlers],
    }  # fmt: skip


def _handler_data(use: Surveyed, handler: SurveyedHandler) -> dict[str, object]:
    does = handler.effects
    states = [{"name": name, "read": read, "written": written} for name, read, written in _states(use, handler)]
    return {
        "event": handler.event, "reads": sorted(does.reads), "writes": sorted(does.writes), "states": states,
        "drops": does.drops, "bounces": does.bounces, "sends": sorted(does.sent), "redirects": does.redirects,
        "inputs": sorted(does.inputs), "growth": None if handler.growth is None else sorted(handler.growth),
    }  # fmt: skip
