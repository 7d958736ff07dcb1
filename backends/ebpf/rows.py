"""Which rows of maps a block has looked up, so that none is looked up twice."""

from __future__ import annotations

from attrs import Factory, define

At = tuple[str, str]
"""A map, and the text of a key."""
Row = tuple[str, str]
"""The variables of a row, and of its key."""


@define
class Rows:
    """The rows of maps that were looked up, by map and key, as long as they are what a look-up would find."""

    known: dict[At, Row] = Factory(dict)

    def of(self, at: At) -> Row | None:
        """Return the variables of a row and of its key, if they are known."""
        return self.known.get(at)

    def know(self, at: At, row: Row) -> None:
        """Keep the variables of a row and of its key."""
        self.known[at] = row

    def forget(self, container: str | None = None) -> None:
        """Forget the rows of a map that changes; all rows, where what keys are made of does."""
        self.known = {at: row for at, row in self.known.items() if container is not None and at[0] != container}

    def inside(self) -> dict[At, Row]:
        """Return what is known where a body begins."""
        return dict(self.known)

    def outside(self, before: dict[At, Row]) -> None:
        """Forget the variables of a body that ends."""
        self.known = {at: row for at, row in before.items() if self.known.get(at) == row}
