"""`bertha cost-models --validate`: what a profile says of this host, beside what is measured."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from bertha_ir.cli.calibrate import check_writable, progress, write
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, UNSETTLED
from bertha_ir.cli.stream import complain, say
from bertha_ir.cost_models.calibration.trial import Trial, steps, summary, validate

if TYPE_CHECKING:
    import argparse

    from bertha_ir.cost_models.calibration.trial import Result

SHIPPED = "x86-server"
HOOKS = {"ingress": "kernel, XDP", "egress": "kernel, TC", "process": "Python process"}
WIDTH, FULL = 20, 0.5  # characters of a bar; the error that fills it
LONGEST = 58


def run_validation(parsed: argparse.Namespace) -> int:
    """Print each chain's prediction, measurement and error, and what they come to by hook."""
    from bertha_ir.cli.cost_models import opened  # noqa: PLC0415  (which imports this one)

    name = parsed.profile or SHIPPED
    opened(name)
    if parsed.svg is not None:
        check_writable(parsed.svg)
    with progress("trying", steps()) as step:
        result = validate(name, quick=parsed.quick, progress=step)
    if parsed.svg is not None:
        write(parsed.svg, svg(name, result))
    if parsed.json:
        say_json(ok=bool(result.trials), profile=name, **_data(result))
    else:
        say("\n".join(_section(hook, trials) for hook, trials in _by_hook(result)))
        complain("".join(f"note: {note}\n" for note in result.notes))
    return DONE if result.trials else UNSETTLED


def _by_hook(result: Result) -> list[tuple[str, tuple[Trial, ...]]]:
    found = [(hook, tuple(t for t in result.trials if t.hook == hook)) for hook in HOOKS]
    return [(hook, trials) for hook, trials in found if trials]


def _data(result: Result) -> dict[str, object]:
    trials = [
        {"chain": t.chain, "hook": t.hook, "predicted": t.predicted, "measured": t.measured, "error": t.error}
        for t in result.trials
    ]
    hooks = [{"hook": h, "mean": summary(found).mean, "worst": summary(found).worst} for h, found in _by_hook(result)]
    return {"trials": trials, "hooks": hooks, "notes": list(result.notes)}


def _section(hook: str, trials: tuple[Trial, ...]) -> str:
    rows = [("", "predicted", "measured", "error", "")]
    rows += [
        (_short(t.chain), f"{t.predicted:.1f} ns", f"{t.measured:.1f} ns", f"{t.error:+.1%}", _bar(t)) for t in trials
    ]
    found = summary(trials)
    return f"{HOOKS[hook]}: mean error {found.mean:.1%}, worst {found.worst:.1%}\n{table(rows, '  ')}"


def _short(chain: str) -> str:
    return chain if len(chain) <= LONGEST else f"{chain[: LONGEST - 1]}…"


def _bar(trial: Trial) -> str:
    """Return the error's size as a bar: too much is full, too little is shaded."""
    length = min(WIDTH, round(WIDTH * abs(trial.error) / FULL))
    return ("█" if trial.error > 0 else "░") * length + ("…" if abs(trial.error) > FULL else "")


SIDE, TOP, CHART = 60, 40, 480  # pixels: the margins, and the square that holds the points


def svg(name: str, result: Result) -> str:
    """Return a drawing: each chain a point, measured to the right, predicted upwards, both on logarithmic axes."""
    from math import log10  # noqa: PLC0415

    values = [v for t in result.trials for v in (t.predicted, t.measured)] or [1.0, 10.0]
    low, high = log10(min(values)) - 0.1, log10(max(values)) + 0.1

    def at(value: float) -> float:
        return CHART * (log10(value) - low) / (high - low)

    colours = {"ingress": "#1b7837", "egress": "#2166ac", "process": "#b2182b"}
    points = [
        f'<circle cx="{SIDE + at(t.measured):.1f}" cy="{TOP + CHART - at(t.predicted):.1f}" r="4" '
        f'fill="{colours[t.hook]}"><title>{escape(t.chain)} ({t.hook}): {t.predicted:.1f} ns predicted, '
        f"{t.measured:.1f} ns measured</title></circle>"
        for t in result.trials
    ]
    keys = [
        f'<text x="{SIDE + 12}" y="{TOP + 20 + 18 * i}" fill="{colours[hook]}">{HOOKS[hook]}: mean error '
        f"{summary(trials).mean:.1%}</text>"
        for i, (hook, trials) in enumerate(_by_hook(result))
    ]
    ticks = [10.0**n for n in range(-1, 8) if low <= n <= high]
    marks = [
        f'<text x="{SIDE + at(t):.1f}" y="{TOP + CHART + 18}" text-anchor="middle">{t:g} ns</text>'
        f'<text x="{SIDE - 6}" y="{TOP + CHART - at(t):.1f}" text-anchor="end">{t:g}</text>'
        for t in ticks
    ]
    end, size = SIDE + CHART, (SIDE * 2 + CHART, TOP * 2 + CHART)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" font-family="sans-serif"'
    frame = f'<rect x="{SIDE}" y="{TOP}" width="{CHART}" height="{CHART}" fill="none" stroke="#888"/>'
    exact = f'<line x1="{SIDE}" y1="{TOP + CHART}" x2="{end}" y2="{TOP}" stroke="#888" stroke-dasharray="4"/>'
    title = f'<text x="{SIDE}" y="24" font-size="15">{escape(name)}: predicted (up) and measured (right)</text>'
    return "\n".join([f'{head} font-size="12">', title, frame, exact, *marks, *points, *keys, "</svg>", ""])
