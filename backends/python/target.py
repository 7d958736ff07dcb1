"""The Python target: one module a program, for a process on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bertha_ir.backends.base import Backend, Unit
from bertha_ir.backends.names import mangle
from bertha_ir.backends.python.source import Source
from bertha_ir.backends.python.validate import validate

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.program import Root
    from bertha_ir.spec import DeviceKind


class PythonBackend(Backend):
    """Writes one function a program, its ops fused: `run` for packets, `encode` and `decode` for the ends."""

    name: ClassVar[str] = "python"
    kinds: ClassVar[tuple[DeviceKind, ...]] = ("host",)
    roots: ClassVar[tuple[Root, ...]] = ("frame", "datagram", "send", "recv")

    def validate(self, unit: Unit) -> tuple[Diagnostic, ...]:
        """Return what a process does not run."""
        return validate(unit.program)

    def emit(self, unit: Unit) -> dict[str, str]:
        """Return `NAME.py`."""
        return {f"{mangle(unit.program.name)}.py": Source(unit).text}
