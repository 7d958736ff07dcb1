"""How figures, links and the words of others are written, the same in each form of a report."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
SHORT = 12  # hexadecimal digits of a hash that stand for it


def visible(text: str) -> str:
    """Return text in which nothing can steer a terminal or hide, and that XML can hold."""
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _HIDDEN else c for c in text)


def markup(text: str) -> str:
    """Return text as it stands in XML and HTML, in an attribute as well."""
    text = visible(text)
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;")):
        text = text.replace(sign, name)
    return text


def time(nanoseconds: float | None) -> str:
    """Return a time with its unit and three significant digits."""
    if nanoseconds is None:
        return "unknown"
    if nanoseconds < 1e3:  # noqa: PLR2004  (the unit's own size)
        return f"{nanoseconds:.3g} ns"
    return f"{nanoseconds / 1e3:.3g} µs" if nanoseconds < 1e6 else f"{nanoseconds / 1e6:.3g} ms"  # noqa: PLR2004


def percent(share: float | None) -> str:
    """Return a share of a whole in percent; nothing when it is not known."""
    if share is None:
        return ""
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else "< 1 %"  # noqa: PLR2004  (what 0 % would hide)


def links(crossings: Iterable[tuple[str, int]]) -> str:
    """Return how many links of each kind are crossed."""
    return ", ".join(f"{count} {visible(kind)}" for kind, count in crossings) or "none"


def gain(before: float | None, after: float | None) -> str:
    """Return by how much the second time is less or more than the first; nothing when a figure is missing."""
    if before is None or after is None or not before:
        return ""
    change = after / before - 1
    if abs(change) < 0.0005:  # noqa: PLR2004  (what three digits do not show)
        return "the same"
    return f"{abs(change):.1%} {'less' if change < 0 else 'more'}".replace("%", " %")
