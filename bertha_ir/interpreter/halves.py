"""What a comparison sets beside each other: a direction as written, and the programs that its messages meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from bertha_ir import stmt as s
from bertha_ir.stack import connect
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.plan import PlacedProgram, Plan
    from bertha_ir.program import DeviceProgram
    from bertha_ir.spec import Transport
    from bertha_ir.stack import Graph, Op, Side


@frozen
class Placed:
    """The programs that a direction's messages meet. `frames`: those of devices, in their order on the way."""

    send: DeviceProgram | None
    frames: tuple[DeviceProgram, ...]
    datagram: DeviceProgram | None
    recv: DeviceProgram | None

    @property
    def all(self) -> tuple[DeviceProgram, ...]:
        """Every program there is."""
        return tuple(p for p in (self.send, *self.frames, self.datagram, self.recv) if p is not None)


def placed_of(plan: Plan, direction: str, programs: tuple[PlacedProgram, ...]) -> Placed:
    """Return the active programs of a plan that the messages of a direction meet."""
    active = [p for p in programs if p.active]
    ends = {p.program.name: p.program for p in active if p.stack == plan.stack and p.program.hook == "process"}
    seen: dict[tuple[str, str], DeviceProgram] = {
        (p.program.device, p.program.hook): p.program for p in active if p.program.root == "frame"
    }
    stops = plan.path if direction == "request" else plan.path[::-1]
    way = [seen.get(_place(name, position)) for position, name in enumerate(stops)]
    name = f"{plan.stack}_{direction}"
    frames = tuple(program for program in way if program is not None)
    return Placed(ends.get(f"{name}_send"), frames, ends.get(name), ends.get(f"{name}_recv"))


def _place(stop: str, position: int) -> tuple[str, str]:
    if stop.startswith("kernel("):
        return stop.removeprefix("kernel(").removesuffix(")"), "egress" if position == 1 else "ingress"
    return stop, "pipeline"


def until_the_wire(graph: Graph, *, path: bool) -> Graph:
    """Return the sender's half of a direction, with its path ops or without."""
    return _only(graph, [o for o in graph.chain() if o.side == "sender" or (path and o.side == "path")])


def _only(graph: Graph, ops: list[Op]) -> Graph:
    layouts = (*(graph.into(o.id) for o in ops), graph.wire())
    return evolve(graph, ops=tuple(ops), edges=connect(tuple(ops), layouts))


def written_of(graph: Graph, plan: Plan) -> Graph:
    """Return a direction without what the plan leaves to a process that relays replies itself."""
    bound = {b.op for b in plan.bindings if b.active and b.direction == graph.direction}
    kept = [o for o in graph.chain() if not (o.undoes and o.id not in bound)]
    return _only(graph, kept) if len(kept) < len(graph.ops) else graph


def offloaded(graph: Graph, plan: Plan, side: Side) -> Graph | None:
    """Return the ops of an end that devices beside it run, as their makers supply them; None when there are none."""
    bound = {
        b.op for b in plan.bindings if b.active and b.direction == graph.direction and b.implementation is not None
    }
    ops = [o for o in graph.chain() if o.id in bound and o.side == side and o.transport is None]
    return _only(graph, ops) if ops else None


def objection(graph: Graph) -> str | None:
    """Return why a direction cannot be compared in this way; None when it can."""
    nodes = tuple(walk(tuple(o.body for o in graph.ops)))
    if any(isinstance(n, s.Reply | s.Emit | s.Clone) for n in nodes):
        return "it sends further messages"
    return "it has no transport" if transport_of(graph) is None else None


def transport_of(graph: Graph) -> Transport | None:
    """Return the transport of a direction."""
    return next((o.transport for o in graph.chain() if o.transport is not None), None)
