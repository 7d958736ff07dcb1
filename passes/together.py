"""Whether what a plan puts on a device fits there together: each op was tried alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.diagnostics import Collector
from bertha_ir.passes.candidates import Seat
from bertha_ir.passes.lower import frame_groups
from bertha_ir.passes.lowering.program import frame_part, merge
from bertha_ir.passes.topology import path_of

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.passes.base import Context, Module
    from bertha_ir.passes.lower import Member, Place
    from bertha_ir.program import DeviceProgram
    from bertha_ir.stack import Graph, Op


def overfull(module: Module, context: Context) -> dict[Seat, Diagnostic]:
    """Return, for each device whose ops do not fit there together, the first op in order with which they do not, and
    why. Of a standby, which does what the plan has active there too, that comes first.
    """
    found: dict[Seat, Diagnostic] = {}
    for place, members in frame_groups(module).items():
        seats = [(member, op) for member in members for op in member[2]]
        host = _host(module, members[0][0].stack, place[0])
        target = next(t for t in context.targets.values() if t.name == place[2])
        if len(seats) == 1 or not target.check(_program(module, host, place, members, seats)):
            continue
        seats.sort(key=lambda seat: not _is_active(place, *seat))
        for count in range(1, len(seats) + 1):
            if problems := target.check(_program(module, host, place, members, seats[:count])):
                (plan, graph, _), op = seats[count - 1]
                found[_seat(module.directions(plan.stack), graph, op, place[0])] = problems[0]
                break
    return found


def _host(module: Module, name: str, device: str) -> str:
    """Return the machine that a device on the path of a stack is part of."""
    stack = next(s for s in module.specification.stacks if s.name == name)
    path = path_of(stack, module.specification.site, Collector())
    assert path is not None  # noqa: S101  INVARIANT: the stack has a plan
    return next(stop.host for stop in path.stops if stop.name == device)


def _program(
    module: Module, host: str, place: Place, members: list[Member], seats: list[tuple[Member, Op]]
) -> DeviceProgram:  # fmt: skip
    """Return the program of some of the ops of a place."""
    parts = []
    for member in members:
        _, graph, ops = member
        taken = {op.id for other, op in seats if other is member}
        some = tuple(op for op in ops if op.id in taken)
        if some:
            parts.append(frame_part(module.specification, graph, some, ops))
    return merge("trial", host, place[1], parts)


def _is_active(place: Place, member: Member, op: Op) -> bool:
    plan, graph, _ = member
    here = (op.id, graph.direction, place[0])
    return any(b.active and (b.op, b.direction, b.device) == here for b in plan.bindings)


def _seat(graphs: tuple[Graph, ...], graph: Graph, op: Op, device: str) -> Seat:
    """Return where the search puts an op: one that belongs to another goes where that goes."""
    if op.derived_from is None:
        return Seat(graph.stack, graph.direction, op.id, device)
    source = next(g for g in graphs if g.direction != graph.direction and any(o.id == op.derived_from for o in g.ops))
    return Seat(graph.stack, source.direction, op.derived_from, device)
