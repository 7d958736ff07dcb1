"""`bertha schedule`: share devices among the connections of many stacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from bertha_ir import api
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, NO, UNSETTLED, UsageError
from bertha_ir.cli.stream import complain, say
from bertha_ir.cost_models import UnknownModelError
from bertha_ir.passes.schedule import Hysteresis, Kind, NothingFoundError, Option, Resource, ScheduleError, solve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertha_ir.passes.offers import Offer
    from bertha_ir.passes.schedule import Schedule

RANK_NS = 1e9
"""What a place further down in a policy's list counts as: more than any latency."""


def run(parsed: argparse.Namespace) -> int:
    """Print how many connections of each stack run by which of its plans."""
    files = [*parsed.files, *parsed.site]
    try:
        offers = api.offers(files, cost_model=parsed.cost_model)
    except UnknownModelError as error:
        raise UsageError(str(error), "--cost-model takes a name, or a file and the class in it") from error
    stacks = [_Stack(name, found) for name, found in offers.items()]
    kinds = [stack.kind(parsed, offers) for stack in stacks]
    resources = [Resource(name, amount) for name, amount in sorted(api.capacities(files).items())]
    try:
        schedule = solve(
            resources, kinds, objective=parsed.objective, limit_s=parsed.timeout,
            hysteresis=Hysteresis(relative=parsed.threshold / 100),
        )  # fmt: skip
    except ScheduleError as error:
        complain(f"bertha schedule: error: {error}\n")
        return UNSETTLED if isinstance(error, NothingFoundError) else NO
    if parsed.json:
        data = {"runs": {s.name: s.runs() for s in stacks}, "counts": schedule.counts(), **_data(schedule)}
        say_json(ok=True, **data)
    else:
        say(_text(schedule))
    return DONE


@frozen
class _Stack:
    """A stack's offers, by names that say in what they differ: where ops run that do not everywhere."""

    name: str
    offers: tuple[Offer, ...]

    def named(self) -> dict[str, Offer]:
        found: dict[str, Offer] = {}
        places = [dict(o.runs) for o in self.offers]
        varied = [op for op in places[0] if len({p.get(op) for p in places}) > 1]
        for place, offer in zip(places, self.offers, strict=True):
            words = ", ".join(f"{op.partition('.')[2]} on {place[op]}" for op in varied if op in place) or "as planned"
            name = words if words not in found else f"{words} ({len(found) + 1})"
            found[name] = offer
        return found

    def runs(self) -> dict[str, dict[str, str]]:
        return {name: dict(offer.runs) for name, offer in self.named().items()}

    def kind(self, parsed: argparse.Namespace, known: Mapping[str, object]) -> Kind:
        options = tuple(
            Option(
                name, offer.latency_ns + RANK_NS * offer.rank, offer.uses,
                tuple((resource, self.name, amount) for resource, amount in offer.shared),
            )
            for name, offer in self.named().items()
        )  # fmt: skip
        return Kind(
            self.name,
            int(_given(parsed.connections, known, "connections").get(self.name, 1)),
            options,
            _given(parsed.weight, known, "weight").get(self.name, 1.0),
            int(_given(parsed.priority, known, "priority").get(self.name, 0)),
            _current(parsed.current).get(self.name, {}),
        )


def _given(texts: Sequence[str], known: Mapping[str, object], option: str) -> dict[str, float]:
    """Return `STACK=N` options as numbers by stack."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        whole = option != "weight"
        try:
            value = float(int(number)) if whole else float(number)
        except ValueError as error:
            message = f"`--{option} {text}` has no number"
            raise UsageError(message, f"write --{option} STACK=N, {'whole' if whole else 'or a fraction'}") from error
        if name not in known:
            message = f"no stack is called `{name}`"
            raise UsageError(message, f"stacks: {', '.join(known) or 'none'}")
        found[name] = value
    return found


def _current(path: Path | None) -> dict[str, dict[str, int]]:
    """Return what runs now, as an earlier answer has it."""
    if path is None:
        return {}
    try:
        counts = json.loads(path.read_text(encoding="utf-8"))["counts"]
        return {stack: {option: int(n) for option, n in row.items()} for stack, row in counts.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"`{path}` is no answer of `bertha schedule --json`"
        raise UsageError(message, "write the answer to a file, and give that") from error


def _data(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as plain data."""
    return {**asdict(schedule), "optimal": schedule.optimal, "bound": schedule.bound, "gap": schedule.gap}


def _text(schedule: Schedule) -> str:
    rows = [
        (served.kind, str(count), option, f"slowdown {served.slowdown:.3g}")
        for served in schedule.served
        for option, count in served.counts
        if count
    ]
    text = table([("stack", "connections", "plan", ""), *rows])
    if schedule.usage:
        used = [(u.resource, f"{u.used} of {u.capacity}", f"{u.left} left") for u in schedule.usage]
        text += "\n" + table([("resource", "used", ""), *used])
    text += "\n" + "".join(f"{s.kind}: {s.reason.text}\n" for s in schedule.served if s.reason is not None)
    if schedule.decision is not None:
        text += f"{schedule.decision.text}\n"
    proven = "proved" if schedule.optimal else f"not proved; at most {100 * schedule.gap:.2g} % too much"
    return text + f"weighted sum {schedule.cost / 1000:.6g} µs, the least: {proven}\n"
