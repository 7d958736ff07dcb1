"""The base of every error code, and the registry that `bertha explain` and the tests read."""

from __future__ import annotations

from bertha_ir.registry import Registry

CODES: Registry[type[Code]] = Registry("error code")


class Code:
    """One kind of mistake. A subclass is named `CHnnn<WhatWasFound>`; its docstring is the page that
    `bertha explain CHnnn` shows, with the sections What, Why, Example and Fix.
    """

    def __init_subclass__(cls) -> None:
        CODES.add(cls.number(), cls)

    @classmethod
    def number(cls) -> str:
        """`CHnnn`."""
        return cls.__name__[:5]

    @classmethod
    def title(cls) -> str:
        """The first line of the page: what was found."""
        return (cls.__doc__ or "").strip().splitlines()[0]
