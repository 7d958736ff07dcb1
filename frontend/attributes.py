"""The attributes of devices and links: which there are, and what each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bertha_ir.diagnostics import Label
from bertha_ir.frontend.codes import CH012UnknownName, CH081BadAttribute, CH084SharedAddress
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.spec import Attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bertha_ir.frontend import tree
    from bertha_ir.frontend.names import Names

Quantity = Literal["bit/s", "B", "Hz", "s", "number", "address", "mac", "word"]
RESOURCES = ("flows", "entries", "slots")
DEVICE: Mapping[str, Quantity] = {
    "address": "address",
    "mac": "mac",
    "cores": "number",
    "memory": "B",
    "clock": "Hz",
    **dict.fromkeys(RESOURCES, "number"),
    "profile": "word",
}
LINK: Mapping[str, Quantity] = {
    "rate": "bit/s",
    "delay": "s",
    "port": "number",
    "generation": "number",
    "lanes": "number",
}
_SI = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
UNITS: Mapping[Quantity, Mapping[str, int]] = {
    "bit/s": {f"{p}bit/s": n for p, n in _SI.items()},
    "B": {f"{p}B": n for p, n in {**_SI, **_BINARY}.items()},
    "Hz": {f"{p}Hz": n for p, n in _SI.items()},
    "s": {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9},
}
_FACTORS = {unit: factor for units in UNITS.values() for unit, factor in units.items()}
_EXAMPLES: Mapping[Quantity, str] = {
    "bit/s": "10 Gbit/s",
    "B": "16 GiB",
    "Hz": "2500 MHz",
    "s": "300 ns",
    "number": "2",
    "address": "10.0.0.1",
    "mac": "02:00:00:00:00:01",
    "word": '"x86-server"',
}


def attributes(
    nodes: Iterable[tree.Attribute], known: Mapping[str, Quantity], what: str, names: Names
) -> tuple[Attribute, ...]:
    """Return the attributes of a `device` or a `link`, in base units: bit/s, bytes, hertz, nanoseconds. An unknown
    one, a repeated one, and a value of another kind are reported.
    """
    found: dict[str, Attribute] = {}
    for node in nodes:
        name = node.name.text
        if name not in known:
            message, hint = f"no attribute of a {what} is called `{name}`", nearest_or_all(name, known, "attribute")
            names.collector.add(CH012UnknownName, message, node.name.span, hint)
        elif name in found:
            message = f"`{name}` is given twice"
            names.collector.add(CH081BadAttribute, message, node.name.span, "remove one of the two")
        found[name] = Attribute(name, _value(node, known.get(name), names), node.span)
    return tuple(found.values())


def _value(node: tree.Attribute, quantity: Quantity | None, names: Names) -> int | str:
    if node.unit is not None and node.unit not in _FACTORS:
        message, hint = f"no unit is called `{node.unit}`", nearest_or_all(node.unit, _FACTORS, "unit")
        names.collector.add(CH081BadAttribute, message, node.span, hint)
        return 0
    if quantity is not None and _quantity(node) != quantity:
        takes = f"takes a value such as `{_EXAMPLES[quantity]}`"
        lacks = node.number is not None and node.unit is None and quantity in UNITS
        message = f"`{node.name.text}` {'has no unit' if lacks else takes}"
        names.collector.add(CH081BadAttribute, message, node.span, f"write `{node.name.text} {_EXAMPLES[quantity]};`")
        return node.value
    if node.number is None:
        return node.value
    value = node.number * _FACTORS.get(node.unit or "", 1)
    if value.denominator != 1:
        message = f"`{shown(node)}` is not whole in base units"
        names.collector.add(CH081BadAttribute, message, node.span, "write a whole number, or a larger unit")
    return int(value)


def _quantity(node: tree.Attribute) -> Quantity:
    """Return what kind of value was written."""
    if node.number is not None:
        return next((q for q, units in UNITS.items() if node.unit in units), "number")
    if isinstance(node.value, str):
        return "word"
    return "mac" if ":" in node.span.text else "address"


def check_shared(devices: Iterable[tree.Device], names: Names) -> None:
    """Report an address, or a MAC address, that two devices have."""
    first: dict[tuple[str, int | str], tuple[tree.Device, tree.Attribute]] = {}
    for device in devices:
        for node in (a for a in device.attributes if a.name.text in {"address", "mac"} and a.number is None):
            other, before = first.setdefault((node.name.text, node.value), (device, node))
            if other is not device:
                message = f"`{other.ref.text}` and `{device.ref.text}` have one {node.name.text}"
                labels = (Label(before.span, f"that of `{other.ref.text}`"),)
                names.collector.add(CH084SharedAddress, message, node.span, "give each its own", labels)
