"""`bertha table`: show and change the tables of loaded programs, while they run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from bertha_ir.cli import entries
from bertha_ir.cli.loaded import refusing
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, NO, UsageError
from bertha_ir.cli.stream import complain, say
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.pinned import Pins

if TYPE_CHECKING:
    import argparse

    from bertha_ir.cli.entries import Numbers
    from bertha_ir.runtime.maps import Map


@refusing
def run(parsed: argparse.Namespace) -> int:
    """Print the tables, or change one and print it. All entries are read before any is changed."""
    if parsed.switch is not None:
        from bertha_ir.cli.switched import table as on_switch  # noqa: PLC0415  (start-up time; needs an extra)

        return on_switch(parsed)
    return _here(parsed)


def _here(parsed: argparse.Namespace) -> int:
    artifact, pins = Artifact(parsed.folder), Pins()
    with ExitStack() as opened:
        found: dict[str, list[Map]] = {}
        for loaded in (p for p in pins.loaded() if artifact.plan.startswith(p.plan)):
            for name, map_ in opened.enter_context(pins.maps(artifact, loaded)).items():
                if map_.is_table:
                    found.setdefault(name, []).append(map_)
        if parsed.table is None:
            return _list(found, as_json=parsed.json)
        if parsed.table not in found:
            message = f"no table that can be changed is called `{parsed.table}`"
            raise UsageError(message, f"tables: {', '.join(found) or 'none; see `bertha load`'}")
        maps = found[parsed.table]
        added = [_entry(text, maps[0]) for text in parsed.add]
        removed = [_key(text, maps[0]) for text in parsed.remove]
        gone = [key for key in removed if maps[0].get(key) is None]
        if gone:
            complain(f"bertha table: error: `{parsed.table}` has no entry {_shown(gone[0], maps[0])}\n")
            return NO
        for map_ in maps:
            for key, value in added:
                map_[key] = value
            for key in removed:
                del map_[key]
        return _list({parsed.table: maps}, as_json=parsed.json)


def _list(found: dict[str, list[Map]], *, as_json: bool) -> int:
    if as_json:
        data = {name: [[list(k), list(v)] for k, v in maps[0].items()] for name, maps in found.items()}
        say_json(ok=True, tables=data)
        return DONE
    for name, maps in found.items():
        rows = sorted((_shown(k, maps[0]), " ".join(map(str, v))) for k, v in maps[0].items())
        say(f"{name}: {len(rows)} entries\n" + (table(rows, "  ") if rows else ""))
    if not found:
        say("no table that can be changed while it is used is loaded\n")
    return DONE


def _entry(text: str, map_: Map) -> tuple[Numbers, Numbers]:
    """Return the key and the value of `KEY` or `KEY=VALUE`. Raises `UsageError`."""
    key, equals, value = text.partition("=")
    values = entries.numbers(value, map_.value_widths) if equals else ()
    if bool(equals) != bool(map_.value_widths) or len(values) != len(map_.value_widths):
        takes = (
            f"KEY={','.join(f'NUMBER of {w} bits' for w in map_.value_widths)}" if map_.value_widths else "KEY alone"
        )
        message = f"`{text}` is no entry of this table"
        raise UsageError(message, f"write {takes}")
    return _key(key, map_), values


def _key(text: str, map_: Map) -> Numbers:
    """Return the key that a text means: a prefix, an address, or numbers separated by commas. Raises `UsageError`."""
    return entries.prefix(text, map_.key_widths[0]) if map_.is_prefixes else entries.key(text, map_.key_widths)


def _shown(key: Numbers, map_: Map) -> str:
    return entries.shown_prefix(key[0], key[1], map_.key_widths[0]) if map_.is_prefixes else ",".join(map(str, key))
