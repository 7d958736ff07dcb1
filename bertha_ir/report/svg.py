"""A plan as a drawing: plain SVG, light or dark as the reader's screen is. Lengths are pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.report.figure import Box, panels
from bertha_ir.report.words import markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.plan import Plan
    from bertha_ir.report.figure import Arrow, Panel, Row

CHARACTER = 7.3  # the width of a character of the font, at most
LEFT, RIGHT, TOP, GAP = 90, 24, 16, 96  # margins; between the boxes of two columns, where the links' kinds stand
BOX, ROW, HOP, HEAD, WAY = (
    34,
    44,
    34,
    76,
    26,
)  # heights: a box, its row, a row of links, the devices, a direction's name
LONGEST = 26
STYLE = """\
.bp { color-scheme: light dark; font: 12px ui-monospace, Menlo, Consolas, monospace; }
.bp text { fill: #1c2430; } .bp .page { fill: #ffffff; } .bp .faint { fill: #66707f; }
.bp .name { font-weight: 700; font-size: 14px; } .bp .small { font-size: 10.5px; }
.bp .device { fill: #eef2f7; stroke: #66707f; } .bp .link { stroke: #66707f; stroke-width: 2; }
.bp .life { stroke: #c3cad4; stroke-dasharray: 3 4; } .bp .op { fill: #dcebfd; stroke: #2a6fbb; }
.bp .offload { fill: #e2f4e4; stroke: #2b7a3d; } .bp .moved { stroke-width: 3; }
.bp .crossing { stroke: #c2560c; stroke-width: 1.8; } .bp .tip, .bp text.cost { fill: #a8480a; }
@media (prefers-color-scheme: dark) {
.bp text { fill: #e4e8ee; } .bp .page { fill: #14181f; } .bp .faint { fill: #98a3b3; }
.bp .device { fill: #222935; stroke: #98a3b3; } .bp .link { stroke: #98a3b3; }
.bp .life { stroke: #3c4656; } .bp .op { fill: #17324f; stroke: #6aa9ee; }
.bp .offload { fill: #173a20; stroke: #6cc080; }
.bp .crossing { stroke: #f0935a; } .bp .tip, .bp text.cost { fill: #f4a877; }
}
"""


def svg(plans: Sequence[Plan]) -> str:
    """Return a drawing of the plans, one below the other; of each, the stack as written above the stack as planned."""
    parts: list[str] = []
    width, y = 320.0, float(TOP)
    for plan in plans:
        wide, y = _plan(plan, y, parts)
        width = max(width, wide)
    label = markup("plan of " + ", ".join(plan.stack for plan in plans))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bp" role="img" aria-label="{label}" '
        f'width="{width:.0f}" height="{y:.0f}" viewBox="0 0 {width:.0f} {y:.0f}">'
    )
    page = f'<rect class="page" width="{width:.0f}" height="{y:.0f}"/>'
    return "\n".join([head, f"<style>\n{STYLE}</style>", page, *parts, "</svg>", ""])


def _plan(plan: Plan, y: float, parts: list[str]) -> tuple[float, float]:
    """Draw a plan from `y` on; return how wide it is, and where it ends."""
    parts.append(_text(16, y + 14, f"stack {plan.stack}", "name"))
    width, y = 0.0, y + 30
    for panel in panels(plan):
        wide, y = _panel(panel, y, parts)
        width = max(width, wide, 16 + CHARACTER * len(panel.title) + RIGHT)
    return width, y + TOP


def _panel(panel: Panel, y: float, parts: list[str]) -> tuple[float, float]:
    names = [*panel.columns, *(r.op for _, rows in panel.ways for r in rows if isinstance(r, Box))]
    box = 20 + CHARACTER * min(LONGEST, max(map(len, names), default=8))
    middles = [LEFT + box / 2 + n * (box + GAP) for n in range(len(panel.columns))]
    parts.append(_text(16, y + 14, panel.title))
    end = y + HEAD + sum(WAY + sum(_height(row) for row in rows) for _, rows in panel.ways)
    parts += [_line(x, y + HEAD - 14, x, end, "life") for x in middles]
    for n, (name, x) in enumerate(zip(panel.columns, middles, strict=True)):
        if n + 1 < len(middles):
            parts.append(_line(x + box / 2, y + 45, middles[n + 1] - box / 2, y + 45, "link"))
            parts.append(_text((x + middles[n + 1]) / 2, y + 39, panel.links[n], "faint small", "middle"))
        parts += _labelled((x, y + 28, box), name, "", "device")
    y += HEAD
    for direction, rows in panel.ways:
        parts.append(_text(16, y + 12, direction, "faint"))
        y += WAY
        for row in rows:
            if isinstance(row, Box):
                kind = f"op{' offload' if row.offload else ''}{' moved' if row.moved else ''}"
                parts += _labelled((middles[row.column], y, box), row.op, row.cost, kind)
            else:
                parts += [part for arrow in row for part in _arrow(arrow, middles, y + HOP - 12)]
            y += _height(row)
    return (middles[-1] + box / 2 if middles else 0) + RIGHT, y + 20


def _height(row: Row) -> int:
    return ROW if isinstance(row, Box) else HOP


def _arrow(arrow: Arrow, middles: list[float], y: float) -> list[str]:
    """Return a crossing: a line from device to device with a tip, and its kind and cost above."""
    one, other = middles[arrow.a], middles[arrow.b]
    step = 1 if other > one else -1
    tip = f"M{other:.1f} {y:.1f} l{-9 * step} -4.5 v9 z"
    label = f"{arrow.kind} {arrow.cost}".strip()
    return [
        _line(one, y, other - 8 * step, y, "crossing"),
        f'<path class="tip" d="{tip}"/>',
        _text((one + other) / 2, y - 5, label, "cost small", "middle"),
    ]


def _labelled(at: tuple[float, float, float], name: str, below: str, kind: str) -> list[str]:
    """Return a box with a name, and a line below it. `at`: its middle, its top, its width."""
    x, y, width = at
    shown = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    rect = (
        f'<rect class="{kind}" x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BOX}" rx="5">'
        f"<title>{markup(name)}</title></rect>"
    )
    if not below:
        return [rect, _text(x, y + BOX / 2 + 4, shown, "", "middle")]
    return [rect, _text(x, y + 15, shown, "", "middle"), _text(x, y + 28, below, "faint small", "middle")]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "") -> str:
    middle = f' text-anchor="{anchor}"' if anchor else ""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{named}{middle}>{markup(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'
