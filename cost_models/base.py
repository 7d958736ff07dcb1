"""What a cost model is: it says what running an op on a device costs, and what crossing a link costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from attrs import field, frozen

from bertha_ir.cost_models.units import Nanoseconds

if TYPE_CHECKING:
    from bertha_ir.cost_models.units import ByteCount
    from bertha_ir.cost_models.work import Work
    from bertha_ir.plan import Hook
    from bertha_ir.spec import Attribute, DeviceKind


@frozen
class DeviceView:
    """A device as a cost model sees it. `profile` is what the site names, a path if it ends in `.toml`, or None.

    `hook`: where in the device the op is attached (`ingress`, `egress`, `pipeline`, `process`), None when not said.
    """

    name: str
    kind: DeviceKind
    profile: str | None = None
    attributes: tuple[Attribute, ...] = ()
    hook: Hook | None = None


@frozen
class LinkView:
    """A link as a cost model sees it: its kind (`ethernet`, `pcie`, `loopback`, `syscall`) and attributes."""

    kind: str
    attributes: tuple[Attribute, ...] = ()

    def number(self, name: str) -> int | None:
        """Return a numeric attribute, or None."""
        value = next((a.value for a in self.attributes if a.name == name), None)
        return value if isinstance(value, int) else None


@frozen
class Cost:
    """The cost of one message: how much later it arrives, and how long it keeps a processor busy."""

    latency: Nanoseconds
    cpu: Nanoseconds = field(factory=lambda: Nanoseconds(0))

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.latency + other.latency, self.cpu + other.cpu)


class CostModelError(ValueError):
    """A cost model cannot answer because what it was given is wrong, such as a profile that does not exist."""


class CostModel(ABC):
    """Prices ops and crossings. A model is deterministic and never cheaper for more bytes; None means that it cannot
    say, not that it costs nothing.
    """

    @abstractmethod
    def op_cost(self, work: Work, device: DeviceView, size: ByteCount) -> Cost | None:
        """Return what `work` costs on a device for one message of `size` bytes; None when it cannot say."""

    def entry_cost(self, device: DeviceView, size: ByteCount) -> Cost | None:  # noqa: ARG002  (a subclass's to read)
        """Return what it costs to hand a message to a device's hook, once for all ops that run there one after
        another; None when it cannot say. Nothing, unless a model says otherwise.
        """
        return Cost(Nanoseconds(0))

    def offload_cost(self, chunnels: tuple[str, ...], device: DeviceView, size: ByteCount) -> Cost | None:  # noqa: ARG002  (as above)
        """Return what an offload that a device's maker supplies for neighbouring chunnels costs, top of the stack
        first; None when it cannot say, as a model does that knows no offloads.
        """
        return None

    @abstractmethod
    def crossing_cost(self, link: LinkView, size: ByteCount) -> Cost | None:
        """Return what crossing a link costs one message of `size` bytes; None when it cannot say."""
