"""Writes a profile as the TOML that `bertha_ir.cost_models.figures` reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertha_ir.cost_models.figures import Figure, Profile

BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml(profile: Profile, about: str) -> str:
    """Return a profile's text, with one line of comment in front."""
    sections = [
        f"\n[{_key(section)}]\n" + "".join(map(_line, *zip(*body, strict=True)))
        for section, body in profile.sections
        if body
    ]
    return f"# {' '.join(about.split())}\n" + "".join(sections)


def _line(name: str, figure: Figure) -> str:
    texts = ", ".join(
        f"{key} = {_text(value)}"
        for key, value in (
            ("unit", figure.unit),
            ("mark", figure.mark),
            ("source", figure.source),
            ("conditions", figure.conditions),
        )
    )
    return f"{_key(name)} = {{ value = {figure.value!r}, {texts} }}\n"


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    """Return a TOML string: JSON's escapes are among TOML's, but for the deletion character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
