"""Device profiles: TOML files in which every figure has its unit, source, conditions and mark."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrs import frozen

from bertha_ir.cost_models.base import CostModelError
from bertha_ir.cost_models.units import BitsPerSecond, ByteCount, Nanoseconds, NanosecondsPerByte, Quantity, Unitless

UNITS: dict[str, type[Quantity]] = {
    "ns": Nanoseconds,
    "ns/byte": NanosecondsPerByte,
    "bit/s": BitsPerSecond,
    "count": Unitless,
    "byte": ByteCount,
}
MARKS = {
    "A": "read in the primary source",
    "C": "computed from a primary model",
    "M": "measured by this project",
    "B": "from a secondary source",
    "R": "recalled or judged: low confidence",
}
LINKS, CAPACITY, PIPELINE = "links", "capacity", "pipeline"
LARGEST = 1 << 20  # bytes of a profile


class ProfileError(CostModelError):
    """A profile is missing, malformed, or has a figure without its source."""


@frozen
class Figure:
    """A number with where it comes from. `mark`: one of `MARKS`."""

    value: float
    unit: str
    source: str
    conditions: str
    mark: str


@frozen
class Profile:
    """The figures of one device, or of all links, by section and name."""

    name: str
    sections: tuple[tuple[str, tuple[tuple[str, Figure], ...]], ...]

    def figure(self, section: str, name: str) -> Figure | None:
        """Return a figure, or None."""
        return dict(dict(self.sections).get(section, ())).get(name)

    def has(self, section: str) -> bool:
        """Whether there is a section of that name."""
        return any(name == section for name, _ in self.sections)

    def nearest(self, section: str, name: str) -> tuple[str, Figure] | None:
        """Return a figure and its name; where the profile lacks it, that of the name without its last words: what
        `lookup-state-lru` lacks, `lookup-state` has.
        """
        known = dict(dict(self.sections).get(section, ()))
        while name not in known and "-" in name:
            name = name.rpartition("-")[0]
        return (name, known[name]) if name in known else None

    def capacity(self, name: str) -> Unitless | ByteCount | None:
        """Return how much of something the device has, such as `stages` or `sram`; None when the profile is silent."""
        figure = self.figure(CAPACITY, name)
        if figure is None:
            return None
        return ByteCount(figure.value) if figure.unit == "byte" else Unitless(figure.value)

    @property
    def limits(self) -> tuple[tuple[str, float], ...]:
        """How much the device has of everything, by name: its capacities, and what its pipeline of stages has."""
        return tuple((name, figure.value) for section, name, figure in self.figures if section in {CAPACITY, PIPELINE})

    @property
    def figures(self) -> tuple[tuple[str, str, Figure], ...]:
        """All figures, with their section and name."""
        return tuple((section, name, figure) for section, body in self.sections for name, figure in body)


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that ship with Bertha."""
    folder = files("bertha_ir.cost_models") / "profiles"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))


def load_profile(name: str) -> Profile:
    """Return a profile that ships with Bertha, or that of a file, by a path that ends in `.toml`.

    `ProfileError` when there is none or it is malformed.
    """
    return _from_file(name) if name.endswith(".toml") else _shipped(name)


@cache
def _shipped(name: str) -> Profile:
    if name not in profile_names():
        msg = (
            f"no device profile is called `{name}`; there are {', '.join(profile_names())}, or a path to a `.toml` file"
        )
        raise ProfileError(msg)
    path = files("bertha_ir.cost_models") / "profiles" / f"{name}.toml"
    return parse_profile(name, path.read_text(encoding="utf-8"))


def _from_file(name: str) -> Profile:
    try:
        with Path(name).open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8")
    except OSError as error:
        msg = f"the profile `{name}` cannot be read: {(error.strerror or str(error)).lower()}"
        raise ProfileError(msg) from error
    except ValueError as error:
        msg = f"the profile `{name}` is no text in UTF-8"
        raise ProfileError(msg) from error
    if len(content) > LARGEST:
        msg = f"the profile `{name}` is larger than 1 MiB"
        raise ProfileError(msg)
    return _parsed(name, text)


@cache
def _parsed(name: str, text: str) -> Profile:
    """Remember files by what is in them: one that changes is read anew."""
    return parse_profile(name, text)


def parse_profile(name: str, text: str) -> Profile:
    """Return the profile of a TOML text; `ProfileError` names the figure that is malformed."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        msg = f"the profile `{name}` is no TOML: {error}"
        raise ProfileError(msg) from error
    for section, body in data.items():
        if not isinstance(body, dict):
            msg = f"{name}: `{section}` stands in no section, such as [host]"
            raise ProfileError(msg)
    return Profile(
        name,
        tuple((s, tuple((n, _figure(name, s, n, f)) for n, f in body.items())) for s, body in data.items()),
    )


def _figure(profile: str, section: str, name: str, data: Any) -> Figure:  # noqa: ANN401  (TOML)
    where = f"{profile}: {section}.{name}"
    given = data if isinstance(data, dict) else {}
    value: Any = given.get("value")
    texts: list[Any] = [given.get(key) for key in ("unit", "source", "conditions", "mark")]
    if type(value) not in {int, float} or not all(isinstance(text, str) and text.strip() for text in texts):
        msg = f"{where} needs value, unit, source, conditions and mark"
        raise ProfileError(msg)
    figure = Figure(_finite(value), *texts)
    if figure.mark not in MARKS or figure.value < 0:
        msg = f"{where}: mark {figure.mark!r} or value {value} is none; marks are {', '.join(MARKS)}"
        raise ProfileError(msg)
    if figure.unit not in (units := _units(profile, section, name)):
        msg = f"{where} is in {figure.unit!r}, not in {' or '.join(units)}"
        raise ProfileError(msg)
    return figure


def _finite(value: float) -> float:
    """Return the number, or -1, which is refused, for what is none."""
    try:
        number = float(value)
    except OverflowError:
        return -1.0
    return number if number < float("inf") else -1.0


def _units(profile: str, section: str, name: str) -> tuple[str, ...]:
    """Return the units that a figure may have, by its place."""
    if section == CAPACITY:
        return "count", "byte"
    if section == PIPELINE:
        return ("count",)
    if profile == LINKS:
        return ("ns",) if name == "latency" else ("bit/s",)
    return ("ns/byte",) if name.endswith("-bytes") else ("ns",)
