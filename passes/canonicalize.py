"""canonicalize: compute what is constant, and leave out what then does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import evolve, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.interpreter.evaluate import constant
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.effects import effects
from bertha_ir.stack import Graph, Op, connect
from bertha_ir.walk import transform

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.program import Table


@frozen
class Canonicalize(Pass):
    """`m.dst = shards[h % 1]` -> `m.dst = 10.0.0.1:9001`; an op that is left without any effect goes."""

    name: ClassVar[str] = "canonicalize"
    requires: ClassVar[frozenset[Fact]] = frozenset({"expanded"})
    establishes: ClassVar[frozenset[Fact]] = frozenset({"canonical"})

    def run(self, module: Module, context: Context) -> Module:  # noqa: ARG002  (a pass's signature)
        """Return the module with every op's body in canonical form."""
        return evolve(module, graphs=tuple(_graph(g) for g in module.graphs))


def _graph(graph: Graph) -> Graph:
    folded = tuple(evolve(op, body=fold(op.body, op.tables)) for op in graph.chain())
    layouts = tuple(graph.into(op.id) for op in folded)
    kept = [(op, layout) for op, layout in zip(folded, layouts, strict=True) if not _idle(op)]
    last = graph.edges[-1].layout
    ops = tuple(op for op, _ in kept)
    return evolve(graph, ops=ops, edges=connect(ops, (*(layout for _, layout in kept), last)))


def _idle(op: Op) -> bool:
    return op.transport is None and effects(op.body).pure


def fold(body: s.Body, tables: tuple[Table, ...] = ()) -> s.Body:
    """Return a body with constant subexpressions computed and branches decided."""
    arrays = {t.name: t for t in tables if t.kind == "array"}

    def change(node: Any) -> Any:  # noqa: ANN401, PLR0911  (any node; one row a rule)
        match node:
            case e.Binary("%", _, e.Const(1)):
                return e.Const(0, node.type, node.span)
            case e.Binary("and" | "or" as op, e.Const(bool(left)), right):
                return right if left == (op == "and") else node.left
            case e.Binary(_, e.Const(), e.Const()) | e.Unary(_, e.Const()) | e.Cast(e.Const()):
                return e.Const(constant(node), node.type, node.span)
            case e.Choose(e.Const(bool(condition)), yes, no):
                return yes if condition else no
            case e.Part(e.Const((ip, port)), part):
                return e.Const(ip if part == "ip" else port, node.type, node.span)
            case e.Element(table, e.Const(int(index))) if table in arrays:
                return _row(arrays[table].entries[index].values, node)
        return node

    return _decide(transform(body, change))


def _row(words: tuple[int, ...], node: e.Element) -> e.Const:
    match words:
        case (ip, port):
            return e.Const((ip, port), node.type, node.span)
        case _:
            return e.Const(words[0], node.type, node.span)


def _decide(body: s.Body) -> s.Body:
    """Splice in the branch of an `if` whose condition is constant, and cut what follows an end."""
    done: list[s.Stmt] = []
    for statement in body:
        match statement:
            case s.If(e.Const(bool(condition)), then, otherwise):
                done += _decide(then if condition else otherwise)
            case s.If(_, then, otherwise):
                done.append(evolve(statement, then=_decide(then), otherwise=_decide(otherwise)))
            case _:
                done.append(statement)
        if done and isinstance(done[-1], s.Drop | s.Bounce):
            break
    return tuple(done)
