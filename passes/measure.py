"""measure: have each op of the path count its messages, so that a workload can be read from what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.measured import counters
from bertha_ir.passes.base import Module, Pass
from bertha_ir.passes.placing import path_ops
from bertha_ir.program import State
from bertha_ir.types import U64

if TYPE_CHECKING:
    from bertha_ir.passes.base import Context, Fact
    from bertha_ir.stack import Graph, Op


@frozen
class Measure(Pass):
    """`firewall` -> `met += 1`, `firewall`, `kept += 1`: the plan is the same, its programs count.

    What one op counts does not depend on another's: they may be on different devices.
    """

    name: ClassVar[str] = "measure"
    requires: ClassVar[frozenset[Fact]] = frozenset({"placed"})
    establishes: ClassVar[frozenset[Fact]] = frozenset()

    def run(self, module: Module, context: Context) -> Module:  # noqa: ARG002  (a pass's signature)
        """Return the module with ops that count."""
        return evolve(module, graphs=tuple(_measured(graph) for graph in module.graphs))


def _measured(graph: Graph) -> Graph:
    counted = {op.id for op in path_ops(graph)}
    return evolve(graph, ops=tuple(_counting(op, graph) if op.id in counted else op for op in graph.ops))


def _counting(op: Op, graph: Graph) -> Op:
    names = counters(graph.stack, graph.direction, op.id)
    cells = tuple(State(name, (), (U64,), volatile=True, span=op.span) for name in (names.met, names.kept))
    before, behind = (s.Store(cell.name, (), "add", (e.Const(1, U64),), op.span) for cell in cells)
    return evolve(op, body=(before, *op.body, behind), states=(*op.states, *cells))
