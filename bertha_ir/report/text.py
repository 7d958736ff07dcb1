"""A plan as text: for a terminal, with colours and bars, and for a pipe, without."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import groupby, zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.report.changes import changes, since
from bertha_ir.report.journey import DIRECTIONS, Hop, in_order, planned
from bertha_ir.report.reasons import reasons
from bertha_ir.report.words import SHORT, gain, links, percent, time, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bertha_ir.plan import Binding, LedgerEntry, Outline, Plan
    from bertha_ir.report.journey import Journey, Step

WIDTH = 100  # columns, where no terminal says how many it has
BAR = 8  # columns of the longest bar
BAR_COLUMN = 5
EIGHTHS, PLAIN = "▏▎▍▌▋▊▉█", "#"
_LEAST = 10  # columns of what is wrapped
_COLOURS = {"title": "1", "op": "36", "crossing": "33", "good": "32", "bad": "31", "faint": "2"}


@frozen
class Style:
    """How text is shown: with colours, with bars of these characters (the emptiest first), and in how many columns."""

    colour: bool = False
    bars: str | None = None
    width: int = WIDTH

    def paint(self, kind: str, text: str) -> str:
        """Return text in the colour of its kind."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self.colour and text.strip() else text

    def table(self, rows: Iterable[Sequence[str]], indent: str, paints: Mapping[int, str] | None = None) -> str:
        """Return rows whose columns begin below each other; the last one is wrapped. `paints`: columns' colours."""
        rows = [tuple(visible(cell) for cell in row) for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
        used = len(indent) + sum(widths) + 2 * len(widths)
        text = ""
        for row in rows:
            parts = wrap(row[-1], max(_LEAST, self.width - used), break_on_hyphens=False) or [""]
            cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
            plain = indent + "  ".join([*cells, parts[0]])
            if self.colour and paints:
                cells = [self.paint(paints[i], c) if i in paints else c for i, c in enumerate(cells)]
                last = self.paint(paints[len(cells)], parts[0]) if len(cells) in paints else parts[0]
                plain = indent + "  ".join([*cells, last])
            text += plain.rstrip() + "\n" + "".join(f"{' ' * used}{part}\n" for part in parts[1:])
        return text

    def lines(self, text: str, indent: str, hanging: str) -> str:
        """Return a sentence as lines of the width."""
        parts = wrap(
            visible(text), self.width, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False
        )
        return "".join(f"{part}\n" for part in parts)


def text_of(plan: Plan, style: Style) -> str:
    """Return the plan's text: the path; what messages meet on it, where, why and at what cost; before and after beside
    each other; rewrites, refusals, and on whose word it rests.
    """
    ends = (f"{end} on {host or 'any host'}" for end, host in zip(plan.ends, plan.hosts, strict=True))
    text = style.paint("title", f"stack {plan.stack}: {', '.join(ends)}{service(plan)}") + "\n"
    if plan.path:
        text += style.lines(f"path: {' - '.join(plan.path)}", "  ", "    ")
    text += "".join(style.lines(f"selected: {branch}", "  ", "    ") for branch in plan.branches)
    text += "".join(_journey(journey, plan, style) for journey in planned(plan))
    text += _standbys(plan, style)
    if plan.alternatives:
        rows = [(" and ".join(a.branches), time(a.latency_ns), a.reason) for a in plan.alternatives]
        text += _heading("other branches", style) + style.table(rows, "    ", {0: "op"})
    if plan.before is not None:
        text += _compared(plan.before, plan.after, style)
        text += "".join(style.lines(f"as {reason}", "    ", "      ") for reason in reasons(plan))
    if plan.ledger:
        text += _heading("rewritten", style)
        text += "".join(_rewrite(r, list(es), style) for r, es in groupby(plan.ledger, key=lambda e: e.rewrite))
    if plan.refusals:
        rows = [(r.op, r.device, r.reason) for r in plan.refusals]
        text += _heading("refused", style) + style.table(rows, "    ", {0: "op", 1: "bad"})
    text += f"  latency of a request of {plan.message_bytes} bytes: {time(plan.latency_ns)} by `{plan.cost_model}`\n"
    text += "".join(style.lines(f"assumed: {a.text}", "  ", "    ") for a in plan.assumptions)
    return text + f"  id: {plan.id}\n"


def service(plan: Plan) -> str:
    """Return where the listening end is; nothing when that is not known."""
    if plan.service is None:
        return ""
    address, port = plan.service
    return f", at {'any address' if address is None else IPv4Address(address)}:{port}"


def outlines(names: tuple[str, str], both: tuple[Outline, Outline], style: Style) -> str:
    """Return two outlines of a stack beside each other: what a request takes, the links, and the ops' devices. An op
    that is not where it was is marked.
    """
    one, other = both
    moved = {move.op for move in changes(one, other).moves if move.before is not None}
    less = gain(one.latency_ns, other.latency_ns)
    rows = [
        ("", names[0], names[1]),
        ("a request", time(one.latency_ns), time(other.latency_ns) + (f" ({less})" if less else "")),
        ("crossings", links(one.crossings), links(other.crossings)),
    ]
    means = time(one.mean_ns), time(other.mean_ns)
    if None not in {one.mean_ns, other.mean_ns} and means != (time(one.latency_ns), time(other.latency_ns)):
        rows.insert(2, ("on average", *means))
    for direction in ("request", "response"):
        sides = [[(op, at) for op, at in o.runs if op.startswith(f"{direction}.")] for o in both]
        cells = [_column(side, moved if number else set()) for number, side in enumerate(sides)]
        rows += [
            (direction if not n else "", left, right)
            for n, (left, right) in enumerate(zip_longest(*cells, fillvalue=""))
        ]
    return style.table(rows, "    ")


def _column(runs: list[tuple[str, str]], moved: set[str]) -> list[str]:
    wide = max((len(op.partition(".")[2]) for op, _ in runs), default=0)
    return [f"{op.partition('.')[2]:<{wide}}  {device}{' *' if op in moved else ''}" for op, device in runs]


def _heading(name: str, style: Style) -> str:
    return f"  {style.paint('title', f'{name}:')}\n"


def _journey(journey: Journey, plan: Plan, style: Style) -> str:
    total = f", {time(journey.latency_ns)}" if journey.latency_ns is not None else ""
    text = f"  {style.paint('title', f'{journey.direction}{total}:')}\n"
    longest = max((s.share or 0 for s in journey.steps), default=0)
    text += style.table([_row(s, longest, style) for s in journey.steps], "    ", {0: "op", BAR_COLUMN: "crossing"})
    shares = ", ".join(f"{name} {percent(share)}" for name, share in journey.shares())
    return text + (style.lines(f"of which {shares}", "    ", "      ") if shares and plan.crossings else "")


def _row(step: Step, longest: float, style: Style) -> tuple[str, ...]:
    """Return an op's row, or that of a link: what, where, how, for how long, which part of the cost, and why."""
    bars = (bar(step.share, longest, style.bars),) if style.bars is not None else ()
    costs = (time(step.latency_ns), percent(step.share), *bars)
    if isinstance(step, Hop):
        return "", f"→ {step.b}", step.kind, *costs, ""
    kind, why = (how(step.binding), step.binding.reason) if step.binding else ("", "")
    return step.op, step.device, kind, *costs, why


def bar(share: float | None, longest: float, signs: str) -> str:
    """Return a share of a whole as a bar of `BAR` columns, if it is the longest; of `signs`, the last is a full one."""
    if not share or not longest:
        return ""
    parts = max(1, round(share / longest * BAR * len(signs)))
    full, rest = divmod(parts, len(signs))
    return signs[-1] * full + (signs[rest - 1] if rest else "")


def how(binding: Binding) -> str:
    """Return what runs an op: an offload, or a backend's program and where in the device it is."""
    if binding.implementation is not None:
        return f"offload {binding.implementation}"
    return f"{binding.backend} {binding.hook}"


def _standbys(plan: Plan, style: Style) -> str:
    text = ""
    for direction in DIRECTIONS:
        idle = [b for b in in_order(plan, direction) if not b.active]
        rows = [(b.op, b.device, how(b), time(b.latency_ns), b.reason) for b in idle]
        text += _heading(f"standby, {direction}", style) + style.table(rows, "    ", {0: "faint"}) if rows else ""
    return text


def _compared(before: Outline, after: Outline, style: Style) -> str:
    if not since(before, after):
        took = f"a request takes {time(before.latency_ns)}" if before.latency_ns is not None else ""
        less = gain(before.latency_ns, after.latency_ns)
        figures = "; ".join(part for part in (took, f"as planned, {less}" if less else "") if part)
        text = "compared: as written, each op is on the same device, in the same order"
        return style.lines(f"{text}: {figures}" if figures else text, "  ", "    ")
    return _heading("compared", style) + outlines(("as written", "as planned"), (before, after), style)


def _rewrite(name: str, entries: list[LedgerEntry], style: Style) -> str:
    text = style.lines(name, "    ", "      ")
    for entry in entries:
        named = f", certificate {entry.certificate[:SHORT]}" if entry.certificate else ""
        text += style.lines(f"{entry.status} by {entry.by}{named}: {entry.detail}", "      ", "        ")
    return text
