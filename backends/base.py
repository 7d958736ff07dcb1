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
    (in, out) ports between which it forwards, whether the plan runs the program or it stands by, and the figures by
    which the device's profile says how much it has of something; those of sizes are in bytes.
    """

    program: DeviceProgram
    messages: tuple[Message, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    active: bool = True
    limits: tuple[tuple[str, float], ...] = ()


@frozen
class Use:
    """How much a program needs of something that a device has so much of; None when that is not known, or no limit."""

    name: str
    needs: int
    has: int | None = None

    @property
    def exceeded(self) -> bool:
        """Whether the program needs more than there is."""
        return self.has is not None and self.needs > self.has


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

    def resources(self, unit: Unit) -> tuple[Use, ...]:  # noqa: ARG002  (for those that estimate)
        """Return what a program that `validate` found nothing against takes of its device, as far as that is
        estimated.
        """
        return ()

    @abstractmethod
    def emit(self, unit: Unit) -> dict[str, str]:
        """Return the files of the artifact by their path below `<name>/<device>/`.

        Deterministic. Only for a unit that `validate` found nothing against.
        """


BACKENDS: Registry[type[Backend]] = Registry("backend", "bertha_ir.backends")
BACKENDS.add("ebpf", "bertha_ir.backends.ebpf.target:EbpfBackend")
BACKENDS.add("p4", "bertha_ir.backends.p4.target:P4Backend")
BACKENDS.add("python", "bertha_ir.backends.python.target:PythonBackend")
