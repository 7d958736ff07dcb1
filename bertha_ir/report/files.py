"""Writing what was asked for: each file whole or not at all, and none when one of them cannot be."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class UnwritableError(Exception):
    """A file cannot be written; the text is one sentence."""


def check(files: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Refuse, before anything is done, files that cannot be written, that are one file, or that would replace an input.
    Raises `UnwritableError`.
    """
    read = {os.path.realpath(path) for path in inputs}
    seen: set[str] = set()
    for path in files:
        if "\0" in str(path):
            _refuse(path, "its name holds a zero byte")
        place = Path(os.path.realpath(path))
        if place.is_dir():
            _refuse(path, "it is a folder")
        if place.exists() and not place.is_file():
            _refuse(path, "it is no regular file")
        if not place.parent.is_dir():
            _refuse(path, f"`{path.parent}` is no folder")
        if not os.access(place.parent, os.W_OK) or (place.exists() and not os.access(place, os.W_OK)):
            _refuse(path, "permission denied")
        if str(place) in read:
            _refuse(path, "it is what is to be read")
        if str(place) in seen:
            _refuse(path, "it is named twice")
        seen.add(str(place))


def write(files: Mapping[Path, str]) -> None:
    """Write the files as UTF-8. Raises `UnwritableError`; what was there is then as it was."""
    made: list[tuple[Path, Path]] = []
    at = Path()
    try:
        for path, text in files.items():
            at, place = path, Path(os.path.realpath(path))
            temporary = place.with_name(f".bertha-{os.getpid()}-{secrets.token_hex(4)}")
            made.append((temporary, place))
            temporary.write_text(text, encoding="utf-8", newline="\n")
        for temporary, place in made:
            at = place
            temporary.replace(place)
    except OSError as error:
        message = f"`{at}` cannot be written: {(error.strerror or str(error)).lower()}"
        raise UnwritableError(message) from error
    finally:
        for temporary, _ in made:
            temporary.unlink(missing_ok=True)


def _refuse(path: Path, reason: str) -> None:
    message = f"`{path}` cannot be written: {reason}"
    raise UnwritableError(message)
