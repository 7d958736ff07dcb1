"""The model that ships: prices from device profiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from bertha_ir.cost_models.base import Cost, CostModel, DeviceView, LinkView
from bertha_ir.cost_models.figures import LINKS, Profile, load_profile
from bertha_ir.cost_models.units import BitsPerSecond, ByteCount, Nanoseconds, NanosecondsPerByte

if TYPE_CHECKING:
    from bertha_ir.cost_models.work import Counts, Work

OFFLOAD = "offload"
# What costs nothing where a profile is silent: not every device searches row by row, sums up late, or copies.
MAY_LACK = ("row-", "sum-", "copy")


@frozen
class ProfileModel(CostModel):
    """A price for the hook, and one for each step, look-up, store, checksum and primitive: additive latency.

    The figure `NAME` is in ns; beside it there may be `NAME-bytes`, in ns/byte. A figure of the section `KIND-HOOK`,
    such as `kernel-egress`, comes before that of the section `KIND`. A host's profile need not have
    those of its kernel: they are then the usual ones.
    """

    defaults: ClassVar[dict[str, str]] = {
        "host": "x86-server", "kernel": "x86-server", "smartnic": "bluefield-2", "switch": "bmv2"
    }  # fmt: skip

    def op_cost(self, work: Work, device: DeviceView, size: ByteCount) -> Cost | None:
        """Return the sum of the figures of the device's section, which is its kind; None when one lacks."""
        return self._sum(work.items(), device, _sections(device), size)

    def entry_cost(self, device: DeviceView, size: ByteCount) -> Cost | None:
        """Return the figure `hook` of the device's section."""
        return self._sum((("hook", 1),), device, _sections(device), size)

    def offload_cost(self, chunnels: tuple[str, ...], device: DeviceView, size: ByteCount) -> Cost | None:
        """Return the figure of the profile's section `offload` that is named as the chunnels, joined by `+`."""
        return self._sum((("+".join(chunnels), 1),), device, (OFFLOAD,), size)

    def _sum(self, items: Counts, device: DeviceView, sections: tuple[str, ...], size: ByteCount) -> Cost | None:
        name = device.profile or self.defaults.get(device.kind)
        if name is None:
            return None
        profile = load_profile(name)
        if device.kind == "kernel" and not any(profile.has(section) for section in sections):
            profile = load_profile(self.defaults[device.kind])
        total = Nanoseconds(0)
        for item, count in items:
            price = _price(profile, sections, item, size) if count else Nanoseconds(0)
            if price is None:
                return None
            total += price * count
        return Cost(total, total if device.kind in {"host", "kernel"} else Nanoseconds(0))

    def crossing_cost(self, link: LinkView, size: ByteCount) -> Cost | None:
        """Return the latency that the link gives (`delay`), else its kind's, plus the bytes at its rate; None for an
        unknown kind or a missing rate.
        """
        links = load_profile(LINKS)
        fixed, delay = _latency(links, link), link.number("delay")
        given = link.number("rate")
        rate = BitsPerSecond(given) if given else _rate(links, link)
        if fixed is None or rate is None:
            return None
        on_link = _tlp_bytes(size) if link.kind == "pcie" else size
        return Cost((fixed if delay is None else Nanoseconds(delay)) + rate.time(on_link))


def _sections(device: DeviceView) -> tuple[str, ...]:
    return (device.kind,) if device.hook is None else (f"{device.kind}-{device.hook}", device.kind)


def _price(profile: Profile, sections: tuple[str, ...], name: str, size: ByteCount) -> Nanoseconds | None:
    for section in sections:
        if (found := profile.nearest(section, name)) is not None:
            known, figure = found
            time, each = Nanoseconds(figure.value), profile.figure(section, f"{known}-bytes")
            return time + NanosecondsPerByte(each.value).time(size) if each else time
    return Nanoseconds(0) if name.startswith(MAY_LACK) else None


def _latency(links: Profile, link: LinkView) -> Nanoseconds | None:
    figure = links.figure(link.kind, "latency")
    return Nanoseconds(figure.value) if figure else None


def _rate(links: Profile, link: LinkView) -> BitsPerSecond | None:
    name = "rate"
    if link.kind == "pcie":
        name = f"generation-{link.number('generation') or 0}-lanes-{link.number('lanes') or 0}"
    figure = links.figure(link.kind, name)
    return BitsPerSecond(figure.value) if figure else None


TLP_HEADER, TLP_PAYLOAD = 24, 256  # bytes: a memory write with 64-bit addresses, at a maximum payload of 256


def _tlp_bytes(size: ByteCount) -> ByteCount:
    """Return the bytes that a write of `size` bytes takes on PCIe's transaction layer (Neugebauer et al., 2018)."""
    return ByteCount(size.value + TLP_HEADER * math.ceil(size.value / TLP_PAYLOAD))
