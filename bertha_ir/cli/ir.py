"""`bertha ir`: print the intermediate form of a stage, as text that parses back to an equal value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli.building import build
from bertha_ir.cli.output import say_json
from bertha_ir.cli.status import DONE, UsageError
from bertha_ir.cli.stream import say
from bertha_ir.text import print_ir

if TYPE_CHECKING:
    import argparse

    from bertha_ir.api import Compiled
    from bertha_ir.passes.base import Fact


def run(parsed: argparse.Namespace) -> int:
    """Print one stage."""
    needs: dict[str | None, Fact] = {"plan": "placed", "program": "lowered"}
    name, value = _chosen(parsed, build(parsed, needs.get(parsed.stage), f"the stage `{parsed.stage}`"))
    text = print_ir(value)
    if parsed.json:
        say_json(ok=True, stage=name, text=text)
    else:
        say(text)
    return DONE


def _chosen(parsed: argparse.Namespace, compiled: Compiled) -> tuple[str, object]:
    if parsed.stage:
        stages = {"stack": compiled.specification, "plan": compiled.plans, "program": compiled.programs}
        return parsed.stage, stages[parsed.stage]
    name = f"after {parsed.after}"
    snapshots = dict(compiled.snapshots)
    if name not in snapshots:
        message = f"the pipeline `{compiled.pipeline}` has no pass `{parsed.after}`"
        raise UsageError(message, "`bertha passes` lists the passes; --pipeline chooses others")
    return name, snapshots[name]
