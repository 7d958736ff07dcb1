"""What the control plane sees of an emitted program: its tables, actions and registers, with their pinned ids.

The P4 text, the p4info and the entries are all printed from these, so they agree.
"""

from __future__ import annotations

from typing import Literal

from attrs import Factory, define, evolve, frozen

Match = Literal["exact", "lpm", "range"]
ACTION, TABLE, REGISTER = 0x01, 0x02, 0x16  # the first byte of an id: P4Runtime specification 1.3, section 6.3
PORT_WIDTH, DROP_PORT = 9, 511  # v1model.p4


@frozen
class Action:
    """An action of the control at `path`: its parameters (name, width) and its statements."""

    path: str
    name: str
    params: tuple[tuple[str, int], ...]
    body: tuple[str, ...]
    id: int = 0

    @property
    def full_name(self) -> str:
        """The control plane's name."""
        return f"{self.path}.{self.name}"


@frozen
class Key:
    """A match field: the P4 expression that is matched, which is also its name, and its width in bits."""

    name: str
    width: int
    match: Match


@frozen
class Row:
    """An entry: per key (value,), (prefix, length) or (low, high), and the parameters of the table's first action."""

    match: tuple[tuple[int, ...], ...]
    values: tuple[int, ...]


@frozen
class TableSite:
    """A table of the control at `path`: one place where a program looks something up.

    The first action is the one that entries have. `miss` is the default; when it is none of `actions`, it is a
    constant one that entries cannot have.
    """

    path: str
    name: str
    keys: tuple[Key, ...]
    actions: tuple[Action, ...]
    miss: Action
    size: int
    rows: tuple[Row, ...]
    id: int = 0

    @property
    def full_name(self) -> str:
        """The control plane's name."""
        return f"{self.path}.{self.name}"

    @property
    def ordered(self) -> bool:
        """Whether entries need a priority."""
        return any(key.match == "range" for key in self.keys)


@frozen
class Register:
    """An array of `size` words of `width` bits."""

    name: str
    width: int
    size: int
    id: int = 0


@define
class Catalogue:
    """Collects what the control plane sees, and numbers it."""

    tables: list[TableSite] = Factory(list)
    actions: list[Action] = Factory(list)
    registers: list[Register] = Factory(list)

    def action(self, action: Action) -> Action:
        """Add an action and return it with its id."""
        self.actions.append(evolve(action, id=ACTION << 24 | len(self.actions) + 1))
        return self.actions[-1]

    def table(self, site: TableSite) -> TableSite:
        """Add a table and return it with its id."""
        self.tables.append(evolve(site, id=TABLE << 24 | len(self.tables) + 1))
        return self.tables[-1]

    def register(self, register: Register) -> Register:
        """Add a register array and return it with its id."""
        self.registers.append(evolve(register, id=REGISTER << 24 | len(self.registers) + 1))
        return self.registers[-1]
