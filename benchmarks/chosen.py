"""The chains that `benchmarks/chains.py` measures: as written and as planned, with a frame that passes, and traffic."""

from __future__ import annotations

import random
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import frozen
from tried import SEED, Side, Trying

from bertha_ir import api
from bertha_ir.cost_models.calibration.trial import MESSAGE, SITE
from bertha_ir.passes.traffic import traffic_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertha_ir.plan import Plan

CATALOGUE = Path(__file__).resolve().parent.parent / "examples" / "catalogue"
AS_WRITTEN = "expand,canonicalize,undo"
RATES, LIFTED = r"rate = [\d_]+, burst = [\d_]+", "rate = 1000000000, burst = 1000000"
MIXED = 64
LIMIT = "limit(rate = 1000000000, burst = 1000000, by = {})"
DENY = "firewall(deny = [{}.0.0.0/8, 192.168.0.0/16])"
PARTS = (
    "count(by = ipv4.dscp)", DENY.format(20), "tag(Query.kind, 7)", LIMIT.format("ipv4.src"),
    DENY.format(30), "count(by = Query.word)", "fault(per_mille = 0)", "tag(ipv4.dscp, 0)",
)  # fmt: skip
LENGTHS = (2, 4, 8, 16)
DROPS = {
    "early drop": f"tag(Query.kind, 7) |> tag(ipv4.dscp, 0) |> {DENY.format(40)} |> firewall(deny = [172.16.0.0/12])",
    "early drop, counted": "tag(Query.kind, 7) |> count(by = ipv4.dscp) |> firewall(deny = [172.16.0.0/12])",
}
WORKLOAD = "workload app.request { size 256; firewall drops 70 %; }"


@frozen
class Chain:
    """A chain at a hook: as written, as planned, a frame that passes all of it, and as many as `MIXED` of which as many
    are dropped as its workload says (none without one). Of what passes, those are taken for which it remembers most.
    """

    name: str
    written: Side
    planned: Side
    passing: bytes
    mixed: tuple[bytes, ...]


def made() -> Iterator[Chain]:
    """Yield chains of 2 to 16 of the library's chunnels, and those of which the last one drops most."""
    for name, text in {**{f"{n} chunnels": " |> ".join((PARTS * 2)[:n]) for n in LENGTHS}, **DROPS}.items():
        request = f"serialize(Query) |> {text}" if "Query." in text else text
        names = dict.fromkeys(part.partition("(")[0].strip() for part in text.split("|>"))
        policy = " ".join(f"prefer {chunnel} on [kernel(h1)];" for chunnel in names)
        stack = f"stack app(client, server) {{ request: {request} |> udp(4242); response: udp(4242); }}"
        workload = WORKLOAD if name in DROPS else ""
        yield from _chains(name, f"{MESSAGE}\n{stack}\n{SITE}\npolicy {{ {policy} }}\n{workload}")


def catalogued() -> Iterator[Chain]:
    """Yield the chains of the catalogue of which a plan has two ops or more in one kernel program; rates are lifted."""
    for folder in sorted(path.parent for path in CATALOGUE.glob("*/site.chunnel")):
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.chunnel"))]
        lifted = re.sub(RATES, LIFTED, "\n".join(texts))  # in a test run, a second's messages come in a millisecond
        yield from _chains(folder.name, lifted, folder)


def _chains(name: str, text: str, folder: Path | None = None) -> Iterator[Chain]:
    """Yield a chain for each hook and part of a plan that one program runs."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "app.chunnel")
        path.write_text(text, encoding="utf-8")
        for other in folder.glob("*.toml") if folder else ():
            Path(scratch, other.name).write_bytes(other.read_bytes())
        plain, better = api.build([path], pipeline=AS_WRITTEN), api.build([path])
    (plan,) = better.plans
    before, after = (next(g for g in c.graphs if g.direction == "request") for c in (plain, better))
    kept = {op.id for op in after.ops}
    for placed in better.programs:
        for block in placed.program.blocks:
            if placed.backend != "ebpf" or len(block.ops) == 1 or not block.name.endswith("_request"):
                continue
            if folder is None and placed.program.hook != "ingress":
                continue
            ops = [op for op in before.chain() if op.event == "packet" and (op.id in block.ops or op.id not in kept)]
            written = Side(plain.specification, before, tuple(ops), placed.program.hook)
            order = tuple(after.op(op) for op in block.ops)
            planned = Side(better.specification, after, order, placed.program.hook)
            title = f"{name}, {placed.program.hook}"
            yield _with_frames(name if folder is None else title, written, planned, plan)


def _with_frames(name: str, written: Side, planned: Side, plan: Plan) -> Chain:
    """Find frames for a chain. Of the workload's drops, those are had that a frame's bytes alone bring about."""
    found = Trying(written, plan).found()
    every = len(written.ops)
    if every not in found:
        msg = f"no frame that was tried passes `{name}`"
        raise LookupError(msg)
    ranked = {frame: written.remembers(frame) for frame in found[every]}
    passing = [frame for frame, rows in ranked.items() if rows == max(ranked.values())]
    mixed, left = [], float(MIXED)
    traffic = traffic_of(written.specification, written.graph.stack, "request")
    for at, op in enumerate(written.ops):
        gone = left * (1 - traffic.keeps(op.chunnel)) if at in found else 0.0
        mixed += _some(found.get(at, ()), round(gone))
        left -= gone
    mixed += _some(passing, MIXED - len(mixed))
    random.Random(SEED).shuffle(mixed)  # noqa: S311  (not secret)
    return Chain(name, written, planned, passing[0], tuple(mixed))


def _some(frames: Sequence[bytes], count: int) -> list[bytes]:
    return [frames[i % len(frames)] for i in range(count)]
