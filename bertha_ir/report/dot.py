"""A plan as a graph for Graphviz: devices as clusters, ops in them, and what messages cross between two ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.report.figure import Box, panels
from bertha_ir.report.words import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.plan import Plan
    from bertha_ir.report.figure import Panel, Row

HEAD = """\
digraph plan {
  rankdir=LR; compound=true; newrank=true; fontname="sans-serif";
  node [shape=box, style="rounded,filled", fillcolor="#dcebfd", fontname="sans-serif", fontsize=11];
  edge [fontname="sans-serif", fontsize=10];
"""


def dot(plans: Sequence[Plan]) -> str:
    """Return the plans as one graph; of each, a cluster as written and one as planned."""
    text = HEAD
    shown = [(f"{plan.stack} {panel.title}", plan.ends, panel) for plan in plans for panel in panels(plan)]
    for number, (title, ends, panel) in reversed(list(enumerate(shown))):  # what comes last is drawn at the top
        text += _panel(f"p{number}", title, ends, panel)
    return text + "}\n"


def _panel(key: str, title: str, ends: tuple[str, str], panel: Panel) -> str:
    last = len(panel.columns) - 1
    nodes: dict[int, list[str]] = {n: [f'{key}_d{n} [shape=point, width=0.05, label=""];'] for n in range(last + 1)}
    if not nodes:
        return ""
    for letter, name, number in zip("ab", ends, (0, last), strict=True):
        nodes[number].append(f"{key}_{letter} [label={_quoted(name)}, shape=ellipse];")
    edges = []
    for direction, rows in panel.ways:
        start, end = ("a", "b") if direction == "request" else ("b", "a")
        edges += _way(f"{key}_{direction}", rows, nodes, (f"{key}_{start}", f"{key}_{end}"))
    text = f"  subgraph cluster_{key} {{\n    label={_quoted(title)};\n"
    for number, name in enumerate(panel.columns):
        inside = "".join(f" {node}" for node in nodes[number])
        text += f"    subgraph cluster_{key}_{number} {{ label={_quoted(name)};{inside} }}\n"
    for number, kind in enumerate(panel.links):
        link = f"{key}_d{number} -> {key}_d{number + 1}"
        text += f"    {link} [dir=none, style=dashed, color=gray, fontcolor=gray, label={_quoted(kind)}];\n"
    return text + "".join(f"    {edge}\n" for edge in edges) + "  }\n"


def _way(key: str, rows: tuple[Row, ...], nodes: dict[int, list[str]], ends: tuple[str, str]) -> list[str]:
    """Add the ops of a direction to their devices' `nodes`; return the edges between them."""
    edges, crossed, before = [], [], ends[0]
    for number, row in enumerate(rows):
        if not isinstance(row, Box):
            crossed += [f"{arrow.kind} {arrow.cost}".strip() for arrow in row]
            continue
        colour = ', fillcolor="#e2f4e4"' if row.offload else ""
        wide = ", penwidth=3" if row.moved else ""
        label = f"{row.op}\n{row.cost}".strip()
        nodes[row.column].append(f"{key}{number} [label={_quoted(label)}{colour}{wide}];")
        edges.append(_edge(before, f"{key}{number}", crossed))
        before, crossed = f"{key}{number}", []
    return [*edges, _edge(before, ends[1], crossed)]


def _edge(a: str, b: str, crossed: list[str]) -> str:
    if not crossed:
        return f"{a} -> {b};"
    return f'{a} -> {b} [label={_quoted(chr(10).join(crossed))}, color="#c2560c", fontcolor="#a8480a", penwidth=1.6];'


def _quoted(text: str) -> str:
    """Return text as a string of Graphviz, line by line."""
    lines = [visible(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'
