"""What an audit says of one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

if TYPE_CHECKING:
    from bertha_ir.interpreter.compare import Difference

Status = Literal["holds", "refuted", "unsettled", "assumed"]
Subject = Literal["files", "plan", "specification", "programs", "ledger", "certificate", "messages", "assumption"]


@frozen
class Check:
    """One thing that was checked: `text` says what, and why not if it does not hold.

    `assumed`: nobody proved it, and `by` takes it for granted. `difference`: the message that refutes it.
    """

    subject: Subject
    status: Status
    text: str
    by: str | None = None
    difference: Difference | None = None
