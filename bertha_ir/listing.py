"""What an artifact's manifest says of stacks and programs: what a runtime must know without running them."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from bertha_ir import expr, stmt
from bertha_ir.artifact import ManifestProgram, ManifestStack
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertha_ir.plan import PlacedProgram, Plan
    from bertha_ir.program import DeviceProgram
    from bertha_ir.spec import Specification
    from bertha_ir.stack import Graph


def stack(
    placed: Plan, specification: Specification, written: tuple[Graph, ...], endpoints: Iterable[tuple[int, int]]
) -> ManifestStack:
    """Return what is said of a stack. `written`: the directions as written; `endpoints`: where requests may go."""
    declared = next(s for s in specification.stacks if s.name == placed.stack)
    transports = (i.chunnel.transport for i in declared.directions[0].instances)
    header = next((t.header for t in transports if t is not None), None)
    bodies = tuple(op.body for g in written if g.stack == placed.stack for op in g.ops)
    secrets = tuple(sorted({n.name for n in walk(bodies) if isinstance(n, expr.Secret)}))
    known = tuple((str(IPv4Address(ip)), port) for ip, port in sorted(endpoints))
    return ManifestStack(placed.ends, _dotted(placed.service), header, secrets, known)


def _dotted(service: tuple[int | None, int] | None) -> tuple[str | None, int] | None:
    if service is None or service[0] is None:
        return service if service is None else (None, service[1])
    return str(IPv4Address(service[0])), service[1]


def program(
    placed: PlacedProgram, files: list[str], every: tuple[PlacedProgram, ...], written: tuple[Graph, ...]
) -> ManifestProgram:
    """Return what is said of a program. `every`: all programs of the artifact, this one among them."""
    made = placed.program
    datagrams = made.root == "datagram"
    requests = next(g for g in written if (g.stack, g.direction) == (placed.stack, "request"))
    whole = set(_ops(made)) == {op.id for op in requests.ops if op.side == "path"}
    others = (p for p in every if p.stack == placed.stack and p.active and p.program.root == "frame")
    return ManifestProgram(
        made.name,
        placed.stack,
        placed.backend,
        made.device,
        made.root,
        made.hook,
        tuple(files),
        placed.active,
        placed.offloads,
        stateful=bool(made.states),
        movable=datagrams and not made.states and whole,
        replaces=tuple(p.program.name for p in others if _replaces(made, p.program, written)) if datagrams else (),
        records=_records(made),
    )


def _ops(made: DeviceProgram) -> tuple[str, ...]:
    return tuple(op for block in made.blocks for op in block.ops)


def _replaces(made: DeviceProgram, other: DeviceProgram, written: tuple[Graph, ...]) -> bool:
    """Whether a process that runs a program of requests does what another one does: the same ops, and the undoing of
    them in replies, which it relays.
    """
    ours = set(_ops(made))
    undoing = {o.id for g in written if g.direction == "response" for o in g.ops if o.undoes and o.derived_from in ours}
    return set(_ops(other)) <= ours | undoing


def _records(made: DeviceProgram) -> str | None:
    """Return the primitive that undoes the outermost record of what an end receives, if one does."""
    first = next((statement for block in made.blocks for statement in block.body), None)
    call = first.value if made.root == "recv" and isinstance(first, stmt.Attempt) else None
    return call.primitive if isinstance(call, expr.Call) and PRIMITIVES[call.primitive].ends else None
