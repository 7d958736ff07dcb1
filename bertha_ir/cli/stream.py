"""Standard output and error, with their failures told apart from a command's own."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO


class OutputError(Exception):
    """Standard output or error cannot be written; the cause is the system's error."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream.name)
        self.stream = stream


class _Closed(io.StringIO):
    """A standard output that was closed before we began: an answer fails when it is sent, as on a full disk."""

    name = "<stdout>"

    def flush(self) -> None:
        if self.getvalue():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def prepare() -> None:
    """Let characters that a terminal's encoding lacks be spelled out, and a standard error that was closed lead
    nowhere: what a command found, its status says too.
    """
    for name, stands_in in (("stdout", _Closed), ("stderr", io.StringIO)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, stands_in())
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
    if isinstance(stream, _Closed):
        stream.truncate(0)
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
