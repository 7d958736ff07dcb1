"""`bertha passes`: list the passes and the pipelines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE
from bertha_ir.cli.stream import say
from bertha_ir.passes.pipelines import PASSES, PIPELINES

if TYPE_CHECKING:
    import argparse

    from bertha_ir.passes.base import Pass


def run(parsed: argparse.Namespace) -> int:
    """Print what `--pipeline` can be made of."""
    known = [PASSES.get(name) for name in PASSES.names()]
    if parsed.json:
        passes = [
            {
                "name": cls.name,
                "summary": _summary(cls),
                "requires": sorted(cls.requires),
                "establishes": sorted(cls.establishes),
            }
            for cls in known
        ]
        say_json(ok=True, passes=passes, pipelines=PIPELINES)
        return DONE
    say("passes:\n" + table([(cls.name, _summary(cls)) for cls in known], "  "))
    say("\npipelines:\n" + table(PIPELINES.items(), "  "))
    return DONE


def _summary(cls: type[Pass]) -> str:
    """Return what the pass's file says it does, in its first line `NAME: WHAT IT DOES.`, without the name."""
    first = (sys.modules[cls.__module__].__doc__ or "").partition("\n")[0]
    return first.removeprefix(f"{cls.name}: ").removesuffix(".")
