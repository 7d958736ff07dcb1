"""Reading files: bounded, UTF-8, each once, with what they import.

Nothing outside the folder of the first file is ever imported, links included, so that compiling a specification
from elsewhere reads nothing but that specification.
"""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import Factory, define

from bertha_ir.diagnostics import Collector
from bertha_ir.frontend import facts, tree
from bertha_ir.frontend.codes import (
    CH001Unreadable,
    CH002TooLarge,
    CH003NotUtf8,
    CH004NestedTooDeep,
    CH008ImportCycle,
    CH009ImportOutside,
    CH010NothingDeclared,
    CH016NotOfASite,
)
from bertha_ir.frontend.suggest import shorten
from bertha_ir.frontend.syntax import parse, parse_chain
from bertha_ir.source import SourceFile, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 1 << 20
MAX_IMPORTS = 64
SITE = (tree.Device, tree.Link, tree.Run, tree.Policy, tree.Implementation, facts.Workload)
LIBRARY = Path(__file__).parent / "library"


def read_files(files: Sequence[Path], collector: Collector) -> tuple[tree.Declaration, ...]:
    """Return the declarations of the files and of what they import, in that order; mistakes go to `collector`."""
    if not files:
        return ()
    reader = _Reader(Path(os.path.realpath(files[0])).parent, collector)
    for file in files:
        reader.read(Path(file), None)
    return tuple(reader.declarations)


@cache
def read_library() -> tuple[tree.Declaration, ...]:
    """Return the declarations of the standard library, file by file in the order of their names."""
    collector = Collector()
    found: list[tree.Declaration] = []
    for path in sorted(LIBRARY.glob("*.chunnel")):
        source = SourceFile(f"library/{path.name}", path.read_text(encoding="utf-8"))
        found += parse(source, collector)
    collector.check()
    return tuple(found)


def read_argument(number: int, text: str, collector: Collector) -> tuple[tree.Use, ...]:
    """Return the uses of the chain that is a command's argument of that number; none after an error."""
    source = _argument(number, text, collector)
    return parse_chain(source, collector) if source is not None else ()


def read_changes(texts: Sequence[str], collector: Collector) -> tuple[tree.Declaration, ...]:
    """Return the declarations of a site in texts, the sources `argument 1`, `argument 2`; others are mistakes."""
    found: list[tree.Declaration] = []
    for number, text in enumerate(texts, 1):
        source = _argument(number, text, collector)
        if source is None:
            continue
        before = len(collector.found)
        declared = parse(source, collector)
        if not declared and len(collector.found) == before:
            hint = "declare a device, link, run, policy, implementation or workload"
            collector.add(CH010NothingDeclared, f"`{source.path}` declares nothing", Span(source, 0, 0), hint)
        for declaration in declared:
            if isinstance(declaration, SITE):
                found.append(declaration)
                continue
            hint = "give devices, links, `run`, policies, implementations or workloads"
            message = "only a site can be changed by a question about it"
            collector.add(CH016NotOfASite, message, declaration.span, hint)
    return tuple(found)


def _argument(number: int, text: str, collector: Collector) -> SourceFile | None:
    """Return a command's argument as a source; None after an error."""
    source = SourceFile(f"argument {number}", text)
    strange = next((i for i, c in enumerate(text[:MAX_BYTES]) if "\ud800" <= c <= "\udfff"), None)
    if strange is not None:  # what Python makes of a byte of the command line that is no text
        message, span = f"`{source.path}` is not UTF-8", Span(source, strange, strange + 1)
        collector.add(CH003NotUtf8, message, span, "write raw bytes in strings as `\\x80`")
        return None
    if len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES:
        message = f"`{source.path}` is larger than 1 MiB"
        collector.add(CH002TooLarge, message, Span(source, 0, 0), "give the parts as arguments of their own")
        return None
    return source


@define
class _Reader:
    root: Path
    collector: Collector
    declarations: list[tree.Declaration] = Factory(list)
    done: set[Path] = Factory(set)
    open: list[Path] = Factory(list)

    def read(self, path: Path, importer: Span | None) -> None:
        """Read one file and, behind it, what it imports."""
        place = Path(os.path.realpath(path))
        if place in self.open:
            chain = " → ".join(p.name for p in (*self.open[self.open.index(place) :], place))
            self.collector.add(
                CH008ImportCycle,
                f"the import closes a cycle: {chain}",
                importer,
                "move what both files need into a third",
            )
            return
        if place in self.done:
            return
        if len(self.open) >= MAX_IMPORTS:
            message = f"imports are nested more than {MAX_IMPORTS} deep"
            self.collector.add(CH004NestedTooDeep, message, importer, "import more files from one")
            return
        self.done.add(place)
        source = _read_source(path, importer, self.collector)
        if source is None:
            return
        self.open.append(place)
        before = len(self.collector.found)
        found = parse(source, self.collector)
        if not found and len(self.collector.found) == before:
            self.collector.add(
                CH010NothingDeclared,
                f"`{source.path}` declares nothing",
                Span(source, 0, 0),
                "declare a message, chunnel, stack or device, or leave the file out",
            )
        for declaration in found:
            if isinstance(declaration, tree.Import):
                self._follow(path, declaration)
            else:
                self.declarations.append(declaration)
        self.open.pop()

    def _follow(self, importer: Path, declaration: tree.Import) -> None:
        if "\0" in declaration.path:
            self.collector.add(CH001Unreadable, "the path holds a zero byte", declaration.span, "remove it")
            return
        target = Path(os.path.normpath(importer.parent / declaration.path))
        if not Path(os.path.realpath(target)).is_relative_to(self.root):
            self.collector.add(
                CH009ImportOutside,
                f"`{shorten(declaration.path)}` lies outside the folder of the first file",
                declaration.span,
                "copy the file into the folder, or start from a file in a folder that holds both",
            )
            return
        self.read(target, declaration.span)


def _read_source(path: Path, importer: Span | None, collector: Collector) -> SourceFile | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            collector.add(CH001Unreadable, f"`{path}` is no regular file", importer, "name a .chunnel file")
            return None
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        collector.add(
            CH001Unreadable,
            f"`{path}` cannot be read: {reason}",
            importer,
            "check the path and its permissions",
        )
        return None
    if len(data) > MAX_BYTES:
        collector.add(CH002TooLarge, f"`{path}` is larger than 1 MiB", importer, "split it and import the parts")
        return None
    try:
        return SourceFile(str(path), data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"`{path}` is not UTF-8: byte 0x{data[error.start]:02x} in line {line}"
        collector.add(CH003NotUtf8, message, importer, "save the file as UTF-8")
        return None
