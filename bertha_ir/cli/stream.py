"""Standard output, with its failures told apart from a command's own."""

import io
import os
import sys


class OutputError(Exception):
    """Standard output cannot be written; the cause is the system's error."""


def prepare() -> None:
    """Let characters that the terminal's encoding lacks be spelled out, not raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print text that ends its own lines. Raises `OutputError`."""
    try:
        sys.stdout.write(text)
    except OSError as error:
        raise OutputError from error


def flush() -> None:
    """Send what is buffered. Raises `OutputError`."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OutputError from error


def discard() -> None:
    """Let standard output lead nowhere, so that what is still buffered cannot fail again when Python exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
