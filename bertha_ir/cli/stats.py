"""`bertha stats`: what loaded programs count and remember, also as a workload to plan by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from bertha_ir import api
from bertha_ir.cli.loaded import loaded_data, name, refusing
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, NO
from bertha_ir.cli.stream import complain, say
from bertha_ir.measured import counters
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.pinned import Pins

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from bertha_ir.runtime.pinned import Loaded
    from bertha_ir.stack import Graph

SHOWN = 10  # entries of a map, in text
State = dict[tuple[int, ...], tuple[int, ...]]


@frozen
class Counted:
    """The messages that an op met, and those that went on."""

    stack: str
    direction: str
    op: str
    chunnel: str
    met: int
    kept: int

    @property
    def dropped(self) -> float:
        """The share that ended here: dropped, or answered."""
        return 1 - self.kept / self.met if self.met else 0.0


@refusing
def run(parsed: argparse.Namespace) -> int:
    """Print states and counters."""
    artifact = Artifact(parsed.folder)
    graphs = api.graphs(artifact.read("ir/graphs.ir").decode())
    before = dict(_read(artifact)) if parsed.seconds else {}
    if parsed.seconds:
        time.sleep(parsed.seconds)
    now = dict(_read(artifact))
    if not now:
        complain(f"bertha stats: error: no program of `{parsed.folder}` is loaded here; see `bertha load`\n")
        return NO
    counted = _difference(_counted(graphs, now), _counted(graphs, before))
    if parsed.as_workload:
        return _workload(counted, parsed.seconds)
    if parsed.json:
        say_json(ok=True, programs=[_data(p, s) for p, s in now.items()], ops=[_op(c) for c in counted])
        return DONE
    for found, states in now.items():
        say(f"{name(found)} on interface {', '.join(map(str, found.interfaces)) or 'none'}\n" + _states(states))
    if counted:
        say(_table(counted, parsed.seconds))
    return DONE


def _read(artifact: Artifact) -> Iterator[tuple[Loaded, dict[str, State]]]:
    pins = Pins()
    for found in pins.loaded():
        if artifact.plan.startswith(found.plan):
            with pins.maps(artifact, found) as maps:
                yield found, {name_: dict(m.items()) for name_, m in maps.items()}


def _counted(graphs: tuple[Graph, ...], now: Mapping[Loaded, Mapping[str, State]]) -> list[Counted]:
    states = {name_: state for found in now.values() for name_, state in found.items()}
    rows = []
    for graph in graphs:
        for op in graph.chain():
            names = counters(graph.stack, graph.direction, op.id)
            if names.met in states:
                met, kept = (states[n].get((), (0,))[0] for n in (names.met, names.kept))
                rows.append(Counted(graph.stack, graph.direction, op.id, op.chunnel, met, kept))
    return rows


def _difference(now: list[Counted], before: list[Counted]) -> list[Counted]:
    if not before:
        return now
    return [evolve(a, met=a.met - b.met, kept=a.kept - b.kept) for a, b in zip(now, before, strict=True)]


def _states(states: Mapping[str, State]) -> str:
    text = ""
    for name_, state in sorted(states.items()):
        if name_.endswith(("__met", "__kept")):
            continue
        rows = sorted(state.items(), key=lambda row: (-sum(row[1]), row[0]))
        text += f"  {name_}: {len(rows)} entries\n" if rows != [((), ())] else ""
        text += table([(_numbers(k) or "-", _numbers(v)) for k, v in rows[:SHOWN]], "    ") if rows else ""
        text += f"    … and {len(rows) - SHOWN} more\n" if len(rows) > SHOWN else ""
    return text


def _numbers(row: tuple[int, ...]) -> str:
    return " ".join(map(str, row))


def _table(counted: list[Counted], seconds: float | None) -> str:
    since = f"in {seconds:g} s" if seconds else "since loading"
    rows = [(f"{c.stack}.{c.direction}", c.op, str(c.met), str(c.kept), f"{c.dropped:.1%}") for c in counted]
    return f"messages {since}:\n" + table([("", "op", "met", "went on", "ended here"), *rows], "  ")


def _workload(counted: list[Counted], seconds: float | None) -> int:
    """Print a workload for each direction that something was counted of. Several ops of a chunnel are taken together,
    as a workload speaks of chunnels.
    """
    seen = [c for c in counted if c.met]
    if not seen:
        complain("bertha stats: error: no message was counted; programs count if compiled with `--pipeline measured`\n")
        return NO
    for stack, direction in dict.fromkeys((c.stack, c.direction) for c in seen):
        mine = [c for c in seen if (c.stack, c.direction) == (stack, direction)]
        lines = [f"  rate {max(1, round(max(c.met for c in mine) / seconds))} per second;"] if seconds else []
        for chunnel in dict.fromkeys(c.chunnel for c in mine):
            met, kept = (sum(getattr(c, of) for c in mine if c.chunnel == chunnel) for of in ("met", "kept"))
            if kept < met:
                lines.append(
                    f"  {chunnel} drops {100 * (1 - kept / met):.1f} %;  // dropped, or answered: {met - kept} of {met}"
                )
        say(f"workload {stack}.{direction} {{\n" + "".join(f"{line}\n" for line in lines) + "}\n")
    return DONE


def _data(found: Loaded, states: Mapping[str, State]) -> dict[str, object]:
    rows = {name_: [[list(k), list(v)] for k, v in state.items()] for name_, state in states.items()}
    return {**loaded_data(found), "states": rows}


def _op(counted: Counted) -> dict[str, object]:
    return {
        "stack": counted.stack, "direction": counted.direction, "op": counted.op, "met": counted.met,
        "kept": counted.kept,
    }  # fmt: skip
