"""The P4 target: P4-16 for v1model switches, with what a controller needs to fill its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bertha_ir.backends.base import Backend, Unit, Use
from bertha_ir.backends.p4.entries import commands, write_request
from bertha_ir.backends.p4.names import mangle
from bertha_ir.backends.p4.p4info import p4info
from bertha_ir.backends.p4.resources import estimate
from bertha_ir.backends.p4.source import Source
from bertha_ir.backends.p4.validate import refuse_port, validate

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.program import Root
    from bertha_ir.source import Span
    from bertha_ir.spec import DeviceKind


class P4Backend(Backend):
    """Writes the program, its p4info, and its table entries in two forms."""

    name: ClassVar[str] = "p4"
    kinds: ClassVar[tuple[DeviceKind, ...]] = ("switch",)
    roots: ClassVar[tuple[Root, ...]] = ("frame",)

    def validate(self, unit: Unit) -> tuple[Diagnostic, ...]:
        """Return what a v1model switch cannot hold, or has not enough for."""
        return validate(unit)

    def resources(self, unit: Unit) -> tuple[Use, ...]:
        """Return what a program takes of the switch's pipeline."""
        return estimate(unit.program, unit.limits)

    def check_port(self, number: int, span: Span | None) -> Diagnostic | None:
        """Return why a v1model switch has no such port."""
        return refuse_port(number, span)

    def emit(self, unit: Unit) -> dict[str, str]:
        """Return `NAME.p4`, `NAME.p4info.txtpb`, `NAME.entries.json` and `NAME.commands.txt`."""
        name, source = mangle(unit.program.name), Source(unit)
        return {
            f"{name}.p4": source.text,
            f"{name}.p4info.txtpb": p4info(source.catalogue),
            f"{name}.entries.json": write_request(source.catalogue),
            f"{name}.commands.txt": commands(source.catalogue),
        }
