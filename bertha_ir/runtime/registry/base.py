"""What a registry is: offloads are offered for as long as their owner renews a lease, and their slots are claimed.

What dies gives back what it held: an offer or a claim whose lease is not renewed is gone when the lease ends, whoever
looks. A registry that cannot be reached costs the offload, never the connection: callers catch `RegistryError` and fall
back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

LONGEST = 200  # characters of a name
MOST = 1 << 31  # slots of an offer


class RegistryError(Exception):
    """The registry cannot be reached, is damaged, or does not take what it was given; says so in one line."""


@dataclass(frozen=True)
class Offer:
    """An offload that somebody offers: an implementation, by its name, on a device, for `slots` connections."""

    name: str
    device: str
    slots: int

    def check(self) -> None:
        """Raise `RegistryError` for an offer that is none."""
        for what, text in (("name", self.name), ("device", self.device)):
            if not text or len(text) > LONGEST or not text.isprintable():
                msg = f"{text[:LONGEST]!r} is no {what} of an offload: 1 to {LONGEST} characters that can be printed"
                raise RegistryError(msg)
        if not 0 < self.slots < MOST:
            msg = f"{self.slots} is no number of slots"
            raise RegistryError(msg)


@dataclass(frozen=True)
class Held:
    """A lease: what the registry calls it, and a secret that only its holder has. It ends unless it is renewed."""

    id: int
    token: str


@dataclass(frozen=True)
class Offered:
    """An offer that stands. `free`: slots that nobody has claimed; `seconds`: until its lease ends."""

    id: int
    offer: Offer
    free: int
    seconds: float


class Registry(ABC):
    """A store of offers and claims. Every method raises `RegistryError` when the store cannot be used.

    Leases are in seconds. `version` counts up with every change, so that who has seen one can wait for the next.
    """

    @abstractmethod
    def offer(self, offer: Offer, lease: float) -> Held:
        """Offer an offload; there is one of a name on a device at a time."""

    @abstractmethod
    def offers(self, name: str | None = None) -> tuple[Offered, ...]:
        """Return the offers that stand, of one implementation or of all, by name and device."""

    @abstractmethod
    def claim(self, offer: int, lease: float, slots: int = 1) -> Held | None:
        """Claim slots of an offer, by its id; None when there are not so many left, or the offer is gone. Of two that
        claim the last slot, one gets it.
        """

    @abstractmethod
    def renew(self, held: Held, lease: float) -> bool:
        """Have an offer or a claim end a lease from now; False when it has ended already."""

    @abstractmethod
    def release(self, held: Held) -> bool:
        """End an offer, and with it its claims, or a claim; False when it has ended already. May be repeated."""

    @abstractmethod
    def version(self) -> int:
        """Return the number of the last change."""

    @abstractmethod
    def wait(self, seen: int, seconds: float) -> int:
        """Wait for a version after `seen`, at most so long; return the last one. A lease that ends is a change."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the store; what is held stays until its lease ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
