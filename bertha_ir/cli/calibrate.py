"""`bertha calibrate`: measure this host and write its profile."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import asdict

from bertha_ir.cli.output import say_json
from bertha_ir.cli.status import DONE, UsageError
from bertha_ir.cli.stream import complain, say
from bertha_ir.cost_models.calibration.run import calibrate, steps
from bertha_ir.cost_models.calibration.written import toml

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

ABOUT = "What this host takes, as `bertha calibrate` measured it."


def run(parsed: argparse.Namespace) -> int:
    """Measure, and write the profile to a file or to standard output; say what could not be measured."""
    if parsed.out is not None:
        check_writable(parsed.out)
    with progress("measuring", steps(quick=parsed.quick)) as step:
        made = calibrate(quick=parsed.quick, progress=step)
    text = toml(made.profile, ABOUT)
    if parsed.out is not None:
        write(parsed.out, text)
    if parsed.json:
        figures = [{"section": section, "name": name, **asdict(f)} for section, name, f in made.profile.figures]
        out = None if parsed.out is None else str(parsed.out)
        say_json(ok=True, out=out, figures=figures, notes=list(made.notes))
    elif parsed.out is None:
        say(text)
    else:
        say(f"{parsed.out}: {len(made.profile.figures)} figures\n")
    complain("".join(f"note: {note}\n" for note in made.notes if not parsed.json))
    return DONE


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is measured."""
    folder = path.parent
    if path.is_dir():
        message = f"`{path}` is a folder"
    elif not folder.is_dir():
        message = f"`{folder}` is no folder"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        message = f"`{path}` cannot be written"
    else:
        return
    raise UsageError(message, "name a file in a folder that there is")


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        message = f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}"
        raise UsageError(message, "name a file in a folder that there is") from error


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """Give what tells of each step, as a bar on standard error that goes away; nothing where nobody is looking."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  (only where it is seen)
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)

        def step(name: str) -> None:
            bar.update(task, advance=1, description=f"{what}: {name:<24}")

        yield step
