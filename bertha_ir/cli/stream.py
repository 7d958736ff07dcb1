"""Standard output and error, with their failures told apart from a command's own."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


class OutputError(Exception):
    """Standard output or error cannot be written; the cause is the system's error."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream.name)
        self.stream = stream


def prepare() -> None:
    """Let characters that a terminal's encoding lacks be spelled out, and a stream that was closed lead nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print an answer; the text ends its own lines. Raises `OutputError`."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Print what is wrong, on standard error. Raises `OutputError`."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except OSError as error:
        raise OutputError(stream) from error


def flush() -> None:
    """Send what is buffered. Raises `OutputError`."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OutputError(sys.stdout) from error


def discard(stream: TextIO) -> None:
    """Let a stream lead nowhere, so that what it still holds cannot fail again when Python exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
