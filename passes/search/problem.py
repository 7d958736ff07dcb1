"""What is searched for the best order and places: ops, where each may run, and what the way between places costs.

One direction of a connection is a row of stops, from the sender's process (0) to the receiver's (`last`). An op of the
ends runs twice: at a stop of the sender's and, undone, at one of the receiver's; a message may go back and forth
between the stops of one end. An op of the path runs once, behind all of the ends', and stops are never passed twice.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Literal, Protocol

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Objective = Literal["latency", "cpu", "throughput"]


@frozen
class Price:
    """What one message costs: latency and processor time of hosts (ns). `loads`: for how long it keeps each device and
    each direction of a link busy (ns); the busiest bounds the throughput.
    """

    latency: float = 0.0
    cpu: float = 0.0
    loads: tuple[tuple[str, float], ...] = ()

    def __add__(self, other: Price) -> Price:
        if not other.loads:
            return Price(self.latency + other.latency, self.cpu + other.cpu, self.loads)
        loads = Counter(dict(self.loads))
        for name, load in other.loads:
            loads[name] += load  # type: ignore[assignment]  # a Counter adds floats as well
        return Price(self.latency + other.latency, self.cpu + other.cpu, tuple(sorted(loads.items())))

    def __mul__(self, share: float) -> Price:
        return Price(self.latency * share, self.cpu * share, tuple((name, load * share) for name, load in self.loads))


FREE = Price()


@frozen
class Always:
    """A price that does not depend on how many bytes there are."""

    price: Price

    def __call__(self, size: int) -> Price:  # noqa: ARG002, D102  (whatever the size)
        return self.price


FOR_NOTHING = Always(FREE)


class Way(Protocol):
    """What lies between the stops."""

    def leg(self, a: int, b: int, size: int) -> Price:
        """Return what a message of `size` bytes costs from a stop to one beside it."""

    def door(self, stop: int, *, path: bool) -> Price:
        """Return what it costs to hand a message to what runs at a stop: on its path, or coming back at an end."""


@frozen
class Free:
    """A way that costs nothing, so that each op is where it alone is cheapest."""

    def leg(self, a: int, b: int, size: int) -> Price:  # noqa: ARG002  (whatever they are)
        """Return nothing."""
        return FREE

    def door(self, stop: int, *, path: bool) -> Price:  # noqa: ARG002  (as above)
        """Return nothing."""
        return FREE


@frozen
class Task:
    """An op. `after`: those (by number) that must come before it, nearer to the application or to the sender. `needs`:
    for each guarantee that it requires, those of which one must lie below it. `grows`: bytes it adds to a message.
    `pins`: all that follows on the path must run at the same stop. `keeps`: the share of messages that goes on from it.
    """

    after: frozenset[int] = frozenset()
    needs: tuple[frozenset[int], ...] = ()
    grows: int = 0
    pins: bool = False
    keeps: float = 1.0


@frozen
class Choice:
    """Where an op can run, or several (top of the stack first) that one offload does together.

    An op of the ends has, for each of `tasks`, a stop in `sender` and in `receiver` (None: nothing is to be done
    there); an op of the path has a `stop`. `rank`: its place in the policy's list. `price`: of a message of so many
    bytes, and `received` that of the receiver's part, which only messages pay that arrive. `uses`: what it takes of
    scarce resources. `behind`: unless empty, ops of which one must come before.
    """

    tasks: tuple[int, ...]
    sender: tuple[int | None, ...] = (None,)
    receiver: tuple[int | None, ...] = (None,)
    stop: int | None = None
    rank: int = 0
    price: Callable[[int], Price] = FOR_NOTHING
    received: Callable[[int], Price] = FOR_NOTHING
    uses: tuple[tuple[str, int], ...] = ()
    behind: frozenset[int] = frozenset()


Place = tuple[int, int, int]
"""Where a message is: the sender's stop, the receiver's, and the last stop on the path that ran something, or -1."""

Leg = tuple[int, int, int]
"""From a stop to one beside it, with so many bytes."""


@frozen(slots=False)
class Problem:
    """`size`: bytes of a message at the application. `capacity`: how much there is of each scarce resource.
    `returns`: a device at an end may hand messages back, which takes a program in parts: what is emitted has none.
    """

    tasks: tuple[Task, ...]
    choices: tuple[Choice, ...]
    way: Way
    last: int
    size: int = 0
    capacity: Mapping[str, int] = field(factory=dict)
    objective: Objective = "latency"
    returns: bool = False

    @property
    def start(self) -> Place:
        """Both ends are at their processes."""
        return (0, self.last, -1)

    def size_of(self, done: int) -> int:
        """Return the bytes of a message to which the ops of a bit set were done."""
        return max(0, self.size + sum(t.grows for n, t in enumerate(self.tasks) if done >> n & 1))

    def share_of(self, done: int) -> float:
        """Return the share of messages that go on from the ops of a bit set."""
        return prod(t.keeps for n, t in enumerate(self.tasks) if done >> n & 1)

    def admits(self, choice: Choice, done: int) -> bool:
        """Whether the ops of a choice may be next behind those of a bit set."""
        if choice.behind and not any(done >> n & 1 for n in choice.behind):
            return False
        for number in choice.tasks:
            task = self.tasks[number]
            if done >> number & 1 or any(not done >> n & 1 for n in task.after):
                return False
            done |= 1 << number
            if any(all(done >> n & 1 for n in providers) for providers in task.needs):
                return False
        return True

    @cached_property
    def pins(self) -> int:
        """The ops that pin, as a bit set."""
        return sum(1 << n for n, task in enumerate(self.tasks) if task.pins)

    def moves(self, place: Place, choice: Choice, size: int, *, pinned: bool) -> Moves | None:
        """Return where a choice leads a message of `size` bytes, and which ways it goes for that; None when it may not.
        `pinned`: an op that pins was done.
        """
        s, r, p = place
        out: list[Leg] = []
        on: list[Leg] = []
        back: list[Leg] = []
        doors: list[tuple[int, bool]] = []
        inner: list[tuple[int, bool]] = []
        for number, to_s, to_r in zip(choice.tasks, choice.sender, choice.receiver, strict=True):
            backwards = (to_s is not None and to_s < s) or (to_r is not None and to_r > r)
            if backwards and not self.returns:
                return None
            if to_s is not None and to_s != s:
                out += [(a, b, size) for a, b in steps_between(s, to_s)]
                doors.append((to_s, False))
                s = to_s
            if to_r is not None and to_r != r:
                back += [(b, a, size) for a, b in steps_between(r, to_r)]
                inner.append((to_r, False))
                r = to_r
            size += self.tasks[number].grows
        if choice.stop is not None and choice.stop != p:
            if choice.stop < max(s, p) or r < choice.stop < self.last or pinned:
                return None
            on = [(a, b, size) for a, b in steps_between(max(s, p), min(choice.stop, r))]
            doors.append((choice.stop, True))
            p = choice.stop
        return Moves((s, r, p), tuple(out), tuple(on), tuple(back), tuple(doors), tuple(inner))

    @cached_property
    def arriving(self) -> float:
        """The share of messages that go all the way."""
        return self.share_of((1 << len(self.tasks)) - 1)

    def step_price(self, choice: Choice, moves: Moves, size: int) -> tuple[Price, Price]:
        """Return what a choice costs each message that gets there, and what it costs each that arrives."""
        sent = self.price_of((*moves.out, *moves.on), moves.doors) + choice.price(size)
        return sent, self.price_of(moves.back, moves.inner) + choice.received(size)

    def between(self, place: Place) -> tuple[Leg, ...]:
        """Return the legs from where the last op ran to the receiver's first stop, when all are done."""
        size = self.size_of((1 << len(self.tasks)) - 1)
        return tuple((a, b, size) for a, b in steps_between(min(max(place[0], place[2]), place[1]), place[1]))

    def price_of(self, legs: Sequence[Leg], doors: Sequence[tuple[int, bool]] = ()) -> Price:
        """Return the price of legs and doors."""
        total = FREE
        for a, b, size in legs:
            total += self.way.leg(a, b, size)
        for stop, path in doors:
            total += self.way.door(stop, path=path)
        return total


@frozen
class Moves:
    """Where a choice leads. `out`, `on`, `back`: legs of the sender, on the path and of the receiver, as messages go;
    those of the receiver from the application down. `doors`: stops that are entered, and whether on the path; `inner`:
    those of the receiver.
    """

    place: Place
    out: tuple[Leg, ...]
    on: tuple[Leg, ...]
    back: tuple[Leg, ...]
    doors: tuple[tuple[int, bool], ...]
    inner: tuple[tuple[int, bool], ...] = ()


def steps_between(a: int, b: int) -> tuple[tuple[int, int], ...]:
    """Return the steps from a stop to another, one stop at a time."""
    return tuple(pairwise(range(a, b + 1) if a <= b else range(a, b - 1, -1)))


def in_written_order(problem: Problem) -> Problem:
    """Return the same problem with each op after all that are written before it."""
    tasks = tuple(evolve(task, after=frozenset(range(number)), needs=()) for number, task in enumerate(problem.tasks))
    return evolve(problem, tasks=tasks)
