"""What a backend is: it validates a device program, then prints it. It never changes it and decides nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from bertha_ir.registry import Registry

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.message import Message
    from bertha_ir.program import DeviceProgram, Root
    from bertha_ir.source import Span
    from bertha_ir.spec import DeviceKind


@frozen
class Unit:
    """What a backend is given: a program, the layouts of the messages that its records have, for a switch the
    (in, out) ports between which it forwards, and whether the plan runs the program or it stands by.
    """

    program: DeviceProgram
    messages: tuple[Message, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    active: bool = True


class Backend(ABC):
    """One target. Backends are stateless; `name` is the folder of the artifact its files go to.

    `kinds`: the kinds of devices that it makes programs for; `roots`: the roots of the programs it takes.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[DeviceKind, ...]]
    roots: ClassVar[tuple[Root, ...]]

    @abstractmethod
    def validate(self, unit: Unit) -> tuple[Diagnostic, ...]:
        """Return why the target cannot run the program, each with the span of the source that caused it; empty when
        it can.
        """

    def check_port(self, number: int, span: Span | None) -> Diagnostic | None:  # noqa: ARG002  (for those with ports)
        """Return why a device of this target has no such port; None when it may. `span` is where the number stands."""
        return None

    @abstractmethod
    def emit(self, unit: Unit) -> dict[str, str]:
        """Return the files of the artifact by their path below `<name>/<device>/`.

        Deterministic. Only for a unit that `validate` found nothing against.
        """


BACKENDS: Registry[type[Backend]] = Registry("backend", "bertha_ir.backends")
BACKENDS.add("ebpf", "bertha_ir.backends.ebpf.target:EbpfBackend")
BACKENDS.add("p4", "bertha_ir.backends.p4.target:P4Backend")
BACKENDS.add("python", "bertha_ir.backends.python.target:PythonBackend")
