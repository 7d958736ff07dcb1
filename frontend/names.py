"""Names: what a run declares, by kind, and which words may be names."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, TypeVar

from attrs import Factory, define

from bertha_ir.diagnostics import Label
from bertha_ir.frontend import facts, tree
from bertha_ir.frontend.codes import CH011Duplicate, CH012UnknownName, CH013Reserved
from bertha_ir.frontend.suggest import nearest_or_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bertha_ir.diagnostics import Collector
    from bertha_ir.frontend.ast import Name
    from bertha_ir.message import Message, MessageField
    from bertha_ir.source import Span
    from bertha_ir.types import ParameterType

T = TypeVar("T", tree.Message, tree.Endpoint, tree.Chunnel, tree.Stack, tree.Rule, tree.Implementation)
_C = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
)
# P4-16's reserved words. `actions apply entries key list priority state type` are names there too, and stay allowed.
_P4 = (
    "abstract action bit bool const control default else enum error exit extern false for header header_union if in "
    "inout int match_kind out package parser return select string struct switch table this transition true tuple "
    "typedef value_set varbit void"
)
RESERVED: Mapping[str, str] = {
    **dict.fromkeys(_P4.split(), "P4"),
    **dict.fromkeys(_C.split(), "C"),
    **dict.fromkeys(keyword.kwlist, "Python"),
}
MESSAGE_PARTS = ("src", "dst", "payload", "value")


def check_name(name: Name, collector: Collector) -> None:
    """Report a declared name that is a keyword of a generated language."""
    if name.text in RESERVED:
        message = f"`{name.text}` is a keyword of {RESERVED[name.text]}"
        collector.add(CH013Reserved, message, name.span, f"choose another name, such as `{name.text}_`")


def check_names(names: Iterable[Name], what: str, collector: Collector) -> None:
    """Check names of one kind that are declared side by side: each alone, and against the ones before."""
    first: dict[str, Name] = {}
    for name in names:
        check_name(name, collector)
        duplicate(name, first.get(name.text), what, collector)
        first.setdefault(name.text, name)


def duplicate(name: Name, before: Name | None, what: str, collector: Collector) -> None:
    """Report a second declaration."""
    if before is not None:
        labels = (Label(before.span, "first declared here"),)
        collector.add(CH011Duplicate, f"two {what}s are called `{name.text}`", name.span, "rename one of them", labels)


def unknown(what: str, name: str, span: Span, known: Iterable[str], collector: Collector) -> None:
    """Report a name that nothing declares, with the nearest one that something does."""
    collector.add(CH012UnknownName, f"no {what} is called `{name}`", span, nearest_or_all(name, known, what))


@define
class Names:
    """Everything that a run declares. `layouts` are the messages, once their types are known.

    `parameters` are those of the rule whose chains are being read: arguments may name them.
    """

    collector: Collector
    messages: dict[str, tree.Message] = Factory(dict)
    endpoints: dict[str, tree.Endpoint] = Factory(dict)
    chunnels: dict[str, tree.Chunnel] = Factory(dict)
    stacks: dict[str, tree.Stack] = Factory(dict)
    rules: dict[str, tree.Rule] = Factory(dict)
    implementations: dict[str, tree.Implementation] = Factory(dict)
    workloads: list[facts.Workload] = Factory(list)
    devices: dict[str, tree.Device] = Factory(dict)
    links: list[tree.Link] = Factory(list)
    runs: list[tree.Run] = Factory(list)
    policies: list[tree.Policy] = Factory(list)
    layouts: dict[str, Message] = Factory(dict)
    parameters: dict[str, ParameterType] = Factory(dict)
    _fields: dict[str, dict[str, MessageField]] = Factory(dict)

    def declare(self, declarations: Iterable[tree.Declaration]) -> None:  # noqa: C901  (one row a node)
        """Take in declarations; a second one of the same kind and name is an error."""
        for declaration in declarations:
            match declaration:
                case tree.Message(name):
                    self._add(self.messages, name, declaration, "message")
                case tree.Endpoint(name):
                    self._add(self.endpoints, name, declaration, "endpoint")
                case tree.Chunnel(name):
                    self._add(self.chunnels, name, declaration, "chunnel")
                case tree.Stack(name):
                    self._add(self.stacks, name, declaration, "stack")
                case tree.Rule(name):
                    self._add(self.rules, name, declaration, "rule")
                case tree.Implementation(name):
                    self._add(self.implementations, name, declaration, "implementation")
                case facts.Workload():
                    self.workloads.append(declaration)
                case tree.Device(ref):
                    before = self.devices.setdefault(ref.text, declaration)
                    check_name(ref.inner or ref.name, self.collector)
                    duplicate(ref.name, None if before is declaration else before.ref.name, "device", self.collector)
                case tree.Link():
                    self.links.append(declaration)
                case tree.Run():
                    self.runs.append(declaration)
                case tree.Policy():
                    self.policies.append(declaration)

    def field(self, message: str, name: str) -> MessageField | None:
        """Return a field of a message whose layout is known."""
        if message not in self._fields:
            self._fields[message] = {f.name: f for f in self.layouts[message].fields}
        return self._fields[message].get(name)

    def _add(self, table: dict[str, T], name: Name, declaration: T, what: str) -> None:
        check_name(name, self.collector)
        before = table.setdefault(name.text, declaration)
        duplicate(name, None if before is declaration else before.name, what, self.collector)
