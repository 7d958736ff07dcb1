"""A plan as one page: nothing of it comes from elsewhere, nothing runs, and it is light or dark as the screen is."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from bertha_ir.report.changes import since
from bertha_ir.report.journey import DIRECTIONS, Hop, in_order, planned
from bertha_ir.report.reasons import reasons
from bertha_ir.report.svg import svg
from bertha_ir.report.text import how, service
from bertha_ir.report.words import SHORT, gain, links, markup, percent, time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bertha_ir.plan import LedgerEntry, Outline, Plan
    from bertha_ir.report.journey import Journey, Step

STYLE = """\
:root { color-scheme: light dark; --page: #fff; --text: #1c2430; --faint: #5b6573; --line: #d5dbe3; --head: #f3f6fa;
  --bar: #2a6fbb; --crossing: #c2560c; --good: #23703a; --bad: #a32020; }
@media (prefers-color-scheme: dark) { :root { --page: #14181f; --text: #e4e8ee; --faint: #98a3b3; --line: #343d4b;
  --head: #1d2430; --bar: #6aa9ee; --crossing: #f0935a; --good: #7cce92; --bad: #f08a8a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
section + section { border-top: 2px solid var(--line); margin-top: 3rem; padding-top: 2rem; }
p { margin: .3rem 0; } .faint { color: var(--faint); } .wide { overflow-x: auto; }
code, td.code { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .6rem 0 .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
th { background: var(--head); font-weight: 600; } th:first-child, td:first-child { padding-left: .4rem; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.hop td { color: var(--crossing); } tr.moved td { font-weight: 600; }
.bar { display: block; height: .7rem; margin-top: .4rem; background: var(--bar); border-radius: 2px; min-width: 1px; }
tr.hop .bar { background: var(--crossing); } td.bars { width: 12rem; }
.proved { color: var(--good); } .assumed { color: var(--crossing); } .refused { color: var(--bad); }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(plans: Sequence[Plan]) -> str:
    """Return a page about the plans."""
    names = ", ".join(plan.stack for plan in plans)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{markup(f'Plan of {names}')}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"{''.join(_section(plan) for plan in plans)}</body>\n</html>\n"
    )


def _section(plan: Plan) -> str:
    ends = (f"{end} on {host or 'any host'}" for end, host in zip(plan.ends, plan.hosts, strict=True))
    text = f"<section>\n<h1>{markup(f'Stack {plan.stack}')}</h1>\n<p>{markup(', '.join(ends) + service(plan))}</p>\n"
    text += f'<p class="faint">{markup(" - ".join(plan.path))}</p>\n' if plan.path else ""
    text += f"<p>A request of {plan.message_bytes} bytes takes <strong>{time(plan.latency_ns)}</strong>"
    text += f" by the cost model <code>{markup(plan.cost_model)}</code>.</p>\n"
    text += f'<h2>Devices and messages</h2>\n<div class="wide">\n{svg([plan])}</div>\n'
    text += "<h2>What messages meet</h2>\n" + "".join(_journey(journey) for journey in planned(plan))
    text += _standbys(plan)
    if plan.branches:
        text += "<h2>Branches</h2>\n" + _branches(plan)
    if plan.before is not None:
        text += "<h2>Before and after</h2>\n" + _compared(plan.before, plan.after)
        text += "".join(f"<p>{markup(reason)}</p>\n" for reason in reasons(plan))
    if plan.ledger:
        text += "<h2>Rewrites</h2>\n" + _ledger(plan.ledger)
    if plan.refusals:
        rows = [_cells((r.op, "code"), (r.device, "code refused"), (r.reason, "")) for r in plan.refusals]
        text += "<h2>Refused</h2>\n" + _table(("op", "device", "reason"), rows)
    if plan.assumptions:
        rows = [_cells((a.text, ""), (a.by, ""), (a.about, "")) for a in plan.assumptions]
        text += "<h2>Assumed</h2>\n" + _table(("what", "by", "about"), rows)
    return text + f'<p class="faint">id <code>{markup(plan.id)}</code></p>\n</section>\n'


def _journey(journey: Journey) -> str:
    shares = ", ".join(f"{name} {percent(share)}" for name, share in journey.shares())
    total = f": {time(journey.latency_ns)}" if journey.latency_ns is not None else ""
    longest = max((s.share or 0 for s in journey.steps), default=0)
    rows = [_step(step, longest) for step in journey.steps]
    caption = f"{journey.direction}{total}" + (f", of which {shares}" if shares else "")
    return _table(("op", "device", "how", "time", "share", "", "why"), rows, caption)


def _step(step: Step, longest: float) -> str:
    width = 100 * step.share / longest if step.share and longest else 0
    drawn = f'<td class="bars">{f"""<span class="bar" style="width:{width:.1f}%"></span>""" if width else ""}</td>'
    costs = _cells((time(step.latency_ns), "number"), (percent(step.share), "number")) + drawn
    if isinstance(step, Hop):
        return f'class="hop">{_cells(("", "code"), (f"→ {step.b}", "code"), (step.kind, ""))}{costs}<td></td>'
    kind, why = (how(step.binding), step.binding.reason) if step.binding is not None else ("", "")
    return _cells((step.op, "code"), (step.device, "code"), (kind, "")) + costs + _cells((why, ""))


def _standbys(plan: Plan) -> str:
    rows = [
        _cells((b.op, "code"), (direction, ""), (b.device, "code"), (how(b), ""), (time(b.latency_ns), "number"))
        + _cells((b.reason, ""))
        for direction in DIRECTIONS
        for b in in_order(plan, direction)
        if not b.active
    ]
    return _table(("op", "direction", "device", "how", "time", "why"), rows, "standing by") if rows else ""


def _branches(plan: Plan) -> str:
    rows = [_cells((" and ".join(plan.branches), "code"), (time(plan.latency_ns), "number"), ("chosen", ""))]
    rows += [
        _cells((" and ".join(a.branches), "code"), (time(a.latency_ns), "number"), (a.reason, ""))
        for a in plan.alternatives
    ]
    return _table(("branches", "time", "why"), rows)


def _compared(before: Outline, after: Outline) -> str:
    moved = {move.op for move in since(before, after).moves}
    less = gain(before.latency_ns, after.latency_ns)
    rows = [
        _cells(("a request", ""), (time(before.latency_ns), "")) + _cells((time(after.latency_ns), ""), (less, "")),
        _cells(("crossings", ""), (links(before.crossings), "")) + _cells((links(after.crossings), ""), ("", "")),
    ]
    for direction in DIRECTIONS:
        sides = [[run for run in o.runs if run[0].startswith(f"{direction}.")] for o in (before, after)]
        for number, (left, right) in enumerate(zip_longest(*sides)):
            cells = [(f"{run[0].partition('.')[2]} on {run[1]}" if run else "", "code") for run in (left, right)]
            star = "moved" if right and right[0] in moved else ""
            named = _cells((direction if not number else "", ""), *cells, (star, ""))
            rows.append(f'class="moved">{named}' if star else named)
    return _table(("", "as written", "as planned", ""), rows)


def _ledger(entries: Iterable[LedgerEntry]) -> str:
    rows = [
        _cells((e.rewrite, ""), (e.status, e.status), (e.by, ""), ((e.certificate or "")[:SHORT], "code"))
        + _cells((e.detail, ""))
        for e in entries
    ]
    return _table(("rewrite", "status", "by", "certificate", "detail"), rows)


def _cells(*cells: tuple[str, str]) -> str:
    """Return cells of a row, each a text and a class."""
    return "".join(
        f'<td class="{kind}">{markup(cell)}</td>' if kind else f"<td>{markup(cell)}</td>" for cell, kind in cells
    )


def _table(heads: Sequence[str], rows: Iterable[str], caption: str = "") -> str:
    """Return a table of rows of cells; a row may begin with its own attributes and `>`."""
    lines = "".join(f"<tr {row}</tr>\n" if row.startswith("class=") else f"<tr>{row}</tr>\n" for row in rows)
    above = f"<caption>{markup(caption)}</caption>\n" if caption else ""
    head = "".join(f"<th>{markup(name)}</th>" for name in heads)
    return (
        f'<div class="wide"><table>\n{above}<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n'
    )
