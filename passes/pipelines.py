"""Every pass once, and the pipelines that come with Bertha."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.registry import Registry

if TYPE_CHECKING:
    from bertha_ir.passes.base import Pass

PASSES: Registry[type[Pass]] = Registry("pass", "bertha_ir.passes")
PASSES.add("select", "bertha_ir.passes.select:Select")
PASSES.add("rules", "bertha_ir.passes.rules:Rules")
PASSES.add("eliminate", "bertha_ir.passes.eliminate:Eliminate")
PASSES.add("unite", "bertha_ir.passes.unite:Unite")
PASSES.add("expand", "bertha_ir.passes.expand:Expand")
PASSES.add("canonicalize", "bertha_ir.passes.canonicalize:Canonicalize")
PASSES.add("undo", "bertha_ir.passes.undo:Undo")
PASSES.add("place", "bertha_ir.passes.place:Place")
PASSES.add("measure", "bertha_ir.passes.measure:Measure")
PASSES.add("lower", "bertha_ir.passes.lower:Lower")

PIPELINES = {
    # Select plans each way through the selects, and leaves the best. Rules, elimination and uniting speak of uses,
    # which expanding turns into ops. Undo reads the constants that canonicalize has made of destinations; placing reads
    # what undo has added.
    "default": "select,rules,eliminate,unite,expand,canonicalize,undo,place,lower",
    # As written: nothing is simplified. For finding out which pass an error comes from.
    "no-opt": "select,expand,undo,place,lower",
    # As the default, and each op counts its messages: for workloads that are measured.
    "measured": "select,rules,eliminate,unite,expand,canonicalize,undo,place,measure,lower",
    # Up to the plan, for looking at it.
    "plan": "select,rules,eliminate,unite,expand,canonicalize,undo,place",
}
