"""Builds device programs: one block per stack and direction, merged per device."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.passes.destinations import rewrites
from bertha_ir.passes.layout import fields_read, on_wire
from bertha_ir.passes.lowering.body import BodyLowering
from bertha_ir.passes.lowering.sight import DatagramSight, FrameSight
from bertha_ir.passes.lowering.wire import TRUE, Wire, conjunction, header_of, word_type
from bertha_ir.program import ADDRESS, Block, DeviceProgram, Header, ParseState, Root, State, Table, Transition
from bertha_ir.types import BOOL, ENDPOINT, U16, U32
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bertha_ir.passes.lowering.sight import Sight
    from bertha_ir.plan import Hook
    from bertha_ir.spec import Specification, Transport
    from bertha_ir.stack import Graph, Layout, Op


Conditions = tuple[e.Expr, ...]


@frozen
class Part:
    """What one stack and direction contributes to a device's program."""

    headers: tuple[Header, ...]
    parser: tuple[ParseState, ...]
    tables: tuple[Table, ...]
    states: tuple[State, ...]
    block: Block


@frozen
class _Reading:
    """An op, and the headers behind the transport's that it reads, with those in front of them."""

    op: Op
    inner: tuple[str, ...]


def frame_part(
    specification: Specification, graph: Graph, ops: tuple[Op, ...], among: tuple[Op, ...] | None = None
) -> Part:  # fmt: skip
    """Lower path ops for a device that sees the frames of one direction between the transports. `among`: all ops whose
    frames are taken, if `ops` are only some of them.
    """
    wire = Wire({m.name: m for m in specification.messages}, _transport(graph))
    layout = on_wire(graph, ops[0])
    every = {op.id: _Reading(_only_from_service(op, graph), inner_headers(op, layout, wire)) for op in among or ops}
    reads = tuple(every[op.id] for op in ops)
    least = _common(tuple(every.values()))

    def fits(inner: tuple[str, ...]) -> Conditions:
        return (*wire.lengths(inner), *wire.holds(inner[-1] if inner else wire.transport.header))

    body, tables, states = _Bodies(graph, lambda inner: FrameSight(wire, inner), fits, least).of(reads)
    guard = conjunction((*_to_service(graph, wire), *fits(least)))
    block = Block(f"{graph.stack}_{graph.direction}", (*wire.spine, *least), guard, body, tuple(o.id for o in ops))
    port = _service_port(graph, wire) if graph.direction == "request" else None
    names = dict.fromkeys((*wire.front, *wire.spine, *(n for r in reads for n in r.inner), *_moved(ops)))
    headers = tuple(header_of(wire.messages[n], words=True) for n in names)
    parser = _merge_parsers(wire.parser(r.inner, port) for r in reads)
    return Part(headers, parser, tables, states, block)


def apart(
    specification: Specification, graph: Graph, ops: tuple[Op, ...], device: str, hook: Hook
) -> tuple[DeviceProgram, ...]:
    """Return a program for each of some ops, in their order, which together do what one of all of them does: each but
    the first is run on what the one before it took and passed. Behind an op that rewrites the destination, frames are
    not asked for it again.
    """
    programs, known = [], graph
    for number, op in enumerate(ops, 1):
        part = frame_part(specification, known, (op,), ops)
        programs.append(merge(f"{graph.stack}_{hook}_{number}", device, hook, [part]))
        if rewrites(op.body):
            known = evolve(graph, service=None)
    return tuple(programs)


def _moved(ops: tuple[Op, ...]) -> tuple[str, ...]:
    """Return the headers that ops push and pop."""
    return tuple(n.header for n in walk(tuple(op.body for op in ops)) if isinstance(n, s.Push | s.Pop))


def _common(reads: tuple[_Reading, ...]) -> tuple[str, ...]:
    """Return the inner headers that all ops need: a message too short for more meets the others all the same."""
    alike = takewhile(lambda names: len(set(names)) == 1, zip(*(r.inner for r in reads), strict=False))
    return tuple(names[0] for names in alike)


def _only_from_service(op: Op, graph: Graph) -> Op:
    """Let a path op of a response see only what comes from the service, or from where its requests were sent on to."""
    if graph.direction == "request" or op.undoes or graph.service is None or graph.service[0] is None:
        return op
    source = e.Address("src")
    ours: e.Expr = e.Binary("==", source, e.Const((graph.service[0], graph.service[1]), ENDPOINT))
    undone = tuple(t for o in graph.chain() if o.undoes for t in o.tables)
    for table in undone:
        ours = e.Binary("or", ours, e.Contains(table.name, source))
    return evolve(op, body=(s.If(ours, op.body, span=op.span),), tables=op.tables + undone)


def _transport(graph: Graph) -> Transport:
    return next(o.transport for o in graph.chain() if o.transport is not None)


def inner_headers(op: Op, layout: Layout, wire: Wire) -> tuple[str, ...]:
    """Return the headers behind the transport's that an op reads, with those in front of them."""
    read = {f.header for f in fields_read(op.body)} - {*wire.front, *wire.spine}
    if not read:
        return ()
    known = [h for h in layout.headers if h in read]
    if known:
        return layout.headers[: layout.headers.index(known[-1]) + 1]
    return (*layout.headers, *sorted(read))


def _service_port(graph: Graph, wire: Wire) -> tuple[str, int] | None:
    return (wire.transport.dst_port.name, graph.service[1]) if graph.service else None


def _to_service(graph: Graph, wire: Wire) -> Conditions:
    """Return the conditions that a request is for the service. The parser may have gone past the port for another's
    sake.
    """
    if graph.direction != "request" or graph.service is None:
        return ()
    address, port = graph.service
    to_port = e.Binary("==", wire.transport.dst_port, e.Const(port, U16))
    return (to_port,) if address is None else (e.Binary("==", wire.transport.dst_ip, e.Const(address, U32)), to_port)


@frozen
class _Bodies:
    """Lowers ops one after another. `fits`: what must hold of inner headers, once parsed, for an op to read them; of
    those that are `certain` it does.
    """

    graph: Graph
    sight: Callable[[tuple[str, ...]], Sight]
    fits: Callable[[tuple[str, ...]], Conditions]
    certain: tuple[str, ...]

    def of(self, reads: tuple[_Reading, ...]) -> tuple[s.Body, tuple[Table, ...], tuple[State, ...]]:
        body: list[s.Stmt] = []
        first: list[s.Stmt] = []
        moves = bool(_moved(tuple(read.op for read in reads)))
        tables: dict[str, Table] = {}
        states: dict[str, State] = {}
        for read in reads:
            op, sight = read.op, self.sight(read.inner)
            states |= {t.name: _in_words(t) if sight.words else t for t in op.states}
            prefix = f"{self.graph.stack}_{op.id.replace('.', '_')}"
            lowering = BodyLowering(sight, prefix, {t.name: t for t in op.tables}, states)
            lowered = lowering.body(op.body)
            if read.inner != self.certain:
                there = self._there(read)
                if moves:  # a header that is put in front of others makes room where there was none
                    first.append(s.Let(f"{prefix}_there", there, read.op.span))
                    there = e.Local(f"{prefix}_there", BOOL)
                lowered = (s.If(there, lowered, span=read.op.span),)
            body += lowered
            tables |= lowering.used
        return (*first, *body), tuple(tables.values()), tuple(states.values())

    def _there(self, read: _Reading) -> e.Expr:
        known = self.fits(self.certain)
        fits = (condition for condition in self.fits(read.inner) if condition not in known)
        return conjunction((e.Parsed(read.inner[-1]), *fits))


def _in_words(state: State) -> State:
    return evolve(state, keys=tuple(map(word_type, state.keys)), values=tuple(map(word_type, state.values)))


def merge(name: str, device: str, hook: Hook, parts: Iterable[Part]) -> DeviceProgram:
    """Merge the parts of several stacks and directions into one frame program."""
    parts = tuple(parts)
    return DeviceProgram(
        name,
        device,
        "frame",
        hook,
        tuple({h.name: h for part in parts for h in part.headers}.values()),
        _merge_parsers(part.parser for part in parts),
        tuple({t.name: t for part in parts for t in part.tables}.values()),
        tuple({t.name: t for part in parts for t in part.states}.values()),
        _merge_blocks(tuple(part.block for part in parts)),
    )


def _merge_parsers(parsers: Iterable[tuple[ParseState, ...]]) -> tuple[ParseState, ...]:
    """Union the parse states. The transition with the most conditions is tried first: it is the one that knows more."""
    found: dict[str, dict[Transition, None]] = {}
    for state in (state for parser in parsers for state in parser):
        found.setdefault(state.header, {}).update(dict.fromkeys(state.transitions))
    return tuple(ParseState(h, tuple(sorted(t, key=lambda x: -len(x.when)))) for h, t in found.items())


def conflict(program: DeviceProgram) -> tuple[str, str] | None:
    """Return two headers that a merged parser would have to tell apart by the same fields, if there are such."""
    for state in program.parser:
        targets: dict[frozenset[tuple[str, int]], str] = {}
        for transition in state.transitions:
            first = targets.setdefault(frozenset(transition.when), transition.to)
            if first != transition.to:
                return first, transition.to
    return None


def _merge_blocks(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Join blocks that take the same packets: only the first of them would run."""
    joined: dict[tuple[tuple[str, ...], e.Expr], Block] = {}
    for block in blocks:
        key = (block.needs, block.guard)
        old = joined.get(key)
        joined[key] = (
            evolve(old, name=f"{old.name}_{block.name}", body=old.body + block.body, ops=old.ops + block.ops)
            if old
            else block
        )
    return tuple(joined.values())


def datagram_program(specification: Specification, graph: Graph, ops: tuple[Op, ...], device: str) -> DeviceProgram:
    """Lower path ops for a process that sees the transport's payload."""
    messages = {m.name: m for m in specification.messages}
    wire = Wire(messages, _transport(graph))
    layout = on_wire(graph, ops[0])
    reads = tuple(_Reading(op, inner_headers(op, layout, wire)) for op in ops)
    least = _common(reads)

    def fits(inner: tuple[str, ...]) -> Conditions:
        return wire.holds(inner[-1]) if inner else ()

    body, tables, states = _Bodies(graph, lambda _: DatagramSight(), fits, least).of(reads)
    parser = _merge_parsers(wire.parser(r.inner, None)[-len(r.inner) :] for r in reads if r.inner)
    name = f"{graph.stack}_{graph.direction}"
    block = Block(name, least or (ADDRESS,), conjunction(fits(least)), body, tuple(o.id for o in ops))
    names = dict.fromkeys((*(n for r in reads for n in r.inner), *_moved(ops)))
    headers = tuple(header_of(messages[n], words=True) for n in names)
    return DeviceProgram(name, device, "datagram", "process", headers, parser, tables, states, (block,))


EndBody = tuple[s.Body, tuple[Table, ...], tuple[State, ...], tuple[str, ...]]


def end_body(graph: Graph, ops: tuple[Op, ...]) -> EndBody:
    """Lower ops of an end, one after another; return their body, tables, states, and the headers that they move."""
    reads = tuple(_Reading(op, ()) for op in ops)
    body, tables, states = _Bodies(graph, lambda _: DatagramSight(words=False), lambda _: (), ()).of(reads)
    return body, tables, states, _moved(ops)


def end_program(
    specification: Specification, graph: Graph, ops: tuple[Op, ...], root: Root, device: str
) -> DeviceProgram:  # fmt: skip
    """Lower codecs of one end of one direction (`send` or `recv`)."""
    body, tables, states, moved = end_body(graph, ops)
    messages = {m.name: m for m in specification.messages}
    named = [n.message for n in walk(body) if isinstance(n, e.Value)]
    headers = tuple(header_of(messages[n], words=False) for n in dict.fromkeys([*named, *moved]))
    name = f"{graph.stack}_{graph.direction}_{root}"
    block = Block(name, (), TRUE, body, tuple(o.id for o in ops))
    return DeviceProgram(
        name, device, root, "process", headers, (), tables, states, (block,), named[0] if named else None
    )
