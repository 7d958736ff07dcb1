"""Implementations: offloads that the makers of devices supply, and that are taken at someone's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.frontend import ast
from bertha_ir.frontend.attributes import RESOURCES
from bertha_ir.frontend.clauses import is_transport
from bertha_ir.frontend.codes import CH071TransportNotLast, CH081BadAttribute, CH086NotAssumed
from bertha_ir.frontend.names import Names, unknown
from bertha_ir.frontend.site import kind_of_device
from bertha_ir.frontend.stacks import declared_here
from bertha_ir.frontend.suggest import shown
from bertha_ir.spec import Implementation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.frontend import tree

ITEMS: Mapping[str, tuple[type, str]] = {
    "assumed": (ast.Text, '"vendor data sheet, section 4";'),
    "init": (ast.Text, '"command";'),
    "teardown": (ast.Text, '"command";'),
    "priority": (ast.Number, "10;"),
    "resources": (tuple, "{ flows 1; }"),
}


def resolve_implementation(node: tree.Implementation, names: Names) -> Implementation:
    """Return the implementation; what has an error is reported."""
    _check_chunnels(node.chunnels, names)
    items = _items(node.items, names)
    if not {"assumed", "proved"} & {i.name.text for i in node.items}:
        message = f"`{node.name.text}` does not say on whose word it is right"
        names.collector.add(CH086NotAssumed, message, node.name.span, f"write `assumed {ITEMS['assumed'][1]}`")
    texts = {name: _line(value, names) for name, value in items.items() if isinstance(value, ast.Text)}
    resources, priority = items.get("resources"), items.get("priority")
    return Implementation(
        node.name.text,
        tuple(c.text for c in node.chunnels),
        kind_of_device(node.kind, names),
        _line(node.profile, names) if node.profile else None,
        texts.get("assumed", ""),
        _resources(resources, names) if isinstance(resources, tuple) else (),
        texts.get("init"),
        texts.get("teardown"),
        priority.value if isinstance(priority, ast.Number) else 0,
        node.name.span,
    )


def _check_chunnels(words: tuple[ast.Name, ...], names: Names) -> None:
    for position, word in enumerate(words, 1):
        chunnel = names.chunnels.get(word.text)
        if chunnel is None:
            unknown("chunnel", word.text, word.span, names.chunnels, names.collector)
        elif position < len(words) and is_transport(chunnel):
            message = f"the transport `{word.text}` is not the last"
            hint = "chunnels are named top of the stack first: move it to the end"
            names.collector.add(CH071TransportNotLast, message, word.span, hint, declared_here(chunnel))


def _items(items: tuple[tree.Item, ...], names: Names) -> dict[str, tree.Value]:
    """Return the values, each of its item's kind, and report the other items."""
    found: dict[str, tree.Value] = {}
    seen: set[str] = set()
    for item in items:
        name, span = item.name.text, item.name.span
        if name == "proved":
            hint = "write `assumed` and whose word it is; a `rule` between chunnels is proved"
            names.collector.add(CH086NotAssumed, "nothing of an implementation can be proved", span, hint)
        elif name not in ITEMS:
            unknown("item of an implementation", name, span, ITEMS, names.collector)
        elif name in seen:
            names.collector.add(CH081BadAttribute, f"`{name}` is given twice", span, "remove one of the two")
        elif item.value is None or not isinstance(item.value, ITEMS[name][0]):
            takes = ITEMS[name][1]
            message, hint = f"`{name}` takes a value such as `{takes.rstrip(';')}`", f"write `{name} {takes}`"
            names.collector.add(CH081BadAttribute, message, item.span, hint)
        else:
            found[name] = item.value
        seen.add(name)
    return found


def _line(node: ast.Text, names: Names) -> str:
    """Return the text, which goes into plans and to shells: something, on one line, without control characters."""
    line = node.value.decode(errors="ignore")
    if not line.strip() or not line.isprintable() or line.encode() != node.value:
        hint = "write some text, without line breaks and other control characters, or leave it out"
        names.collector.add(CH081BadAttribute, f"`{shown(node)}` is no line of text", node.span, hint)
    return line


def _resources(amounts: tuple[tuple[ast.Name, ast.Number], ...], names: Names) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for name, number in amounts:
        if name.text not in RESOURCES:
            unknown("resource", name.text, name.span, RESOURCES, names.collector)
        elif name.text in found:
            message = f"`{name.text}` is given twice"
            names.collector.add(CH081BadAttribute, message, name.span, "remove one of the two")
        found.setdefault(name.text, number.value)
    return tuple(found.items())
