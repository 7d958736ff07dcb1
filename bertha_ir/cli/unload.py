"""`bertha unload`: take programs out of this host's kernel again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli.loaded import loaded_data, name, refusing
from bertha_ir.cli.output import say_json
from bertha_ir.cli.status import DONE, UsageError
from bertha_ir.cli.stream import say
from bertha_ir.runtime.artifact import Artifact
from bertha_ir.runtime.pinned import Pins

if TYPE_CHECKING:
    import argparse


@refusing
def run(parsed: argparse.Namespace) -> int:
    """Detach and remove the programs of an artifact, or of all."""
    if (parsed.folder is None) != parsed.all:
        message = "one artifact's programs are unloaded, or all"
        raise UsageError(message, "name an artifact folder, or give --all")
    if parsed.switch is not None:
        from bertha_ir.cli.switched import unload as on_switch  # noqa: PLC0415  (start-up time; needs an extra)

        return on_switch(parsed)
    gone = Pins().unload(None if parsed.all else Artifact(parsed.folder).plan)
    if parsed.json:
        say_json(ok=True, programs=[loaded_data(found) for found in gone])
    else:
        say("".join(f"{name(found)} is gone\n" for found in gone) or "nothing is loaded\n")
    return DONE
