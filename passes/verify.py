"""Verifies a module after a pass: every graph and every program is well formed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.legality import check_stage
from bertha_ir.stack import APPLICATION
from bertha_ir.verify import VerifyError, verify_program

if TYPE_CHECKING:
    from bertha_ir.passes.base import Module
    from bertha_ir.stack import Graph


def verify_module(module: Module) -> None:
    """Raise `VerifyError` when a pass has left something that its stage does not allow."""
    for graph in module.graphs:
        verify_graph(graph)
    for placed in module.programs:
        verify_program(placed.program)


def verify_graph(graph: Graph) -> None:
    """Check that a direction is one chain through all its ops, that tables and states are declared, and that every
    node is legal after expansion.
    """
    where = f"{graph.stack}.{graph.direction}"
    ids = [op.id for op in graph.ops]
    if len(set(ids)) != len(ids):
        raise VerifyError(where, "two ops have the same id")
    if [op.id for op in graph.chain()] != ids or {e.target for e in graph.edges} != {*ids, APPLICATION}:
        raise VerifyError(where, "the edges do not lead once through every op")
    for op in (*graph.ops, *graph.timers):
        check_stage("expanded", op.body, f"{where}.{op.id}")
