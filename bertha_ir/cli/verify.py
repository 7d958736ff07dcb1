"""`bertha verify`: check all that an artifact folder claims again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bertha_ir.audit.opened import NoArtifactError
from bertha_ir.audit.run import Options, audit
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, NO, UNSETTLED, UsageError
from bertha_ir.cli.stream import complain, say

if TYPE_CHECKING:
    import argparse

    from bertha_ir.audit.check import Check
    from bertha_ir.interpreter.compare import Difference

WIDTH = 100


def run(parsed: argparse.Namespace) -> int:
    """Print what holds and what does not, one line each."""
    options = Options(parsed.packets, parsed.seed, parsed.timeout, parsed.assumptions, _progress)
    try:
        checks = audit(parsed.folder, options)
    except NoArtifactError as error:
        raise UsageError(str(error), "name a folder that `bertha compile` wrote") from error
    status = exit_status(checks)
    if parsed.json:
        say_json(ok=status == DONE, folder=str(parsed.folder), checks=[check_data(c) for c in checks])
    else:
        say("".join(_text(check) for check in checks))
    return status


def exit_status(checks: tuple[Check, ...]) -> int:
    """Return what all of them come to: one that is refuted decides, then one that is not settled."""
    found = {check.status for check in checks}
    return NO if "refuted" in found else UNSETTLED if "unsettled" in found else DONE


def check_data(check: Check) -> dict[str, object]:
    """Return a check as plain data."""
    data: dict[str, object] = {"subject": check.subject, "status": check.status, "text": check.text, "by": check.by}
    return {**data, "difference": None if check.difference is None else _difference_data(check.difference)}


def _difference_data(found: Difference) -> dict[str, object]:
    return {
        "message": found.number,
        "direction": found.direction,
        "where": found.where,
        "given": [{"what": name, "value": value} for name, value in found.given],
        "rows": [{"what": r.name, "written": r.written, "placed": r.placed} for r in found.rows],
    }


def _text(check: Check) -> str:
    """Return a check's line; below it, the message that refutes it."""
    line = f"{check.status:<9}  {check.subject:<13}  {check.text}" + (f" (by: {check.by})" if check.by else "")
    if check.status == "holds" and len(line) > WIDTH:
        line = f"{line[: WIDTH - 1]}…"
    return line + "\n" + ("" if check.difference is None else _difference(check.difference))


def _difference(found: Difference) -> str:
    given = table(found.given, "    ") + "\n" if found.given else ""
    rows = [("", "as written", "as placed"), *((r.name, r.written or "-", r.placed or "-") for r in found.rows)]
    return given + table(rows, "    ")


def _progress(what: str, done: int, of: int) -> None:
    """Show how far a long run is, where someone is looking."""
    if sys.stderr.isatty() and (done % 50 == 0 or done == of):
        complain(f"\r{done} of {of} {what}" + ("\r\033[K" if done == of else ""))
