"""What uses of chunnels do to messages and to state, handler by handler, read off their bodies alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.passes.canonicalize import fold
from bertha_ir.passes.effects import Effects, effects
from bertha_ir.passes.growth import Growth, growth
from bertha_ir.passes.substitute import Names, body_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.spec import Event, Handler, Instance, Specification, Transport


@frozen
class SurveyedHandler:
    """What one handler does. `growth`: by how many bytes the payload may change, as `growth` gives it."""

    event: Event
    effects: Effects
    growth: Growth


@frozen
class Surveyed:
    """One use of a chunnel, `use` as it is written, with its handlers."""

    use: str
    instance: Instance
    handlers: tuple[SurveyedHandler, ...]


@frozen
class _OwnNames(Names):
    """States keep the names that they are declared by."""

    def of(self, name: str) -> str:
        """Return the name itself."""
        return name


def survey(chain: tuple[Instance, ...], specification: Specification) -> tuple[Surveyed, ...]:
    """Return what each use in a chain does with its arguments; addresses are those of the transport at its end."""
    transport = chain[-1].chunnel.transport if chain else None
    headers = {m.name: m.size for m in specification.messages}
    return tuple(
        Surveyed(
            " ".join(instance.span.text.split()) if instance.span else instance.id,
            instance,
            tuple(_surveyed(instance, handler, transport, headers) for handler in instance.chunnel.handlers),
        )
        for instance in chain
    )


def _surveyed(
    instance: Instance, handler: Handler, transport: Transport | None, headers: Mapping[str, int]
) -> SurveyedHandler:
    body = fold(body_of(handler, instance, _OwnNames("", "request", instance), transport))
    # A timer has no message whose size could change.
    changed = growth(body, headers) if handler.event != "timer" else frozenset[int]()
    return SurveyedHandler(handler.event, effects(body), changed)
