"""`bertha compile`: write an artifact folder, or say whether one is up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import api, artifact
from bertha_ir.cli.building import build
from bertha_ir.cli.output import say_json
from bertha_ir.cli.status import DONE, NO
from bertha_ir.cli.stream import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path


def run(parsed: argparse.Namespace) -> int:
    """Compile, then write or compare."""
    compiled = build(parsed, "lowered", "an artifact")
    files = api.artifact(compiled)
    if parsed.check is not None:
        return _compare(parsed.check, files, as_json=parsed.json)
    artifact.write(files, parsed.out)
    plan = api.plan_id(compiled.plans)
    if parsed.json:
        say_json(ok=True, out=str(parsed.out), plan=plan, files=sorted(files))
    else:
        say(f"wrote {parsed.out}: {len(files)} files, plan {plan[:12]}\n")
    return DONE


def _compare(folder: Path, files: Mapping[str, bytes], *, as_json: bool) -> int:
    differences = artifact.stale(folder, files)
    if as_json:
        say_json(ok=not differences, folder=str(folder), differences=list(differences))
    elif differences:
        say(f"{folder} is out of date:\n" + "".join(f"  {difference}\n" for difference in differences))
    else:
        say(f"{folder} is up to date\n")
    return NO if differences else DONE
