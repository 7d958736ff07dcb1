"""Puts what an artifact has for a switch into the switch, over P4Runtime, to stay, and takes it out again.

Every entry that is written is marked as its plan's (`metadata`, P4Runtime specification 1.3, section 9.1), the program
by its cookie. So it is known what is ours, whoever loads next and from wherever; what others wrote is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finsy.proto import p4i, p4r
from google.protobuf import json_format, text_format

from bertha_ir.runtime.p4runtime.connection import Connection
from bertha_ir.runtime.p4runtime.failures import RefusedError
from bertha_ir.runtime.p4runtime.tables import identity, same, tables
from bertha_ir.runtime.p4runtime.target import P4RuntimeError, Pipeline, is_ours

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from bertha_ir.runtime.artifact import Artifact
    from bertha_ir.runtime.p4runtime.tables import Table
    from bertha_ir.runtime.p4runtime.target import Target

    Entries = dict[Hashable, p4r.TableEntry]

_MARK = b"bertha "
_SHORT = 16  # characters of a plan's id in a mark, as in a pin's path
INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE


@dataclass(frozen=True)
class Done:
    """What loading changed: whether the switch got the program anew, and how many entries were written and removed."""

    started: bool
    written: int
    removed: int

    @property
    def changed(self) -> bool:
        """Whether anything had to be done."""
        return self.started or self.written > 0 or self.removed > 0


def put(target: Target, pipeline: Pipeline, config: bytes, *, take_over: bool = False) -> Done:
    """Have a switch run a program, compiled, with its entries; return what had to be done.

    May be repeated: a program that runs goes on, with all that its registers remember, entries that are right stay, and
    so do those that were added since. Entries of another plan's are removed. Another program is replaced, with all its
    entries, if it is Bertha's, or for `take_over`; so is an entry of another controller's with the key of one of ours.

    `P4RuntimeError` when the switch refuses. It may then have the program and some entries: loading again completes it.
    """
    info, wanted = _described(pipeline), _wanted(pipeline)
    cookie = pipeline.cookie(config)
    with Connection(target) as switch:
        switch.become_primary()
        there, old = switch.pipeline()
        started = there != info or old != cookie
        if started:
            if there is not None and not is_ours(old) and not take_over:
                msg = "the switch runs a program that Bertha did not load: to replace it, give --take-over"
                raise P4RuntimeError(msg)
            switch.run(info, config, cookie)
        found = _read(switch)
        updates = _missing(wanted, found, tables(info), take_over=take_over)
        stale = [e for k, e in found.items() if _is_ours(e) and e.metadata != _mark(pipeline.plan) and k not in wanted]
        _write(switch, updates, tables(info))
        _write(switch, [_update(DELETE, entry) for entry in stale], tables(info))
        _verify(switch, info, cookie, wanted, stale)
    return Done(started, len(updates), len(stale))


def remove(target: Target, plan: str | None = None) -> int:
    """Remove the entries that a plan, or any, has in a switch; return how many there were. The program goes on."""
    with Connection(target) as switch:
        switch.become_primary()
        info, _ = switch.pipeline()
        if info is None:
            return 0
        gone = [e for e in switch.entries() if _is_ours(e) and (plan is None or e.metadata == _mark(plan))]
        _write(switch, [_update(DELETE, entry) for entry in gone], {})
        return len(gone)


def running(switch: Connection, artifact: Artifact) -> dict[int, Table]:
    """Return the tables of the program of an artifact's that a switch runs; `P4RuntimeError` when it runs none."""
    there, _ = switch.pipeline()
    for program in (p for p in artifact.programs if p.backend == "p4"):
        if there == _described(Pipeline.of_program(artifact, program)):
            return tables(there)
    msg = f"`{switch.target.address}` runs no program of `{artifact.folder}`; see `bertha load`"
    raise P4RuntimeError(msg)


def change(
    switch: Connection, plan: str, table: Table, added: Iterable[p4r.TableEntry], removed: Iterable[p4r.TableEntry]
) -> tuple[p4r.TableEntry, ...]:
    """Insert or replace entries of a table, marked as a plan's, and remove others, by key; return those to remove that
    are not there, in which case nothing is changed.
    """
    switch.become_primary()
    found = _read(switch)
    gone = list(removed)
    if lacking := tuple(entry for entry in gone if identity(entry) not in found):
        return lacking
    updates = []
    for entry in added:
        entry.metadata = _mark(plan)
        updates.append(_update(MODIFY if identity(entry) in found else INSERT, entry))
    _write(switch, updates, {table.id: table})
    _write(switch, [_update(DELETE, entry) for entry in gone], {table.id: table})
    return ()


def _described(pipeline: Pipeline) -> p4i.P4Info:
    info = p4i.P4Info()
    text_format.Parse(pipeline.p4info, info)
    return info


def _wanted(pipeline: Pipeline) -> Entries:
    """Return a program's entries, marked, by what tells them apart."""
    found: Entries = {}
    for update in json_format.ParseDict(pipeline.entries, p4r.WriteRequest()).updates:
        entry = update.entity.table_entry
        entry.metadata = _mark(pipeline.plan)
        found[identity(entry)] = entry
    return found


def _missing(wanted: Entries, found: Entries, known: dict[int, Table], *, take_over: bool) -> list[p4r.Update]:
    """Return the updates after which a switch has what it should, in the order of the artifact."""
    updates = []
    for number, (key, entry) in enumerate(wanted.items(), 1):
        old = found.get(key)
        if old is None:
            updates.append(_update(INSERT, entry))
        elif not _is_ours(old) and not take_over:
            what = f"entry {number} of {len(wanted)}, {described(entry, known)},"
            msg = f"{what} is another controller's in the switch: to replace it, give --take-over"
            raise P4RuntimeError(msg)
        elif not same(old, entry):
            updates.append(_update(MODIFY, entry))
    return updates


def _verify(switch: Connection, info: p4i.P4Info, cookie: int, wanted: Entries, stale: list[p4r.TableEntry]) -> None:
    """Read back what was written; `P4RuntimeError` when the switch has something else."""
    if switch.pipeline() != (info, cookie):
        msg = "the switch does not say that it runs what it was given"
        raise P4RuntimeError(msg)
    found = _read(switch)
    for number, (key, entry) in enumerate(wanted.items(), 1):
        if key not in found or not same(found[key], entry):
            what = "another one" if key in found else "none"
            msg = f"the switch took entry {number} of {len(wanted)}, {described(entry, tables(info))}, but has {what}"
            raise P4RuntimeError(msg)
    if left := [entry for entry in stale if identity(entry) in found]:
        msg = f"the switch still has {len(left)} entries that it was told to remove"
        raise P4RuntimeError(msg)


def described(entry: p4r.TableEntry, known: dict[int, Table]) -> str:
    """Return an entry in a sentence."""
    table = known.get(entry.table_id)
    if table is None:
        return f"of the table {entry.table_id:#x}"
    key = ", ".join("/".join(map(hex, match)) for match in table.match(entry))
    return f"{key} of `{table.name}`"


def _write(switch: Connection, updates: Sequence[p4r.Update], known: dict[int, Table]) -> None:
    try:
        switch.write(updates)
    except RefusedError as error:
        if not error.reasons:
            raise
        number, reason = min(error.reasons.items())
        what = described(updates[number].entity.table_entry, known) if number < len(updates) else "which is none"
        more = f", and {len(error.reasons) - 1} others" if len(error.reasons) > 1 else ""
        msg = f"the switch refuses entry {number + 1} of {len(updates)}, {what}: {reason}{more}"
        raise P4RuntimeError(msg) from error


def _read(switch: Connection) -> Entries:
    return {identity(entry): entry for entry in switch.entries()}


def _update(kind: p4r.Update.Type.ValueType, entry: p4r.TableEntry) -> p4r.Update:
    return p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry))


def _mark(plan: str) -> bytes:
    return _MARK + plan[:_SHORT].encode()


def _is_ours(entry: p4r.TableEntry) -> bool:
    return entry.metadata.startswith(_MARK)
