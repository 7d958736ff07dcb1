"""What a pass is: a named step from module to module that says what it needs and what it establishes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from attrs import Factory, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.cost_models.base import CostModel
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.plan import Alternative, LedgerEntry, PlacedProgram, Plan
    from bertha_ir.program import DeviceProgram
    from bertha_ir.source import Span
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph

Fact = Literal["ruled", "expanded", "canonical", "undone", "placed", "lowered"]


@frozen
class Module:
    """What is being compiled, at whatever stage: a pass fills in or replaces the parts it establishes.

    `certificates`: the SMT-LIB texts that ledgers name, by their sha256. `ledger`: what was rewritten before there was
    a plan to note it in, by stack; `alternatives`: the ways through selects that were not chosen, by stack.
    """

    specification: Specification
    graphs: tuple[Graph, ...] = ()
    plans: tuple[Plan, ...] = ()
    programs: tuple[PlacedProgram, ...] = ()
    certificates: Mapping[str, str] = Factory(dict)
    ledger: Mapping[str, tuple[LedgerEntry, ...]] = Factory(dict)
    alternatives: Mapping[str, tuple[Alternative, ...]] = Factory(dict)

    def directions(self, stack: str) -> tuple[Graph, ...]:
        """Return the graphs of one stack."""
        return tuple(g for g in self.graphs if g.stack == stack)


class Target(Protocol):
    """What passes need to know of a backend."""

    @property
    def name(self) -> str:
        """The backend's name."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of devices it makes programs for."""

    def check(self, program: DeviceProgram) -> tuple[Diagnostic, ...]:
        """Return why the target cannot run the program; empty when it can."""

    def check_port(self, number: int, span: Span | None) -> Diagnostic | None:
        """Return why a device of the target has no such port; None when it may."""


@frozen
class Context:
    """What passes may consult besides the module: the targets by device kind, and the cost model."""

    targets: Mapping[str, Target]
    cost_model: CostModel
    cost_model_name: str = "profile"


class Pass(ABC):
    """One step. Options are the fields of a frozen attrs subclass, and print in a pipeline as `name{option=value}`."""

    name: ClassVar[str]
    requires: ClassVar[frozenset[Fact]] = frozenset()
    establishes: ClassVar[frozenset[Fact]] = frozenset()

    @abstractmethod
    def run(self, module: Module, context: Context) -> Module:
        """Return the new module. Raises `BerthaError` for what the user must mend."""
