"""What the prover says. There are three answers, and only `Proved` lets a rewrite pass."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from bertha_ir.interpreter.trace import Start

Status = Literal["proved", "refuted", "unknown"]


@frozen
class Proved:
    """It holds of every message and state. `by`: disjoint `effects`, or `z3`, whose question in SMT-LIB is the
    certificate: it must be unsatisfiable.
    """

    by: Literal["effects", "z3"]
    reason: str
    certificate: str | None = field(default=None, repr=False)

    status: Status = field(default="proved", init=False)

    @property
    def name(self) -> str | None:
        """The certificate's sha256, in hex."""
        return hashlib.sha256(self.certificate.encode()).hexdigest() if self.certificate is not None else None


@frozen
class Refuted:
    """It does not hold of this message and state: the interpreter has run both sides from there, and they differ.

    `other`: the second message of a pair, where the difference is one of secrecy. A guarantee is lost without a packet.
    """

    reason: str
    start: Start | None
    other: Start | None = None

    status: Status = field(default="refuted", init=False)


@frozen
class Unknown:
    """Neither was found."""

    reason: str

    status: Status = field(default="unknown", init=False)


Answer = Proved | Refuted | Unknown
