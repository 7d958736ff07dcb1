"""What diagnostics say about the user's text: the text itself, made short, and the nearest known name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertha_ir.source import Span


class Placed(Protocol):
    """A node of the syntax tree."""

    @property
    def span(self) -> Span:
        """Where it was written."""


_LISTED = 8
_SHOWN = 60
_CONSIDERED = 500  # difflib compares with each: a file full of names must not make every mistake slow


def shorten(text: str) -> str:
    """Return the text on one line, cut after 60 characters: a message is one sentence."""
    line = " ".join(text[: 4 * _SHOWN].split())
    return line if len(line) <= _SHOWN and len(text) <= 4 * _SHOWN else f"{line[: _SHOWN - 1]}…"


def shown(node: Placed) -> str:
    """Return what was written for a node, made short."""
    return shorten(node.span.text)


def counted(number: int, what: str) -> str:
    """Return `1 bit`, `2 bits`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return "did you mean `…`?", or None when nothing known is near."""
    candidates = [k for k in known if abs(len(k) - len(name)) <= len(name)][:_CONSIDERED]
    close = get_close_matches(name, candidates, n=1, cutoff=0.6) or [k for k in candidates if k.lower() == name.lower()]
    return f"did you mean `{close[0]}`?" if close else None


def nearest_or_all(name: str, known: Iterable[str], what: str) -> str:
    """Return the nearest name, or the names there are when none is near."""
    names = sorted(set(known))
    if hint := nearest(name, names):
        return hint
    if not names:
        return f"there is no {what}"
    shown = ", ".join(f"`{n}`" for n in names[:_LISTED])
    return f"known: {shown}" + (", …" if len(names) > _LISTED else "")
