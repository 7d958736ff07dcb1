"""Log records as lines, for people and for programs that collect them.

What the runtime logs has, where it is known, the fields `connection`, `client` and `plan` (logging's `extra`).
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

Format = Literal["text", "json"]
FIELDS = ("connection", "client", "plan", "stack")
BRIEF = 12  # characters of an id, for people


class _Json(logging.Formatter):
    """An object a line: `time`, `level`, `logger`, `message`, the fields, and of an exception `error`."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        found = {
            "time": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **dict(_fields(record)),
        }
        if record.exc_info:
            found["error"] = self.formatException(record.exc_info)
        return json.dumps(found)


class _Text(logging.Formatter):
    """A line: the level, the message, what the exception says, the fields. An exception's whole trace is for those who
    look for mistakes: at level `debug`.
    """

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self._whole = whole

    def format(self, record: logging.LogRecord) -> str:
        said = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            said += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        where = " ".join(f"{name}={value[: None if name == 'client' else BRIEF]}" for name, value in _fields(record))
        text = printable(f"{record.levelname.lower()}: {said}" + (f" ({where})" if where else ""))
        return f"{text}\n{self.formatException(record.exc_info)}" if self._whole and record.exc_info else text


def handler(stream: TextIO, form: Format, level: int) -> logging.Handler:
    """Return what writes log records of a level and above to a stream, a line each."""
    made = logging.StreamHandler(stream)
    made.setLevel(level)
    made.setFormatter(_Json() if form == "json" else _Text(whole=level <= logging.DEBUG))
    return made


def printable(text: str) -> str:
    """Return text without characters that a terminal would do something on."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    return ((name, str(getattr(record, name))) for name in FIELDS if hasattr(record, name))
