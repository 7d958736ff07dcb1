"""undo: derive, from what a request's path op rewrites, the op that restores the service's address in replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.diagnostics import Collector
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.codes import CH202ReplyCannotBeUndone
from bertha_ir.passes.destinations import Endpoint, possible, rewrites
from bertha_ir.program import Entry, Table
from bertha_ir.stack import Graph, Op, connect
from bertha_ir.types import ENDPOINT, U16, U32

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact


@frozen
class Undo(Pass):
    """`request: m.dst = shards[i]` -> `response: if m.src in shards { m.src = 10.0.0.1:4242; }`.

    Sound because the service's endpoint is what every request was sent to before the rewrite, and only an endpoint of
    the list answers it. Left out where the site does not tell the service's address: then only the userspace
    fallback steers, and it relays replies itself.
    """

    name: ClassVar[str] = "undo"
    requires: ClassVar[frozenset[Fact]] = frozenset({"expanded"})
    establishes: ClassVar[frozenset[Fact]] = frozenset({"undone"})

    def run(self, module: Module, context: Context) -> Module:  # noqa: ARG002  (a pass's signature)
        """Return the module with an op added to the response of every stack whose request rewrites `dst`."""
        collector = Collector()
        graphs = {(g.stack, g.direction): g for g in module.graphs}
        for graph in module.graphs:
            back = graphs.get((graph.stack, "response"))
            if graph.direction == "request" and back is not None:
                for op in graph.chain():
                    back = _with_undo(op, graph, back, collector)
                graphs[graph.stack, "response"] = _in_reverse(back, graph)
        collector.check()
        return evolve(module, graphs=tuple(graphs[g.stack, g.direction] for g in module.graphs))


def _with_undo(op: Op, graph: Graph, back: Graph, collector: Collector) -> Graph:
    values = rewrites(op.body)
    if op.side != "path" or not values:
        return back
    targets: set[Endpoint] = set()
    for value in values:
        ends = possible(value, op)
        if ends is None:
            collector.add(
                CH202ReplyCannotBeUndone,
                f"replies to what `{op.chunnel}` sends here cannot be given back the service's address",
                value.span or op.span,
                "take the destination from a list or ranges parameter",
            )
            return back
        targets |= ends
    if graph.service is None or graph.service[0] is None:
        return back
    return _insert(back, _undo_op(op, graph, tuple(sorted(targets)), (graph.service[0], graph.service[1])))


def _undo_op(op: Op, graph: Graph, targets: tuple[Endpoint, ...], service: Endpoint) -> Op:
    name = f"{graph.stack}_{op.instance}_undo"
    table = Table(name, "exact", (U32, U16), (), max(len(targets), 64), tuple(Entry(t) for t in targets), op.span)
    body = (
        s.If(
            e.Contains(name, e.Address("src"), op.span),
            (s.Assign(e.Address("src"), e.Const(service, ENDPOINT), op.span),),
            span=op.span,
        ),
    )
    return Op(
        f"{op.instance}.undo", op.instance, op.chunnel, "packet", "path", "path", body, (table,),
        derived_from=op.id, span=op.span,
    )  # fmt: skip


def _in_reverse(back: Graph, graph: Graph) -> Graph:
    """Return a response whose ops that belong to ops of the request come in the opposite order, as replies meet the
    devices that requests have passed.
    """
    order = [op.id for op in graph.chain()]
    chain = back.chain()
    turned = iter(
        sorted((o for o in chain if o.derived_from in order), key=lambda o: -order.index(o.derived_from or ""))
    )
    ops = tuple(next(turned) if o.derived_from in order else o for o in chain)
    layouts = (*(back.into(o.id) for o in chain), back.edges[-1].layout)
    return back if ops == chain else evolve(back, ops=ops, edges=connect(ops, layouts))


def _insert(graph: Graph, op: Op) -> Graph:
    """Put an op just above the sender's transport, where path ops stand as written."""
    chain = graph.chain()
    at = next((i for i, o in enumerate(chain) if o.transport is not None), len(chain))
    layouts = [graph.into(o.id) for o in chain] + [graph.edges[-1].layout]
    layouts.insert(at, layouts[at])
    ops = (*chain[:at], op, *chain[at:])
    return evolve(graph, ops=ops, edges=connect(ops, tuple(layouts)))
