"""The operator's side: devices, links, where the ends run, and policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from bertha_ir.frontend import tree
from bertha_ir.frontend.attributes import DEVICE, LINK, attributes, check_shared
from bertha_ir.frontend.codes import (
    CH012UnknownName,
    CH080UnknownKind,
    CH082NoKernel,
    CH083UnknownEnd,
    CH085NothingToPrefer,
)
from bertha_ir.frontend.guarantees import guarantees
from bertha_ir.frontend.names import Names, duplicate, unknown
from bertha_ir.frontend.suggest import nearest_or_all
from bertha_ir.spec import Demand, Deny, Device, DeviceKind, Link, Policy, Prefer, Runs, Site

if TYPE_CHECKING:
    from bertha_ir.frontend.ast import Name

ALONE = "no file declares a stack; a site goes with a specification: `bertha check SPECIFICATION --site SITE`"
KINDS = get_args(DeviceKind)
LINKS = ("ethernet", "loopback", "pcie")


def resolve_site(names: Names) -> Site:
    """Return the site; what has an error is reported."""
    first: dict[tuple[str, str], Name] = {}
    for run in names.runs:
        before = first.setdefault((run.stack.text, run.end.text), run.end)
        duplicate(run.end, None if before is run.end else before, "running end", names.collector)
    check_shared(names.devices.values(), names)
    rules = [r for p in names.policies for r in p.rules]
    return Site(
        tuple(_device(d, names) for d in names.devices.values()),
        tuple(_link(n, names) for n in names.links),
        Policy(
            tuple(Deny(_chunnel(r, names), _ref(r.device, names), r.span) for r in rules if isinstance(r, tree.Deny)),
            tuple(_prefer(r, names) for r in rules if isinstance(r, tree.ChooseAmong)),
            tuple(dict.fromkeys(_ref(d, names) for r in rules if isinstance(r, tree.Trust) for d in r.devices)),
            tuple(
                Demand(guarantees(r.names, names.collector), _ref(r.device, names), r.span)
                for r in rules
                if isinstance(r, tree.Demand)
            ),
        ),
        tuple(_runs(r, names) for r in names.runs),
    )


def kind_of_device(word: Name, names: Names) -> DeviceKind:
    """Return the kind of device; one that there is not is reported."""
    if word.text not in KINDS:
        hint = nearest_or_all(word.text, KINDS, "kind of device")
        names.collector.add(CH080UnknownKind, f"no kind of device is called `{word.text}`", word.span, hint)
    return cast("DeviceKind", word.text)


def _device(node: tree.Device, names: Names) -> Device:
    kind = kind_of_device(node.kind, names)
    if kind in KINDS and node.ref.inner:
        _ref(node.ref, names)
    return Device(node.ref.text, kind, attributes(node.attributes, DEVICE, "device", names), node.span)


def _link(node: tree.Link, names: Names) -> Link:
    if node.kind.text not in LINKS:
        message = f"no kind of link is called `{node.kind.text}`"
        names.collector.add(CH080UnknownKind, message, node.kind.span, nearest_or_all(node.kind.text, LINKS, "kind"))
    return Link(
        _ref(node.a, names),
        _ref(node.b, names),
        node.kind.text,
        attributes(node.attributes, LINK, "link", names),
        node.span,
    )


def _prefer(rule: tree.ChooseAmong, names: Names) -> Prefer:
    name = _chunnel(rule, names)
    chunnel = names.chunnels.get(name)
    if chunnel is not None and not any(
        c.event.text in {"packet", "reply"} for c in chunnel.clauses if isinstance(c, tree.Handler)
    ):
        names.collector.add(
            CH085NothingToPrefer,
            f"`{name}` runs at the ends of a connection alone, so no device can be preferred for it",
            rule.chunnel.span,
            "leave the line out; `run` says where the ends are",
        )
    return Prefer(name, tuple(_ref(d, names) for d in rule.devices), rule.span)


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
        hint = nearest_or_all(node.stack.text, names.stacks, "stack") if names.stacks else ALONE
        names.collector.add(CH012UnknownName, f"no stack is called `{node.stack.text}`", node.stack.span, hint)
    elif node.end.text not in (ends := [e.text for e in stack.ends]):
        hint = nearest_or_all(node.end.text, ends, "end")
        message = f"`{node.stack.text}` has no end `{node.end.text}`"
        names.collector.add(CH083UnknownEnd, message, node.end.span, hint)
    return Runs(node.stack.text, node.end.text, _ref(node.device, names), node.span)
