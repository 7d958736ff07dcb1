"""What a scheduler is asked: resources, kinds of connections, their options; and what it says when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

Objective = Literal["weighted", "priority", "max-min"]
"""What is made least. `weighted`: the sum of weight * connections * cost. `priority`: that sum over the kinds of the
highest priority, then over those of the next, and so on. `max-min`: the slowdown of the worst-off kind, then that of
the next, and so on, and then the weighted sum. A kind's slowdown is its connections' mean cost over the cost of its
best option.
"""


@frozen
class Resource:
    """What options use, in whole units of its own: table entries, bytes of memory, instructions per second."""

    name: str
    capacity: int


@frozen
class Option:
    """One way to serve a connection: what it costs (in one unit for all, such as ns per message), what each connection
    uses as (resource, amount), and what all connections together use once as (resource, key, amount). Options with the
    same key share it, also those of other kinds; they must agree on the amount.
    """

    name: str
    cost: float
    uses: tuple[tuple[str, int], ...] = ()
    shared: tuple[tuple[str, str, int], ...] = ()


@frozen
class Kind:
    """Connections that are alike. `current` says how many run by which option now; an option that is no longer there
    may be named, and its connections have to move. A higher priority is served first.
    """

    name: str
    connections: int
    options: tuple[Option, ...]
    weight: float = 1
    priority: int = 0
    current: Mapping[str, int] = field(factory=dict, hash=False)


@frozen
class Hysteresis:
    """When what runs may move. `penalty` is what moving one connection costs, in the unit of an option's cost: it is
    weighted as the kind is, and a part of all that is made least. If what is gained over moving as little as possible
    is less than `absolute` (in the unit of what is made least), or than the share `relative` of what it is without,
    nothing moves that need not.
    """

    penalty: float = 0
    relative: float = 0
    absolute: float = 0


@frozen
class Shortage:
    """A resource that is too small: one connection would need so much more of it, and so much is left."""

    resource: str
    needed: int
    left: int


class ScheduleError(Exception):
    """There is no schedule; the text says why."""


class MistakenError(ScheduleError):
    """The question makes no sense; `mistakes` has every reason, each one sentence."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class CannotServeError(ScheduleError):
    """Not all connections can be served, however they are spread. `kind` is the first that cannot, beside those of
    higher priority and those that are named before it; `short` has the resources without which it could be: it needs
    `needed` units of capacity in all, and there are `left`.
    """

    def __init__(self, kind: str, short: tuple[Shortage, ...]) -> None:
        lacks = " and ".join(f"`{s.resource}` has {s.left} and would need {s.needed}" for s in short)
        super().__init__(f"`{kind}` cannot be served: {lacks or 'it has no option'}")
        self.kind, self.short = kind, short


class NothingFoundError(ScheduleError):
    """The time was up before any schedule was found, or a proof that there is none."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"no schedule was found in {limit_s:g} s")
        self.limit_s = limit_s
