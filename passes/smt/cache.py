"""Remembers answers in a folder, by the content of the question. The folder may be deleted at any time; processes share
it without locks, as each file is written whole and then renamed; what is damaged is asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import z3
from attrs import define

from bertha_ir.passes.smt.answer import Refuted, Unknown
from bertha_ir.passes.smt.question import Question, differs, run_both
from bertha_ir.passes.smt.record import answer_data, answer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.message import Message
    from bertha_ir.passes.smt.answer import Answer
    from bertha_ir.stack import Op

ENCODING = 10
"""Increase it when questions are encoded, or starts recorded, in another way."""


def default_folder() -> Path:
    """Return `$BERTHA_CACHE`, or `bertha/proofs` in the user's cache folder."""
    if given := os.environ.get("BERTHA_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bertha" / "proofs"


@define
class Cache:
    """Answers by question. `hits` counts those that were known. An `unknown` is never remembered."""

    folder: Path
    hits: int = 0
    asked: int = 0

    def __call__(self, kind: str, question: Question, ask_now: Callable[[], Answer]) -> Answer:
        """Return what is known, or ask and remember."""
        self.asked += 1
        file = self._file(kind, question)
        known = _read(file)
        if known is not None and _still_true(kind, question, known):
            self.hits += 1
            return known
        answer = ask_now()
        if not isinstance(answer, Unknown):
            _write(file, answer)
        return answer

    def _file(self, kind: str, question: Question) -> Path:
        made = (question.observed, question.network, question.record, question.parameters, question.condition)
        parts = [str(ENCODING), z3.get_version_string(), kind, repr(made)]
        parts += [_digest(message) for message in question.spoken()]
        for graph in question.sides:
            parts += ["side", *(_digest(op) + repr(graph.into(op.id)) for op in graph.ops)]
        name = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.json"


@cache
def _digest(node: Op | Message) -> str:
    return hashlib.sha256(repr(node).encode()).hexdigest()


def _still_true(kind: str, question: Question, answer: Answer) -> bool:
    """Run a remembered counterexample again: a refutation is always one that the interpreter has seen."""
    if kind != "same" or not isinstance(answer, Refuted) or answer.start is None:
        return True
    return differs(question, *run_both(question.tracers(), answer.start))


def _read(file: Path) -> Answer | None:
    try:
        text = file.read_text(encoding="utf-8")
        seal, _, body = text.partition("\n")
        if seal != _seal(body):
            return None
        return answer_of(json.loads(body))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or damaged: it is asked again


def _write(file: Path, answer: Answer) -> None:
    body = json.dumps(answer_data(answer))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".new", delete=False, encoding="utf-8") as new:
            new.write(f"{_seal(body)}\n{body}")
        Path(new.name).replace(file)
    except OSError:
        return  # a cache that cannot be written to is only slow


def _seal(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
