"""The Python API: check, plan, compile. The command line is a thin layer over this module."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from attrs import Factory, asdict, evolve, frozen

from bertha_ir import artifact as artifacts
from bertha_ir import expr, listing, message, plan, program, spec, stack, stmt, text, types
from bertha_ir.diagnostics import BerthaError, Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bertha_ir.backends.base import Backend, Unit
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.passes.base import Module
    from bertha_ir.passes.offers import Offer
    from bertha_ir.passes.survey import Surveyed
    from bertha_ir.plan import PlacedProgram, Plan
    from bertha_ir.program import DeviceProgram
    from bertha_ir.source import Span
    from bertha_ir.spec import Specification, Stack
    from bertha_ir.stack import Graph

SCHEMA = 1

for _module in (types, expr, stmt, message, program, spec, stack, plan):
    text.register(_module)


@frozen
class Compiled:
    """The result of a compilation: plans, programs, and the value after each pass (`snapshots`: name, IR).

    `graphs`: the directions as written, before they are placed. `certificates`: the SMT-LIB texts that the plans'
    ledgers name, by their sha256. `alternatives`: for each way through a stack's selects that was not chosen and has a
    plan, all of this with that way, in the order of `Plan.alternatives`.
    """

    specification: Specification
    plans: tuple[Plan, ...]
    programs: tuple[PlacedProgram, ...]
    snapshots: tuple[tuple[str, object], ...]
    pipeline: str
    graphs: tuple[Graph, ...] = ()
    certificates: Mapping[str, str] = Factory(dict)
    alternatives: tuple[Compiled, ...] = ()


@frozen
class BackendTarget:
    """A backend as the passes see it."""

    backend: Backend
    specification: Specification

    @property
    def name(self) -> str:
        """The backend's name."""
        return self.backend.name

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of devices it makes programs for."""
        return self.backend.kinds

    def check(self, candidate: DeviceProgram) -> tuple[Diagnostic, ...]:
        """Return why the target cannot run a program; empty when it can."""
        return self.backend.validate(_unit(candidate, self.specification))

    def check_port(self, number: int, span: Span | None) -> Diagnostic | None:
        """Return why a device of the target has no such port; None when it may."""
        return self.backend.check_port(number, span)


def check(files: Sequence[Path]) -> tuple[Diagnostic, ...]:
    """Return every mistake in the files: of the text, and of what they mean together. Empty when there is none."""
    try:
        build(files)
    except BerthaError as error:
        return error.diagnostics
    return ()


def build(
    files: Sequence[Path],
    *,
    stacks: Sequence[str] = (),
    pipeline: str | None = None,
    cost_model: str = "profile",
    verify: bool = True,
) -> Compiled:
    """Compile files (a specification, its site) to plans and device programs.

    `stacks` limits the work to these; `pipeline` is a pipeline's text or name; `cost_model` a registered name or
    `path.py:Class`. Raises `BerthaError` with every diagnostic.
    """
    from bertha_ir.frontend.load import load  # noqa: PLC0415  (each import on first use: start-up time)

    return build_from(select(load(files), stacks), pipeline=pipeline, cost_model=cost_model, verify=verify)


def build_from(
    specification: Specification, *, pipeline: str | None = None, cost_model: str = "profile", verify: bool = True
) -> Compiled:
    """Compile a specification that was loaded, as `build` does; where programs are made, with every alternative that
    negotiation may choose. Raises `BerthaError` with every diagnostic.
    """
    from bertha_ir.passes.select import taken  # noqa: PLC0415  (each import on first use: start-up time)

    made = _built(specification, pipeline, cost_model, verify=verify)
    branches = {p.stack: p.branches for p in made.plans}
    chosen = tuple(taken(stack, branches.get(stack.name, ())) for stack in specification.stacks)
    plain = tuple(evolve(stack, alternatives=()) for stack in chosen)
    others = [
        evolve(specification, stacks=tuple(way if s.name == placed.stack else s for s in plain))
        for placed, way in _other_ways(made.plans, chosen)
        if made.programs
    ]
    return evolve(
        made,
        specification=evolve(specification, stacks=chosen),
        alternatives=tuple(_built(other, pipeline, cost_model, verify=verify) for other in others),
    )


def _other_ways(plans: Sequence[Plan], chosen: Sequence[Stack]) -> Iterator[tuple[Plan, Stack]]:
    """Yield the ways through selects that were not chosen and have a plan, with the plan that has them beside it."""
    stacks = {stack.name: stack for stack in chosen}
    for placed in plans:
        ways = {way.branches: way for way in stacks[placed.stack].alternatives}
        yield from ((placed, ways[other.branches]) for other in placed.alternatives if other.plan is not None)


def _built(specification: Specification, pipeline: str | None, cost_model: str, *, verify: bool) -> Compiled:
    from bertha_ir.cost_models import load as load_model  # noqa: PLC0415  (each import on first use: start-up time)
    from bertha_ir.passes.base import Context, Module  # noqa: PLC0415
    from bertha_ir.passes.manager import parse_pipeline, run_pipeline  # noqa: PLC0415

    steps = parse_pipeline(pipeline or "default")
    snapshots: list[tuple[str, object]] = [("stack", specification)]
    graphs: list[tuple[Graph, ...]] = []

    def observe(name: str, module: Module) -> None:
        snapshots.append((f"after {name}", _shown(module)))
        if module.graphs and not module.plans:
            graphs.append(module.graphs)

    context = Context(_targets(specification), load_model(cost_model), cost_model)
    module = run_pipeline(steps, Module(specification), context, observe=observe, verify=verify)
    return Compiled(
        specification, module.plans, module.programs, tuple(snapshots), str(steps),
        graphs[-1] if graphs else (), module.certificates,
    )  # fmt: skip


def offers(files: Sequence[Path], *, cost_model: str = "profile") -> dict[str, tuple[Offer, ...]]:
    """Return, for each stack of the files, the ways to run it of which none is better in all respects (see
    `bertha_ir.passes.offers`), the best by itself first. Raises `BerthaError`.
    """
    from bertha_ir.cost_models import load as load_model  # noqa: PLC0415  (each import on first use: start-up time)
    from bertha_ir.frontend.load import load  # noqa: PLC0415
    from bertha_ir.passes.base import Context, Module  # noqa: PLC0415
    from bertha_ir.passes.manager import parse_pipeline, run_pipeline  # noqa: PLC0415
    from bertha_ir.passes.offers import offers as offers_of  # noqa: PLC0415
    from bertha_ir.passes.pipelines import PIPELINES  # noqa: PLC0415

    specification = load(files)
    context = Context(_targets(specification), load_model(cost_model), cost_model)
    steps = parse_pipeline(PIPELINES["default"].partition(",place")[0])
    module = run_pipeline(steps, Module(specification), context, observe=lambda _, __: None)
    return {stack.name: offers_of(module, context, stack) for stack in module.specification.stacks}


def capacities(files: Sequence[Path]) -> dict[str, int]:
    """Return how much the devices of a site have of what ops use up, as DEVICE.RESOURCE. Raises `BerthaError`."""
    from bertha_ir.frontend.load import load  # noqa: PLC0415  (start-up time)
    from bertha_ir.passes.placing import RESOURCES  # noqa: PLC0415

    devices = load(files).site.devices
    amounts = {f"{device.name}.{name}": device.get(name) for device in devices for name in RESOURCES}
    return {name: amount for name, amount in amounts.items() if isinstance(amount, int)}


def _targets(specification: Specification) -> dict[str, BackendTarget]:
    return {k: t for b in backends() for t in [BackendTarget(b, specification)] for k in t.kinds}


def _shown(module: Module) -> object:
    """Return the part of a module that the latest stage is about."""
    return module.programs or module.plans or module.graphs or module.specification


def select(specification: Specification, stacks: Sequence[str]) -> Specification:
    """Return a specification with only the named stacks; all of them when none is named. Raises `BerthaError`."""
    from bertha_ir.passes.codes import CH211UnknownStack  # noqa: PLC0415

    known = [s.name for s in specification.stacks]
    collector = Collector()
    for name in stacks:
        if name not in known:
            collector.add(
                CH211UnknownStack, f"no stack is called `{name}`", None, f"stacks: {', '.join(known) or 'none'}"
            )
    collector.check()
    chosen = tuple(s for s in specification.stacks if not stacks or s.name in stacks)
    return evolve(specification, stacks=chosen)


def effects(files: Sequence[Path], chains: Sequence[str]) -> tuple[Surveyed, ...]:
    """Return what each use of a chunnel in the chains does, handler by handler; of the whole library without chains.

    A chain is text such as `encrypt(secret("k")) |> http2`; its names come from the library and the files. Without
    chains, each chunnel but the transports is used as `bertha_ir.frontend.uses` samples it. Raises `BerthaError`.
    """
    from bertha_ir.frontend.load import load_uses  # noqa: PLC0415
    from bertha_ir.frontend.uses import library_uses  # noqa: PLC0415
    from bertha_ir.passes.survey import survey  # noqa: PLC0415

    specification, instances = load_uses(files, chains or library_uses())
    return tuple(use for chain in instances for use in survey(chain, specification))


def backends() -> tuple[Backend, ...]:
    """Return one of every registered backend, by name."""
    from bertha_ir.backends.base import BACKENDS  # noqa: PLC0415

    return tuple(BACKENDS.get(name)() for name in BACKENDS.names())


def _unit(
    candidate: DeviceProgram, specification: Specification, ports: tuple[tuple[int, int], ...] = (),
    *, active: bool = True,
) -> Unit:  # fmt: skip
    from bertha_ir.backends.base import Unit as BackendUnit  # noqa: PLC0415

    return BackendUnit(candidate, specification.messages, ports, active, _limits(candidate.device, specification))


def _limits(device: str, specification: Specification) -> tuple[tuple[str, float], ...]:
    """Return how much a device has, as far as its profile says. To miss one is the cost model's: it may know others."""
    from bertha_ir.cost_models.figures import ProfileError, load_profile  # noqa: PLC0415  (start-up time)
    from bertha_ir.passes.costs import profile_of  # noqa: PLC0415

    named = next((profile_of(d) for d in specification.site.devices if d.name == device), None)
    try:
        return load_profile(named).limits if named is not None else ()
    except ProfileError:
        return ()


def artifact(compiled: Compiled) -> dict[str, bytes]:
    """Return the files of the artifact folder by path: sources per device, the IR that they are printed from, the
    certificates that the plans name, `plan.json`, `manifest.json`.

    Raises `BerthaError` when the pipeline did not lower.
    """
    from bertha_ir.passes.manager import parse_pipeline, require  # noqa: PLC0415

    require(parse_pipeline(compiled.pipeline), "lowered", "an artifact")
    printers = {b.name: b for b in backends()}
    files: dict[str, bytes] = {}
    programs = []
    for placed in compiled.programs:
        unit = _unit(placed.program, compiled.specification, placed.ports, active=placed.active)
        folder = placed.backend if placed.backend == "python" else f"{placed.backend}/{placed.program.device}"
        emitted = {f"{folder}/{name}": body.encode() for name, body in printers[placed.backend].emit(unit).items()}
        files |= emitted
        said = listing.program(placed, sorted(emitted), compiled.programs, compiled.graphs)
        uses = printers[placed.backend].resources(unit)
        taken = {use.name: artifacts.ManifestUse(use.needs, use.has) for use in uses}
        programs.append(evolve(said, resources=taken))
    named = {entry.certificate for p in compiled.plans for entry in p.ledger}
    files |= {f"proofs/{n}.smt2": body.encode() for n, body in compiled.certificates.items() if n in named}
    stages = {"specification": compiled.specification, "graphs": compiled.graphs, "programs": compiled.programs}
    files |= {f"ir/{name}.ir": text.print_ir(stage).encode() for name, stage in stages.items()}
    files["plan.json"] = artifacts.to_json({"schema": SCHEMA, "plans": [plan_data(p) for p in compiled.plans]})
    stacks = {
        p.stack: listing.stack(p, compiled.specification, compiled.graphs, _destinations(p.stack, compiled.graphs))
        for p in compiled.plans
    }
    listed = []
    for row, other in _alternatives(compiled):
        listed.append(row)
        files |= {f"{row.folder}/{name}": body for name, body in artifact(other).items()}
    content = artifacts.Manifest(plan_id(compiled.plans), stacks, programs, _offloads(compiled), listed)
    files["manifest.json"] = artifacts.manifest(content, files)
    return files


def _alternatives(compiled: Compiled) -> Iterator[tuple[artifacts.ManifestAlternative, Compiled]]:
    """Yield what the manifest says of each alternative, and the alternative. Folders are `select/STACK-NUMBER`."""
    rows = [(p.stack, n, a) for p in compiled.plans for n, a in enumerate((a for a in p.alternatives if a.plan), 1)]
    for (name, number, way), other in zip(rows, compiled.alternatives, strict=True):
        folder = f"select/{name}-{number}"
        yield artifacts.ManifestAlternative(name, way.branches, plan_id(other.plans), folder), other


def graphs(printed: str) -> tuple[Graph, ...]:
    """Return the directions in their printed form, as an artifact has them in `ir/graphs.ir`. Raises `TextError`."""
    found: tuple[Graph, ...] = text.parse_ir(printed)
    return found


def plan_id(plans: tuple[Plan, ...]) -> str:
    """Return the id of an artifact's plans: the one plan's own, or a hash over all of them."""
    if len(plans) == 1:
        return plans[0].id
    return hashlib.sha256("\n".join(p.id for p in plans).encode()).hexdigest()


def _destinations(name: str, written: tuple[Graph, ...]) -> frozenset[tuple[int, int]]:
    """Return the endpoints that the path may send a stack's requests to, as far as they are known."""
    from bertha_ir.passes.destinations import possible, rewrites  # noqa: PLC0415  (each import on first use)

    requests = (g for g in written if (g.stack, g.direction) == (name, "request"))
    path = [op for graph in requests for op in graph.ops if op.side == "path"]
    return frozenset().union(*(possible(value, op) or () for op in path for value in rewrites(op.body)))


def _offloads(compiled: Compiled) -> list[artifacts.ManifestOffload]:
    """Return what the plans rely on that Bertha makes no program for."""
    known = {i.name: i for i in compiled.specification.implementations}
    found: dict[tuple[str, str, str], list[str]] = {}
    for made in compiled.plans:
        for b in (b for b in made.bindings if b.active and b.implementation is not None):
            found.setdefault((b.implementation or "", made.stack, b.device), []).append(f"{b.direction}.{b.op}")
    return [
        artifacts.ManifestOffload(name, stack_, device, tuple(ops), known[name].init, known[name].teardown)
        for (name, stack_, device), ops in found.items()
    ]


def plan_data(value: Plan) -> dict[str, object]:
    """Return a plan as plain data for JSON: its fields, its `id`, its latency in nanoseconds, and it in short, `after`
    beside `before`.
    """
    data = asdict(value, filter=lambda attribute, _: attribute.name != "span")
    both = {"before": _outline(value.before), "after": _outline(value.after)}
    return {"id": value.id, **data, "latency_ns": value.latency_ns, **both}


def plan_fields(data: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a plan as its class has them, of what `plan_data` made of it; what is malformed stays so."""
    before = data.get("before")
    if not isinstance(before, dict):
        return dict(data)
    runs, crossings = before.get("runs"), before.get("crossings")
    if isinstance(runs, list) and all(isinstance(run, dict) for run in runs):
        runs = [[run.get("op"), run.get("device")] for run in runs]
    if isinstance(crossings, dict):
        crossings = [[kind, count] for kind, count in crossings.items()]
    return {**data, "before": {**before, "runs": runs, "crossings": crossings}}


def _outline(value: plan.Outline | None) -> dict[str, object] | None:
    if value is None:
        return None
    runs = [{"op": op, "device": device} for op, device in value.runs]
    return {"runs": runs, "crossings": dict(value.crossings), "latency_ns": value.latency_ns, "mean_ns": value.mean_ns}
