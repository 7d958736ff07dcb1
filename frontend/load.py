"""The frontend's door: files in, a specification or every mistake out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define

from bertha_ir.diagnostics import BerthaError, Collector, Diagnostic
from bertha_ir.frontend.changes import changed
from bertha_ir.frontend.chunnels import declare
from bertha_ir.frontend.codes import CH015TooMany
from bertha_ir.frontend.implementations import resolve_implementation
from bertha_ir.frontend.messages import resolve_messages
from bertha_ir.frontend.names import Names
from bertha_ir.frontend.rules import resolve_rule
from bertha_ir.frontend.site import resolve_site
from bertha_ir.frontend.sources import read_argument, read_changes, read_files, read_library
from bertha_ir.frontend.stacks import resolve_stack, resolve_uses
from bertha_ir.frontend.workloads import resolve_workloads
from bertha_ir.spec import Specification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.diagnostics import Code, Label
    from bertha_ir.source import Span
    from bertha_ir.spec import Chunnel, Instance


MAX_MISTAKES = 1000


class _FullError(Exception):
    """There are more mistakes than anyone reads."""


@define
class _Limited(Collector):
    """Stops the run at the thousandth mistake, so that a file of nothing but mistakes does not take minutes."""

    def add(
        self,
        code: type[Code],
        message: str,
        span: Span | None,
        help: str | None = None,  # noqa: A002  (the field's name everywhere)
        labels: tuple[Label, ...] = (),
    ) -> None:
        """Report an error."""
        Collector.add(self, code, message, span, help, labels)
        if len(self.found) == MAX_MISTAKES:
            raise _FullError


def load(files: Sequence[Path], changes: Sequence[str] = ()) -> Specification:
    """Return the specification that the files, their imports and the standard library make together.

    `changes`: declarations of a site that take the place of those of the files, or are added (see
    `bertha_ir.frontend.changes`); they are the sources `argument 1`, `argument 2`.

    Raises:
        BerthaError: with every mistake of the run, in the order of files and places.
    """
    return _load(files, (), changes)[0]


def load_uses(files: Sequence[Path], texts: Sequence[str]) -> tuple[Specification, tuple[tuple[Instance, ...], ...]]:
    """Return what `load` returns, and the instances of each text: a chain such as `encrypt(secret("k")) |> http2`.

    A chain need not end in a transport. The ids of the instances are unique among all texts: `count`, `count_2`.

    Raises:
        BerthaError: with every mistake of the run; the texts are the sources `argument 1`, `argument 2`.
    """
    return _load(files, texts, ())


def _load(
    files: Sequence[Path], texts: Sequence[str], changes: Sequence[str]
) -> tuple[Specification, tuple[tuple[Instance, ...], ...]]:
    collector = _Limited()
    try:
        loaded = _resolve(files, texts, changes, collector)
    except _FullError:
        last = max((d.span for d in collector.found if d.span), key=lambda s: s.start, default=None)
        Collector.add(
            collector, CH015TooMany, f"{MAX_MISTAKES} mistakes are found", last, "mend these first; there may be more"
        )
    collector.check()
    return loaded


def check(files: Sequence[Path]) -> tuple[Diagnostic, ...]:
    """Return every mistake of the files; none when `load` would succeed."""
    try:
        load(files)
    except BerthaError as error:
        return error.diagnostics
    return ()


def library() -> tuple[Chunnel, ...]:
    """Return the chunnels of the standard library, as they are declared."""
    return load(()).chunnels


def _resolve(
    files: Sequence[Path], texts: Sequence[str], changes: Sequence[str], collector: Collector
) -> tuple[Specification, tuple[tuple[Instance, ...], ...]]:
    names = Names(collector)
    names.declare(read_library())
    declared_there = read_files([Path(f) for f in files], collector)
    names.declare(changed(declared_there, read_changes(changes, collector)))
    resolve_messages(names)
    declared, chunnels = {}, []
    for name, node in names.chunnels.items():
        declared[name], chunnel = declare(node, names)
        if chunnel is not None:
            chunnels.append(chunnel)
    stacks = tuple(resolve_stack(node, declared, names) for node in names.stacks.values())
    used: dict[str, int] = {}
    chains = (read_argument(number, text, collector) for number, text in enumerate(texts, 1))
    instances = tuple(resolve_uses(chain, declared, names, used) for chain in chains)
    rules = tuple(resolve_rule(node, declared, names) for node in names.rules.values())
    messages = tuple(names.layouts.values())
    supplied = tuple(resolve_implementation(node, names) for node in names.implementations.values())
    site, workloads = resolve_site(names), resolve_workloads(names)
    return Specification(messages, tuple(chunnels), stacks, site, rules, supplied, workloads), instances
