"""The model that ships: prices from device profiles, TOML files in which every figure has its source."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from bertha_ir.cost_models.base import Cost, CostModel, CostModelError, DeviceView, LinkView
from bertha_ir.cost_models.units import BitsPerSecond, ByteCount, Nanoseconds, NanosecondsPerByte

if TYPE_CHECKING:
    from bertha_ir.cost_models.work import Work

UNITS = {"ns": Nanoseconds, "ns/byte": NanosecondsPerByte, "bit/s": BitsPerSecond}
MARKS = frozenset("ACMBR")


class ProfileError(CostModelError):
    """A profile is missing, malformed, or has a figure without its source."""


@frozen
class Figure:
    """A number with where it comes from. `mark`: A read in the primary source, C computed from a primary model, M
    measured by this project, B from a secondary source, R recalled or judged: low confidence.
    """

    value: float
    unit: str
    source: str
    conditions: str
    mark: str


@frozen
class Profile:
    """The figures of one device kind, by section and name."""

    name: str
    sections: tuple[tuple[str, tuple[tuple[str, Figure], ...]], ...]

    def figure(self, section: str, name: str) -> Figure | None:
        """Return a figure, or None."""
        return dict(dict(self.sections).get(section, ())).get(name)


@cache
def load_profile(name: str) -> Profile:
    """Return a profile that ships with Bertha; `ProfileError` when there is none or it is malformed."""
    folder = files("bertha_ir.cost_models") / "profiles"
    known = sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
    if name not in known:
        msg = f"no device profile is called `{name}`; there are {', '.join(known)}"
        raise ProfileError(msg)
    path = folder / f"{name}.toml"
    return parse_profile(name, path.read_text(encoding="utf-8"))


def parse_profile(name: str, text: str) -> Profile:
    """Return the profile of a TOML text; `ProfileError` names the figure that is malformed."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"the profile `{name}` is no TOML: {error}"
        raise ProfileError(msg) from error
    sections = {k: v for k, v in data.items() if isinstance(v, dict)}
    return Profile(
        name,
        tuple((s, tuple((n, _figure(f"{name}: {s}.{n}", f)) for n, f in body.items())) for s, body in sections.items()),
    )


def _figure(where: str, data: Any) -> Figure:  # noqa: ANN401  (TOML)
    try:
        figure = Figure(float(data["value"]), data["unit"], data["source"], data["conditions"], data["mark"])
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{where} needs value, unit, source, conditions and mark"
        raise ProfileError(msg) from error
    if figure.unit not in UNITS or figure.mark not in MARKS or figure.value < 0:
        msg = f"{where}: unit {figure.unit!r}, mark {figure.mark!r} or value {figure.value} is none"
        raise ProfileError(msg)
    return figure


@frozen
class ProfileModel(CostModel):
    """A price for the hook, and one for each step, look-up, store, checksum and primitive: additive latency.

    The figure `NAME` is in ns; beside it there may be `NAME-bytes`, in ns/byte.
    """

    defaults: ClassVar[dict[str, str]] = {"host": "x86-server", "kernel": "x86-server", "switch": "bmv2"}

    def op_cost(self, work: Work, device: DeviceView, size: ByteCount) -> Cost | None:
        """Return the sum of the figures of the device's section, which is its kind; None when one lacks."""
        return self._sum(_items(work), device, device.kind, size)

    def entry_cost(self, device: DeviceView, size: ByteCount) -> Cost | None:
        """Return the figure `hook` of the device's section."""
        return self._sum([("hook", 1)], device, device.kind, size)

    def offload_cost(self, chunnels: tuple[str, ...], device: DeviceView, size: ByteCount) -> Cost | None:
        """Return the figure of the profile's section `offload` that is named as the chunnels, joined by `+`."""
        return self._sum([("+".join(chunnels), 1)], device, "offload", size)

    def _sum(self, items: list[tuple[str, int]], device: DeviceView, section: str, size: ByteCount) -> Cost | None:
        name = device.profile or self.defaults.get(device.kind)
        if name is None:
            return None
        profile = load_profile(name)
        prices = [self._price(profile, section, n, count, size) for n, count in items]
        if any(p is None for p in prices):
            return None
        total = Nanoseconds(sum(p.value for p in prices if p is not None))
        return Cost(total, total if device.kind in {"host", "kernel"} else Nanoseconds(0))

    @staticmethod
    def _price(profile: Profile, section: str, name: str, count: int, size: ByteCount) -> Nanoseconds | None:
        if count == 0:
            return Nanoseconds(0)
        figure, each = profile.figure(section, name), profile.figure(section, f"{name}-bytes")
        if figure is None:
            return None
        time = Nanoseconds(figure.value)
        return (time + NanosecondsPerByte(each.value).time(size) if each else time) * count

    def crossing_cost(self, link: LinkView, size: ByteCount) -> Cost | None:
        """Return the latency that the link gives (`delay`), else its kind's, plus the bytes at its rate; None for an
        unknown kind or a missing rate.
        """
        links = load_profile("links")
        fixed, delay = links.figure(link.kind, "latency"), link.number("delay")
        given = link.number("rate")
        rate = BitsPerSecond(given) if given else self._rate(links, link)
        if fixed is None or rate is None:
            return None
        on_link = _tlp_bytes(size) if link.kind == "pcie" else size
        latency = Nanoseconds(fixed.value if delay is None else delay)
        return Cost(latency + rate.time(on_link))

    @staticmethod
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


def _items(work: Work) -> list[tuple[str, int]]:
    return [
        ("step", work.steps),
        ("header", work.headers),
        *((f"lookup-{kind}", count) for kind, count in work.lookups),
        ("store", work.stores),
        ("checksum", work.checksums),
        *((f"call-{name}", count) for name, count in work.calls),
    ]
