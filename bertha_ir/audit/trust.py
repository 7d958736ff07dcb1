"""Whether an artifact of somebody else's may be run: all that it claims is checked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.audit.opened import NoArtifactError
from bertha_ir.audit.run import Options, audit
from bertha_ir.diagnostics import BerthaError

if TYPE_CHECKING:
    from pathlib import Path

PACKETS = 50  # messages that are run through specification and programs


def distrusted(folder: Path, *, assumptions: bool = True) -> str | None:
    """Return why an artifact must not be trusted, or None: its files are not those that its own specification compiles
    to, a rewrite is not proved, or its programs do not do what was written. `assumptions`: whether what its maker
    assumes without a proof may be taken for granted.
    """
    try:
        checks = audit(folder, Options(PACKETS, assumptions=assumptions))
    except NoArtifactError as error:
        return str(error)
    except BerthaError as error:
        return error.diagnostics[0].message
    wrong = next((check for check in checks if check.status in {"refuted", "unsettled"}), None)
    return None if wrong is None else f"{wrong.subject}: {wrong.text}"
