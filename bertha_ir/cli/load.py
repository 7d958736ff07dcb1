"""`bertha load`: put a device's programs into this host's kernel, to stay."""

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
    """Load and attach; what is there already stays as it is."""
    if parsed.switch is None and (parsed.config or parsed.standby or parsed.take_over):
        message = "--config, --standby and --take-over are for a switch"
        raise UsageError(message, "say which: --switch HOST:PORT")
    if parsed.switch is not None:
        from bertha_ir.cli.switched import load as on_switch  # noqa: PLC0415  (start-up time; needs an extra)

        return on_switch(parsed)
    old = None if parsed.replace is None else Artifact(parsed.replace)
    rows = Pins().load(Artifact(parsed.folder), parsed.device, parsed.interface, parsed.mode or "any", old=old)
    if parsed.json:
        say_json(ok=True, programs=[{**loaded_data(found), "changed": changed} for found, changed in rows])
    else:
        said = (f"{name(p)} {'is' if done else 'was already'} attached to {parsed.interface}" for p, done in rows)
        say("".join(f"{line}\n" for line in said))
    return DONE
