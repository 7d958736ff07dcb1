"""The operator's side: devices, links, where the ends run, and policy."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast, get_args

from bertha_ir.frontend import tree
from bertha_ir.frontend.codes import CH080UnknownKind, CH081BadAttribute, CH082NoKernel, CH083UnknownEnd
from bertha_ir.frontend.guarantees import guarantees
from bertha_ir.frontend.names import Names, duplicate, unknown
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.spec import Attribute, Demand, Deny, Device, DeviceKind, Link, Policy, Prefer, Runs, Site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertha_ir.frontend.ast import Name

KINDS = get_args(DeviceKind)
_SI = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
UNITS: dict[str, int] = {
    **{f"{p}bit/s": n for p, n in _SI.items()},
    **{f"{p}B": n for p, n in {**_SI, **_BINARY}.items()},
    **{f"{p}Hz": n for p, n in _SI.items()},
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
}


def resolve_site(names: Names) -> Site:
    """Return the site; what has an error is reported."""
    first: dict[tuple[str, str], Name] = {}
    for run in names.runs:
        before = first.setdefault((run.stack.text, run.end.text), run.end)
        duplicate(run.end, None if before is run.end else before, "running end", names.collector)
    rules = [r for p in names.policies for r in p.rules]
    return Site(
        tuple(_device(d, names) for d in names.devices.values()),
        tuple(
            Link(_ref(n.a, names), _ref(n.b, names), n.kind.text, _attributes(n.attributes, names), n.span)
            for n in names.links
        ),
        Policy(
            tuple(Deny(_chunnel(r, names), _ref(r.device, names), r.span) for r in rules if isinstance(r, tree.Deny)),
            tuple(
                Prefer(_chunnel(r, names), tuple(_ref(d, names) for d in r.devices), r.span)
                for r in rules
                if isinstance(r, tree.ChooseAmong)
            ),
            tuple(dict.fromkeys(_ref(d, names) for r in rules if isinstance(r, tree.Trust) for d in r.devices)),
            tuple(
                Demand(guarantees(r.names, names.collector), _ref(r.device, names), r.span)
                for r in rules
                if isinstance(r, tree.Demand)
            ),
        ),
        tuple(_runs(r, names) for r in names.runs),
    )


def _device(node: tree.Device, names: Names) -> Device:
    if node.kind.text not in KINDS:
        hint = nearest_or_all(node.kind.text, KINDS, "kind of device")
        message = f"no kind of device is called `{node.kind.text}`"
        names.collector.add(CH080UnknownKind, message, node.kind.span, hint)
    elif node.ref.inner:
        _ref(node.ref, names)
    kind = cast("DeviceKind", node.kind.text)
    return Device(node.ref.text, kind, _attributes(node.attributes, names), node.span)


def _ref(node: tree.DeviceRef, names: Names) -> str:
    """Check a reference to a device and return the device's name."""
    if node.inner is None:
        if node.name.text not in names.devices:
            unknown("device", node.name.text, node.name.span, names.devices, names.collector)
    elif node.name.text != "kernel":
        unknown("part of a device", node.name.text, node.name.span, ("kernel",), names.collector)
    elif node.inner.text not in names.devices:
        unknown("device", node.inner.text, node.inner.span, names.devices, names.collector)
    elif names.devices[node.inner.text].kind.text != "host":
        kind = names.devices[node.inner.text].kind.text
        message = f"`{node.inner.text}` is a {kind}, and only hosts have a kernel"
        names.collector.add(CH082NoKernel, message, node.span, "name a host")
    return node.text


def _chunnel(rule: tree.Deny | tree.ChooseAmong, names: Names) -> str:
    if rule.chunnel.text not in names.chunnels:
        unknown("chunnel", rule.chunnel.text, rule.chunnel.span, names.chunnels, names.collector)
    return rule.chunnel.text


def _runs(node: tree.Run, names: Names) -> Runs:
    stack = names.stacks.get(node.stack.text)
    if stack is None:
        unknown("stack", node.stack.text, node.stack.span, names.stacks, names.collector)
    elif node.end.text not in (ends := [e.text for e in stack.ends]):
        hint = nearest_or_all(node.end.text, ends, "end")
        message = f"`{node.stack.text}` has no end `{node.end.text}`"
        names.collector.add(CH083UnknownEnd, message, node.end.span, hint)
    return Runs(node.stack.text, node.end.text, _ref(node.device, names), node.span)


def _attributes(nodes: Iterable[tree.Attribute], names: Names) -> tuple[Attribute, ...]:
    found: dict[str, Attribute] = {}
    for node in nodes:
        if node.name.text in found:
            message = f"`{node.name.text}` is given twice"
            names.collector.add(CH081BadAttribute, message, node.name.span, "remove one of the two")
        found[node.name.text] = Attribute(node.name.text, _value(node, names), node.span)
    return tuple(found.values())


def _value(node: tree.Attribute, names: Names) -> int | str:
    """Return an attribute's value: a number in base units (bit/s, bytes, hertz, nanoseconds), an address or a word."""
    if node.number is None:
        return node.value
    if node.unit is not None and node.unit not in UNITS:
        message, hint = f"no unit is called `{node.unit}`", nearest_or_all(node.unit, UNITS, "unit")
        names.collector.add(CH081BadAttribute, message, node.span, hint)
        return 0
    value = Fraction(node.number) * UNITS.get(node.unit or "", 1)
    if value.denominator != 1:
        message = f"`{shown(node)}` is not whole in base units"
        names.collector.add(CH081BadAttribute, message, node.span, "write a whole number, or a larger unit")
    return int(value)
