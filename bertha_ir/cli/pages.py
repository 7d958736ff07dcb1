"""The page of each error code, made from the docstring of its class."""

from __future__ import annotations

import re
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.diagnostics import CODES

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Code

# Where codes are declared. A test compares this list with the tree.
MODULES = (
    "bertha_ir.codes",
    "bertha_ir.frontend.codes",
    "bertha_ir.passes.codes",
    "bertha_ir.backends.python.codes",
    "bertha_ir.backends.ebpf.codes",
    "bertha_ir.backends.p4.codes",
)
SECTIONS = ("What", "Why", "Example", "Fix")


@frozen
class Page:
    """A code's page: `CHnnn`, the name and title of what was found, and the text of each section by its heading."""

    number: str
    name: str
    title: str
    sections: dict[str, str]

    @property
    def text(self) -> str:
        """The page as it is printed."""
        body = "".join(f"\n{heading}: {text}\n" for heading, text in self.sections.items())
        return f"{self.number} {self.name}: {self.title}\n{body}"


def all_codes() -> tuple[type[Code], ...]:
    """Return every code that Bertha declares, by number."""
    for module in MODULES:
        import_module(module)
    return tuple(CODES.get(number) for number in CODES.names())


def page(code: type[Code]) -> Page:
    """Return a code's page."""
    heading = re.compile(rf"^({'|'.join(SECTIONS)}): *", re.MULTILINE)
    title, *parts = heading.split(cleandoc(code.__doc__ or ""))
    sections = {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
    return Page(code.number(), code.__name__[5:], title.strip().removesuffix("."), sections)
