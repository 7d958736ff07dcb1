"""`bertha load`, `unload` and `table` with `--switch`: a switch's programs and tables, over P4Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli import entries
from bertha_ir.cli.output import say_json
from bertha_ir.cli.output import table as columns
from bertha_ir.cli.status import DONE, NO, UsageError
from bertha_ir.cli.stream import complain, say
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.p4runtime.connection import Connection
from bertha_ir.runtime.p4runtime.loading import change, put, remove, running
from bertha_ir.runtime.p4runtime.target import Pipeline, Target, Tls

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from finsy.proto import p4r

    from bertha_ir.runtime.p4runtime.tables import Match, Table


def load(parsed: argparse.Namespace) -> int:
    """Have a switch run a program, with its entries; what is there already stays as it is."""
    if parsed.replace is not None or parsed.mode is not None:
        message = "--replace and --mode are for a host's kernel"
        raise UsageError(message, "a switch has one program: loading another one replaces it")
    target = _target(parsed)
    pipeline = Pipeline.of(Artifact(parsed.folder), parsed.device, standby=parsed.standby)
    config = pipeline.compiled() if parsed.config is None else pipeline.given(parsed.config)
    done = put(target, pipeline, config, take_over=parsed.take_over)
    name = pipeline.program.name
    if parsed.json:
        found = {
            "plan": pipeline.plan[:16], "device": parsed.device, "program": name, "switch": target.address,
            "device_id": target.device_id, "started": done.started, "written": done.written, "removed": done.removed,
            "changed": done.changed,
        }  # fmt: skip
        say_json(ok=True, programs=[found])
    elif done.changed:
        how = "runs" if done.started else "was already running"
        count = f"{done.written} entries written, {done.removed} removed"
        say(f"{name} of {parsed.device}, plan {pipeline.plan[:12]}, {how} in {target.address}: {count}\n")
    else:
        say(f"{name} of {parsed.device}, plan {pipeline.plan[:12]}, was already loaded in {target.address}\n")
    return DONE


def unload(parsed: argparse.Namespace) -> int:
    """Remove the entries that an artifact, or all, have in a switch."""
    target = _target(parsed)
    gone = remove(target, None if parsed.all else Artifact(parsed.folder).plan)
    if parsed.json:
        say_json(ok=True, switch=target.address, removed=gone)
    else:
        say(f"{gone} entries are gone from {target.address}\n" if gone else "nothing is loaded\n")
    return DONE


def table(parsed: argparse.Namespace) -> int:
    """Print a switch's tables, or change one and print it. All entries are read before any is changed."""
    target, artifact = _target(parsed), Artifact(parsed.folder)
    with Connection(target) as switch:
        known = {t.name: t for t in running(switch, artifact).values()}
        if parsed.table is None:
            return _list(switch, known.values(), as_json=parsed.json)
        if parsed.table not in known:
            message = f"no table is called `{parsed.table}`"
            raise UsageError(message, f"tables: {', '.join(known)}")
        chosen = known[parsed.table]
        added = [_entry(text, chosen) for text in parsed.add]
        removed = [chosen.entry(_key(text, chosen), None, ()) for text in parsed.remove]
        if (added or removed) and (lacking := change(switch, artifact.plan, chosen, added, removed)):
            complain(f"bertha table: error: `{chosen.name}` has no entry {_shown(lacking[0], chosen)}\n")
            return NO
        return _list(switch, [chosen], as_json=parsed.json)


def _target(parsed: argparse.Namespace) -> Target:
    """Return which switch is meant. Nobody else can listen in, unless that is asked for. Raises `UsageError`."""
    files = Tls(parsed.tls_ca, parsed.tls_cert, parsed.tls_key)
    if parsed.plain and files != Tls():
        message = "--plain is without TLS"
        raise UsageError(message, "leave out --plain, or --tls-…")
    if (files.cert is None) != (files.key is None):
        message = "a certificate needs its key, and a key its certificate"
        raise UsageError(message, "give --tls-cert and --tls-key")
    tls = None if parsed.plain else files
    target = Target(parsed.switch, parsed.device_id, parsed.election_id, parsed.timeout, tls)
    if target.is_here and files == Tls():
        return Target(parsed.switch, parsed.device_id, parsed.election_id, parsed.timeout)
    return target


def _list(switch: Connection, shown: Iterable[Table], *, as_json: bool) -> int:
    found = list(switch.entries())
    by_table = {t: [e for e in found if e.table_id == t.id] for t in shown}
    if as_json:
        say_json(ok=True, tables={t.name: [_data(e, t) for e in rows] for t, rows in by_table.items()})
        return DONE
    for of, held in by_table.items():
        rows = sorted((_shown(e, of), " ".join(map(str, (of.does(e)[0], *of.does(e)[1])))) for e in held)
        say(f"{of.name}: {len(rows)} entries\n" + (columns(rows, "  ") if rows else ""))
    return DONE


def _entry(text: str, of: Table) -> p4r.TableEntry:
    """Return the entry that `KEY`, `KEY=VALUE` or `KEY=ACTION` means. Raises `UsageError`."""
    key, _, value = text.partition("=")
    action = next((a for a in of.actions if a.name == value), of.actions[0])
    given = "" if action.name == value else value
    values = entries.numbers(given, [width for _, width in action.params]) if given else ()
    if len(values) != len(action.params) or (given and not values):
        message = f"`{text}` is no entry of this table"
        ways = [f"KEY={','.join(f'NUMBER of {w} bits' for _, w in a.params) or a.name}" for a in of.actions]
        raise UsageError(message, f"write {', or '.join(ways)}")
    return of.entry(_key(key, of), action, values)


def _key(text: str, of: Table) -> tuple[Match, ...]:
    """Return what an entry matches. Raises `UsageError`."""
    if any(field.kind == "range" for field in of.fields):
        message = f"of the ranges in `{of.name}` the first that fits counts: none is changed while it is used"
        raise UsageError(message, "compile again, and load that")
    if of.fields[0].kind == "lpm":
        length, begins = entries.prefix(text, of.fields[0].width)
        return ((begins, length),)
    return tuple((number,) for number in entries.key(text, [field.width for field in of.fields]))


def _shown(entry: p4r.TableEntry, of: Table) -> str:
    return ",".join(_field(f.kind, f.width, m) for f, m in zip(of.fields, of.match(entry), strict=True))


def _field(kind: str, width: int, match: Match) -> str:
    if kind == "lpm":
        return entries.shown_prefix(match[1], match[0], width)
    if kind == "exact" and width == entries.STATION:
        return match[0].to_bytes(6, "big").hex(":")
    return "..".join(map(str, match))


def _data(entry: p4r.TableEntry, of: Table) -> list[object]:
    """Return an entry as plain data: its key, the values of its action, and that by name."""
    action, values = of.does(entry)
    key: list[int] = []
    for field, match in zip(of.fields, of.match(entry), strict=True):
        key += reversed(match) if field.kind == "lpm" else match
    return [key, list(values), action]
