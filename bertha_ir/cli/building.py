"""What the commands that compile share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import api

if TYPE_CHECKING:
    import argparse


def build(parsed: argparse.Namespace) -> api.Compiled:
    """Compile what the command line names. Raises `BerthaError`."""
    return api.build(
        [*parsed.files, *parsed.site],
        stacks=parsed.stack,
        pipeline=parsed.pipeline,
        cost_model=parsed.cost_model,
        verify=parsed.verify,
    )
