"""A diagnostic is data: a code, a sentence, the place, labels, and what to do. Rendering is apart (`render`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import Factory, define, field, frozen

if TYPE_CHECKING:
    from bertha_ir.diagnostics.code import Code
    from bertha_ir.source import Span


@frozen
class Label:
    """A second place that explains the first."""

    span: Span
    text: str


@frozen
class Diagnostic:
    """One mistake. The message is one sentence in lower case without a final period; user text in backticks."""

    code: type[Code]
    message: str
    span: Span | None
    help: str | None = None
    labels: tuple[Label, ...] = ()
    severity: Literal["error", "warning"] = "error"


class BerthaError(Exception):
    """What the user gave cannot be compiled; holds every diagnostic that was found."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(f"{d.code.number()}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics


@define
class Collector:
    """Gathers diagnostics, one per (code, place), so that one run reports every mistake once."""

    found: list[Diagnostic] = Factory(list)
    _seen: set[tuple[str, object]] = field(factory=set, init=False)

    def add(
        self,
        code: type[Code],
        message: str,
        span: Span | None,
        help: str | None = None,  # noqa: A002  (the field's name everywhere)
        labels: tuple[Label, ...] = (),
    ) -> None:
        """Report an error."""
        place = (span.source.path, span.start, span.end) if span else message
        if (code.number(), place) not in self._seen:
            self._seen.add((code.number(), place))
            self.found.append(Diagnostic(code, message, span, help, labels))

    def check(self) -> None:
        """Raise `BerthaError` with everything found so far, in source order, if anything was."""
        if self.found:
            raise BerthaError(tuple(sorted(self.found, key=_order)))


def _order(diagnostic: Diagnostic) -> tuple[str, int]:
    span = diagnostic.span
    return (span.source.path, span.start) if span else ("", 0)
