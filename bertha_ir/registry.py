"""Named things that plug in: a lazy table per kind, in which a duplicate is an error."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to values. A value may be given as `module:attribute` and is imported when it is first asked for.

    With an entry-point `group`, installed packages add to it.
    """

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind, self._group = kind, group
        self._entries: dict[str, T | str] = {}
        self._plugged = group is None

    def add(self, name: str, value: T | str) -> None:
        """Register a value or the `module:attribute` where it lives. ValueError when the name is taken."""
        if name in self._entries:
            msg = f"two of the same {self.kind}: `{name}`"
            raise ValueError(msg)
        self._entries[name] = value

    def names(self) -> tuple[str, ...]:
        """Every name, sorted."""
        self._plug_in()
        return tuple(sorted(self._entries))

    def get(self, name: str) -> T:
        """Return the value; KeyError when there is none of that name."""
        self._plug_in()
        value = self._entries[name]
        if isinstance(value, str):
            module, _, attribute = value.partition(":")
            value = cast("T", getattr(import_module(module), attribute))
            self._entries[name] = value
        return value

    def _plug_in(self) -> None:
        if self._plugged:
            return
        self._plugged = True
        for point in entry_points(group=self._group or ""):
            self.add(point.name, point.value)
