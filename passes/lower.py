"""lower: make the device programs of a plan: one per device and hook, and the processes' codecs and fallback."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

from attrs import evolve, frozen

from bertha_ir.diagnostics import Collector
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.codes import CH207EndCannotRun, CH208ParseConflict
from bertha_ir.passes.lowering.program import conflict, datagram_program, end_program, frame_part, merge
from bertha_ir.passes.lowering.stages import further_refused, sends_further, staged_program
from bertha_ir.passes.ports import check_ports
from bertha_ir.passes.topology import Path, Stop, path_of, ports_through
from bertha_ir.plan import Hook, PlacedProgram

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.plan import Binding, Plan
    from bertha_ir.program import DeviceProgram
    from bertha_ir.stack import Graph, Op


@frozen
class Lower(Pass):
    """`shard.packet on kernel(h1)` -> the program `kv_ingress` of `h1`: parse, look up, rewrite, fix checksums."""

    name: ClassVar[str] = "lower"
    requires: ClassVar[frozenset[Fact]] = frozenset({"placed"})
    establishes: ClassVar[frozenset[Fact]] = frozenset({"lowered"})

    def run(self, module: Module, context: Context) -> Module:
        """Return the module with the programs of all devices."""
        collector = Collector()
        site = module.specification.site
        stacks = {s.name: s for s in module.specification.stacks}
        paths = {p.stack: path for p in module.plans if (path := path_of(stacks[p.stack], site, collector))}
        programs = [
            *_frame_programs(module, paths),
            *(p for plan in module.plans for p in _process_programs(module, plan, paths[plan.stack])),
        ]
        programmed = {p.program.device for p in programs}
        check_ports(site, tuple(paths.values()), programmed, context, collector)
        _refuse_further(module, collector)
        _check(programs, context, collector)
        collector.check()
        return evolve(module, programs=tuple(programs))


def _refuse_further(module: Module, collector: Collector) -> None:
    """Refuse ends that send further messages where that cannot be: see `passes/lowering/stages.py`."""
    for plan in module.plans:
        for graph in (g for g in module.directions(plan.stack) if sends_further(g)):
            for op, reason in further_refused(graph, plan):
                collector.add(
                    CH207EndCannotRun, f"`{op.chunnel}` {reason}", op.span, "leave the chunnel out of the stack"
                )


def _check(programs: list[PlacedProgram], context: Context, collector: Collector) -> None:
    for placed in programs:
        if clash := conflict(placed.program):
            collector.add(
                CH208ParseConflict,
                f"`{placed.program.device}` cannot tell `{clash[0]}` and `{clash[1]}` apart",
                None,
                "give the stacks different ports, or run them on different devices",
            )
        target = next(t for t in context.targets.values() if t.name == placed.backend)
        for problem in target.check(placed.program):
            collector.add(
                CH207EndCannotRun,
                f"`{placed.program.name}` cannot run on `{placed.program.device}`: {problem.message}",
                problem.span,
                problem.help,
            )


Place = tuple[str, Hook, str, bool]
Member = tuple["Plan", "Graph", "tuple[Op, ...]"]


def _frame_programs(module: Module, paths: dict[str, Path]) -> list[PlacedProgram]:
    """Return the programs of devices that see frames. One hook of a device has one program, for all stacks."""
    return [_frame_program(module, place, members, paths) for place, members in frame_groups(module).items()]


def frame_groups(module: Module) -> dict[Place, list[Member]]:
    """Return what runs where frames are seen: by device, hook, backend and whether it is active, the ops of each plan's
    directions.
    """
    groups: dict[Place, list[Member]] = {}
    for plan in module.plans:
        for graph in module.directions(plan.stack):
            for place, ops in _placed_ops(plan, graph).items():
                groups.setdefault(place, []).append((plan, graph, ops))
    return groups


def _placed_ops(plan: Plan, graph: Graph) -> dict[Place, tuple[Op, ...]]:
    """Return the ops of a direction by where they run, in the direction's order. A standby stands in for all of them:
    those that its device runs in the plan are in it too.
    """
    bound: dict[tuple[str, Hook, str], list[tuple[Op, bool]]] = {}
    bindings = [b for b in plan.bindings if b.direction == graph.direction]
    for op in graph.chain():
        for b in (b for b in bindings if b.op == op.id):
            if b.hook not in {"process", "socket", "offload"}:
                bound.setdefault((b.device, cast("Hook", b.hook), b.backend), []).append((op, b.active))
    found: dict[Place, tuple[Op, ...]] = {}
    for place, ops in bound.items():
        if any(active for _, active in ops):
            found[*place, True] = tuple(op for op, active in ops if active)
        if not all(active for _, active in ops):
            found[*place, False] = tuple(op for op, _ in ops)
    return found


def _frame_program(
    module: Module, place: Place, members: list[Member], paths: dict[str, Path]
) -> PlacedProgram:  # fmt: skip
    device, hook, backend, active = place
    stacks = list(dict.fromkeys(plan.stack for plan, _, _ in members))
    stop = _stop(paths[stacks[0]], device)
    name = f"{'_'.join(stacks)}_{hook}{'' if active else '_standby'}"
    parts = [frame_part(module.specification, graph, ops) for _, graph, ops in members]
    ports = tuple(dict.fromkeys(p for s in stacks for p in ports_through(stop.host, paths[s])))
    return PlacedProgram(stacks[0], backend, active, merge(name, stop.host, hook, parts), ports)


def _stop(path: Path, name: str) -> Stop:
    return next(s for s in path.stops if s.name == name)


def _process_programs(module: Module, plan: Plan, path: Path) -> list[PlacedProgram]:
    """Return the codecs of both ends, and the steering of the listening one: what the plan runs there, and the
    fallback.
    """
    client, server = path.stops[0], path.stops[-1]
    found: list[PlacedProgram] = []
    for graph in module.directions(plan.stack):
        sender, receiver = (client, server) if graph.direction == "request" else (server, client)
        found += _codecs(module, plan, graph, "send", sender.host)
        found += _codecs(module, plan, graph, "recv", receiver.host)
        found += _steering(module, plan, graph, server.host)
    return found


def _steering(module: Module, plan: Plan, graph: Graph, host: str) -> list[PlacedProgram]:
    path_side = {o.id for o in graph.ops if o.side == "path"}
    bound = [b for b in plan.bindings if b.direction == graph.direction and b.op in path_side]
    return _both(plan, graph, bound, lambda ops: datagram_program(module.specification, graph, ops, host))


def _codecs(module: Module, plan: Plan, graph: Graph, root: Literal["send", "recv"], host: str) -> list[PlacedProgram]:
    """Return the codecs of one end: what the plan leaves to the process, and all of them where a device does some."""
    bound = [b for b in plan.bindings if b.direction == graph.direction and graph.op(b.op).event == root]
    made = staged_program if sends_further(graph) else end_program
    return _both(plan, graph, bound, lambda ops: made(module.specification, graph, ops, root, host))


def _both(
    plan: Plan, graph: Graph, bound: list[Binding], made_of: Callable[[tuple[Op, ...]], DeviceProgram]
) -> list[PlacedProgram]:  # fmt: skip
    """Return a process' program of the ops that the plan leaves to it, and the fallback, if that does more."""
    mine = [b for b in bound if b.hook == "process"]
    active, every = _bound_to(graph, [b for b in mine if b.active]), _bound_to(graph, mine)
    offloads = tuple(dict.fromkeys(b.implementation for b in bound if b.active and b.implementation is not None))
    found = (
        [PlacedProgram(plan.stack, "python", active=True, program=made_of(active), offloads=offloads)] if active else []
    )
    if active != every:
        spare = made_of(every)
        named = evolve(spare, name=f"{spare.name}_standby") if active or offloads else spare
        found.append(PlacedProgram(plan.stack, "python", active=False, program=named))
    return found


def _bound_to(graph: Graph, bindings: list[Binding]) -> tuple[Op, ...]:
    names = {b.op for b in bindings}
    return tuple(o for o in graph.chain() if o.id in names)
