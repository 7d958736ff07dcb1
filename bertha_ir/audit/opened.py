"""Reads an artifact folder back: whatever is in the files, it is what it says or a diagnostic."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar

from attrs import frozen

from bertha_ir import api, artifact
from bertha_ir.codes import CH404ArtifactMalformed
from bertha_ir.diagnostics import BerthaError, Diagnostic
from bertha_ir.passes.verify import verify_graph
from bertha_ir.plan import PlacedProgram, Plan
from bertha_ir.shape import ShapeError, check, from_data
from bertha_ir.spec import Specification
from bertha_ir.stack import Graph
from bertha_ir.text import TextError, parse_ir
from bertha_ir.verify import VerifyError, verify_program

T = TypeVar("T")
_ALTERNATIVE = re.compile(r"select/\w+-\d+")
PROOFS, IR = "proofs/", "ir/"


class NoArtifactError(Exception):
    """The folder is none that Bertha wrote: one sentence."""


@frozen
class Opened:
    """An artifact folder as values. `wrong`: the files that are not as the manifest says, `PATH: WHAT` each.

    `ids`: the id that `plan.json` gives each plan; `certificates`: the texts in `proofs/` by file name, whether or not
    it is their hash; `alternatives`: the artifacts in `select/`, in the manifest's order.
    """

    folder: Path
    version: str
    plan: str
    listed: int
    wrong: tuple[str, ...]
    plans: tuple[Plan, ...]
    ids: tuple[str, ...]
    specification: Specification
    graphs: tuple[Graph, ...]
    programs: tuple[PlacedProgram, ...]
    certificates: dict[str, str]
    alternatives: tuple[Opened, ...] = ()


def opened(folder: Path) -> Opened:
    """Return what an artifact folder holds.

    Raises `NoArtifactError` when it is no artifact folder, and `BerthaError` (CH404) when a file that the rest is
    checked by is missing or malformed.
    """
    if not (folder / artifact.MANIFEST).is_file():
        msg = f"`{folder}` is no artifact folder: it has no {artifact.MANIFEST}"
        raise NoArtifactError(msg)
    reading = _Reading(folder)
    manifest = reading.manifest()
    files, wrong = reading.listed(manifest)
    plans, ids = reading.plans()
    specification = reading.ir("specification", Specification)
    graphs = reading.ir("graphs", tuple[Graph, ...])
    programs = reading.ir("programs", tuple[PlacedProgram, ...])
    reading.verify(graphs, programs)
    proofs = {p.removeprefix(PROOFS).removesuffix(".smt2"): reading.text(p) for p in files if p.startswith(PROOFS)}
    others = tuple(opened(folder / name) for name in reading.alternatives(manifest))
    return Opened(
        folder, manifest["bertha"], manifest["plan"], len(files), wrong, plans, ids, specification, graphs, programs,
        proofs, others,
    )  # fmt: skip


@frozen
class _Reading:
    folder: Path

    def refuse(self, path: str, what: str) -> NoReturn:
        message = f"`{self.folder / path}` {what}"
        raise BerthaError((Diagnostic(CH404ArtifactMalformed, message, None, "compile the artifact again"),))

    def content(self, path: str) -> bytes:
        file = self.folder / path
        if file.is_symlink() or not file.is_file():
            self.refuse(path, "is missing" if not file.exists() else "is no plain file")
        try:
            return file.read_bytes()
        except OSError as error:
            self.refuse(path, f"cannot be read: {(error.strerror or str(error)).lower()}")

    def text(self, path: str) -> str:
        try:
            return self.content(path).decode()
        except UnicodeDecodeError as error:
            self.refuse(path, f"is no UTF-8 at byte {error.start}")

    def json(self, path: str) -> dict[str, Any]:
        try:
            found = json.loads(self.text(path))
        except (ValueError, RecursionError) as error:
            self.refuse(path, f"is no JSON: {_line(error)}")
        if not isinstance(found, dict):
            self.refuse(path, "is no JSON object")
        return found

    def manifest(self) -> dict[str, Any]:
        """Return the manifest, the parts of it typed that the audit reads itself."""
        found = self.json(artifact.MANIFEST)
        if "bertha" not in found or "schema" not in found:
            msg = f"`{self.folder}` is no artifact folder: Bertha did not write its {artifact.MANIFEST}"
            raise NoArtifactError(msg)
        if found["schema"] != artifact.SCHEMA:
            self.refuse(artifact.MANIFEST, f"has schema {found['schema']!r}, and this is {artifact.SCHEMA}")
        for key, kind in (("bertha", str), ("plan", str), ("files", dict)):
            if not isinstance(found.get(key), kind):
                self.refuse(artifact.MANIFEST, f"has no `{key}`, or not as it should be")
        return found

    def listed(self, manifest: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the paths that a manifest lists, and how the folder's files are not as it says."""
        contents = {artifact.MANIFEST: self.content(artifact.MANIFEST)}
        for path, digest in manifest["files"].items():
            if PurePosixPath(path).is_absolute() or {"..", "."} & set(path.split("/")) or "\0" in path or not path:
                self.refuse(artifact.MANIFEST, f"lists `{path}`, which is no name for a file of an artifact")
            found = self.content(path) if os.path.lexists(self.folder / path) else b""
            same = hashlib.sha256(found).hexdigest() == digest
            contents[path] = found if same else found + b"\0"  # anything but what is there
        wrong = artifact.stale(self.folder, contents)
        there = tuple(path for path in sorted(contents) if (self.folder / path).is_file())
        return there, wrong

    def alternatives(self, manifest: dict[str, Any]) -> tuple[str, ...]:
        """Return the folders of the alternatives that a manifest lists."""
        rows = manifest.get("alternatives")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.refuse(artifact.MANIFEST, "has no list of `alternatives`")
        names = [row.get("folder") for row in rows]
        if not all(isinstance(n, str) and _ALTERNATIVE.fullmatch(n) and (self.folder / n).is_dir() for n in names):
            self.refuse(artifact.MANIFEST, "lists an alternative without a folder of its own in `select/`")
        return tuple(names)

    def plans(self) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
        """Return the plans, and the id that each is given."""
        found = self.json("plan.json").get("plans")
        if not isinstance(found, list) or not all(isinstance(p, dict) for p in found):
            self.refuse("plan.json", "has no list of `plans`")
        try:
            plans = tuple(from_data(api.plan_fields(data), Plan, f"plans[{at}]") for at, data in enumerate(found))
        except (ShapeError, RecursionError) as error:
            self.refuse("plan.json", f"is malformed: {_line(error)}")
        return plans, tuple(str(p.get("id")) for p in found)

    def ir(self, name: str, kind: type[T]) -> T:
        """Return a stage of its printed form."""
        path = f"{IR}{name}.ir"
        try:
            found: T = parse_ir(self.text(path))
            check(found, kind, name)
        except (TextError, ShapeError, RecursionError) as error:
            self.refuse(path, f"is malformed: {_line(error)}")
        return found

    def verify(self, graphs: tuple[Graph, ...], programs: tuple[PlacedProgram, ...]) -> None:
        """Refuse what backends and the interpreter do not take for granted."""
        try:
            for graph in graphs:
                verify_graph(graph)
        except (VerifyError, LookupError) as error:
            self.refuse(f"{IR}graphs.ir", f"is malformed: {_line(error)}")
        try:
            for placed in programs:
                verify_program(placed.program)
        except (VerifyError, LookupError) as error:
            self.refuse(f"{IR}programs.ir", f"is malformed: {_line(error)}")


def printed(artifact_: Opened) -> dict[str, bytes]:
    """Return the files that are printed from what is in the folder."""
    return api.artifact(_compiled(artifact_))


def _compiled(artifact_: Opened) -> api.Compiled:
    return api.Compiled(
        artifact_.specification, artifact_.plans, artifact_.programs, (), "default", artifact_.graphs,
        artifact_.certificates, tuple(_compiled(other) for other in artifact_.alternatives),
    )  # fmt: skip


def _line(error: BaseException) -> str:
    """Return an error's text as the end of a message."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
