"""`audit`: everything that an artifact folder claims, checked again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from bertha_ir import __version__, api, artifact
from bertha_ir.audit.check import Check
from bertha_ir.audit.ledger import LedgerAudit, derived
from bertha_ir.audit.opened import Opened, opened, printed
from bertha_ir.audit.order import reordered
from bertha_ir.interpreter.both import FAILURES
from bertha_ir.interpreter.compare import Compared, Subject, compare
from bertha_ir.text import print_ir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bertha_ir.audit.check import Status
    from bertha_ir.plan import Plan


@frozen
class Options:
    """`packets` and `seed`: how many messages are tried in each stack, and which; `timeout_s` for each certificate;
    `assumptions`: whether what nobody proved may be taken for granted. `progress` is told what is done, of how many.
    """

    packets: int = 1000
    seed: int = 0
    timeout_s: float = 10.0
    assumptions: bool = True
    progress: Callable[[str, int, int], None] = lambda _, __, ___: None


def audit(folder: Path, options: Options) -> tuple[Check, ...]:
    """Return what holds of an artifact folder, and what does not.

    Raises `NoArtifactError`, and `BerthaError` (CH404) for files that are no longer what they are called.
    """
    return tuple(_audited(opened(folder), options))


def _audited(found: Opened, options: Options) -> Iterator[Check]:
    parts = (_files, _plans, _programs, _ledger, _messages, _assumptions)
    yield from (check for part in parts for check in _guarded(part, found, options))
    for other in found.alternatives:
        name = other.folder.relative_to(found.folder)
        yield from (evolve(check, text=f"{name}: {check.text}") for check in _audited(other, options))


def _guarded(part: Callable[[Opened, Options], Iterator[Check]], found: Opened, options: Options) -> Iterator[Check]:
    """Yield a part's checks. Values of the right shape may still be of no sense: then the part does not hold."""
    try:
        yield from part(found, options)
    except (*FAILURES, RuntimeError) as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        yield Check("programs", "refuted", f"what is in ir/ makes no sense: {text}")


def _files(found: Opened, _: Options) -> Iterator[Check]:
    for line in found.wrong:
        yield Check("files", "refuted", line)
    if not found.wrong:
        yield Check("files", "holds", f"{found.listed} files are as the manifest says")


def _plans(found: Opened, _: Options) -> Iterator[Check]:
    for plan, given in zip(found.plans, found.ids, strict=True):
        if plan.id != given:
            yield Check("plan", "refuted", f"{plan.stack}: the id of what is in it is {plan.id}, not {given}")
    whole = api.plan_id(found.plans)
    if whole == found.plan:
        yield Check("plan", "holds", f"its id {whole[:12]} is that of its content")
    else:
        yield Check("plan", "refuted", f"the id of its content is {whole}, and the manifest has {found.plan}")


def _programs(found: Opened, _: Options) -> Iterator[Check]:
    """Yield whether the files are those that the programs and the plan print as; another version may print others."""
    differ = artifact.stale(found.folder, printed(found))
    fresh = [line for line in differ if line not in found.wrong]
    if found.version != __version__ and differ:
        text = (
            f"{len(differ)} files are not what is printed now; Bertha {found.version} wrote them, this is {__version__}"
        )
        yield Check("programs", "unsettled", text)
        return
    for line in fresh:
        yield Check("programs", "refuted", f"{line} from what ir/ and plan.json print as")
    if not differ:
        yield Check("programs", "holds", f"{len(found.programs)} programs print as the files that are here")


def _ledger(found: Opened, options: Options) -> Iterator[Check]:
    module = derived(found)
    if module is None:
        yield Check("specification", "refuted", "ir/graphs.ir is not what ir/specification.ir becomes")
        return
    hashes = {stack.name: hashlib.sha256(print_ir(stack).encode()).hexdigest() for stack in module.specification.stacks}
    wrong = [plan.stack for plan in found.plans if hashes.get(plan.stack) != plan.specification]
    for name in wrong:
        yield Check(
            "specification", "refuted", f"{name}: the plan is of another specification than ir/specification.ir"
        )
    if sorted(hashes) != sorted(plan.stack for plan in found.plans):
        yield Check("specification", "refuted", f"its stacks are {', '.join(sorted(hashes))}; the plan has others")
    elif not wrong:
        yield Check("specification", "holds", "the directions in ir/graphs.ir follow from it, and the plan is of it")
    ledger = LedgerAudit(found, module, options.timeout_s)
    yield from ledger.entries()
    yield from ledger.certificates(lambda done, of: options.progress("certificates", done, of))


def _messages(found: Opened, options: Options) -> Iterator[Check]:
    messages = {m.name: m for m in found.specification.messages}
    ports = frozenset(plan.service[1] for plan in found.plans if plan.service is not None)
    for plan in found.plans:
        subject = Subject(plan, found.graphs, found.programs, messages, ports, tuple(reordered(plan, found)))
        compared = compare(
            subject, count=options.packets, seed=options.seed,
            progress=lambda done: options.progress("messages", done, options.packets),
        )  # fmt: skip
        yield from _compared(plan, compared)


def _compared(plan: Plan, compared: Compared) -> Iterator[Check]:
    for reason in compared.left_out:
        yield Check("messages", "unsettled", f"{plan.stack}: not compared: {reason}")
    difference = compared.difference
    if difference is not None:
        which = "all messages" if difference.direction is None else f"message {difference.number}"
        text = f"{plan.stack}: {difference.where} is not as written, after {which}"
        yield Check("messages", "refuted", text, difference=difference)
    elif compared.messages:
        counts = ", ".join(f"{n} {direction}s" for direction, n in compared.messages.items())
        text = f"{counts}, {compared.others} other frames: {len(compared.programs)} programs do as written"
        notes = "".join(f"; not compared: {note}" for note in compared.notes)
        yield Check("messages", "holds", f"{plan.stack}: {text}{notes}")
    elif not compared.left_out:
        yield Check("messages", "holds", f"{plan.stack}: nothing is done to its messages")


def _assumptions(found: Opened, options: Options) -> Iterator[Check]:
    refused: Status = "assumed" if options.assumptions else "refuted"
    for plan in found.plans:
        for entry in (e for e in plan.ledger if e.status == "assumed"):
            yield Check("assumption", refused, f"{plan.stack}: {entry.rewrite}: {entry.detail}", entry.by)
        for note in plan.assumptions:
            harmless = note.about == "costs"
            yield Check("assumption", "assumed" if harmless else refused, f"{plan.stack}: {note.text}", note.by)
