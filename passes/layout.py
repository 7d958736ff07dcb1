"""What can be read of a message at each edge, followed through the bodies of the ops."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.passes.codes import CH201FieldHidden, CH209TwoViews
from bertha_ir.stack import Layout
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.spec import Direction, Specification, Transport
    from bertha_ir.stack import Graph, Op


def start(direction: Direction) -> Layout:
    """Return what the application hands over: a record where something packs it, else bytes of its own."""
    bodies = tuple(h.body for i in direction.instances for h in i.chunnel.handlers)
    packs = any(isinstance(n, e.Value) for n in walk(bodies))
    return Layout() if packs else Layout(raw=True)


def after(layout: Layout, op: Op) -> Layout:
    """Return what can be read behind an op that works on its way to the wire."""
    for statement in op.body:
        match statement:
            case s.Assign(e.Payload(), e.Call("pack", (e.Value(message),))):
                layout = Layout((message,))
            case s.Push(header):
                layout = Layout((header, *layout.headers), layout.raw, layout.hidden_by)
            case _ if _changes_payload(statement):
                layout = Layout(hidden_by=op.instance)
    return layout


def on_wire(graph: Graph, op: Op) -> Layout:
    """Return what can be read where an op of the path runs: behind all that the sender does, and what is done on the
    path before.
    """
    chain = graph.chain()
    layout = graph.into(chain[0].id)
    path = takewhile(lambda other: other.id != op.id, (o for o in chain if o.side == "path"))
    for other in (*(o for o in chain if o.side == "sender"), *path):
        layout = after(layout, other)
    return layout


def moved_on_path(graph: Graph) -> frozenset[str]:
    """Return the headers that ops of the path put on or take off."""
    bodies = tuple(o.body for o in graph.chain() if o.side == "path")
    return frozenset(n.header for n in walk(bodies) if isinstance(n, s.Push | s.Pop))


def _changes_payload(statement: s.Stmt) -> bool:
    targets = (s.Assign, s.Attempt)
    return any(
        isinstance(n, s.Push | s.Pop) or (isinstance(n, targets) and isinstance(n.target, e.Payload))
        for n in walk(statement)
    )


def network_headers(specification: Specification, transport: Transport | None) -> frozenset[str]:
    """Return the transport's header and every header that can lie in front of it."""
    known = {m.name: m for m in specification.messages}
    found: set[str] = set()
    todo = [transport.header] if transport else []
    while todo:
        name = todo.pop()
        if name not in found and name in known:
            found.add(name)
            todo += [p.message for p in known[name].parents]
    return frozenset(found)


def fields_read(body: s.Body) -> tuple[e.Field, ...]:
    """Return the header fields that a body reads or writes, without those of headers it pushes or pops itself."""
    own = {n.header for n in walk(body) if isinstance(n, s.Push | s.Pop)}
    return tuple(n for n in walk(body) if isinstance(n, e.Field) and n.header not in own)


def visible(header: str, layout: Layout) -> bool:
    """Whether a message's fields can be read at an edge."""
    return header in layout.headers or (layout.raw and layout.hidden_by is None)


def check_visible(
    specification: Specification,
    ops: tuple[tuple[Op, Layout], ...],
    transport: Transport | None,
    collector: Collector,
) -> None:
    """Report each field that an op reads where it cannot be read."""
    network = network_headers(specification, transport)
    laid: set[str] = set()
    for op, layout in ops:
        new = {f.header for f in fields_read(op.body) if layout.raw} - network - set(layout.headers) - laid
        laid |= new
        if new and len(laid) > 1:
            collector.add(
                CH209TwoViews,
                f"`{op.chunnel}` reads another message than the ops above it: {' and '.join(sorted(laid))}",
                op.span,
                "use fields of one message, or serialize it, so that its layout is known",
            )
        for field in fields_read(op.body):
            if visible(field.header, layout) or (op.side == "path" and field.header in network):
                continue
            why = (
                f"`{layout.hidden_by}` hides it"
                if layout.hidden_by
                else f"the bytes here are {' then '.join(layout.headers) or 'a record that nothing has packed yet'}"
            )
            collector.add(
                CH201FieldHidden,
                f"`{op.chunnel}` cannot read `{field.header}.{field.name}` here: {why}",
                op.span,
                "move it to where the field is readable" if layout.hidden_by else None,
            )
