"""What the commands that compile share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.status import UsageError
from bertha_ir.cost_models import UnknownModelError

if TYPE_CHECKING:
    import argparse


def build(parsed: argparse.Namespace) -> api.Compiled:
    """Compile what the command line names. Raises `BerthaError`, and `UsageError` for a cost model that is none."""
    try:
        return api.build(
            [*parsed.files, *parsed.site],
            stacks=parsed.stack,
            pipeline=parsed.pipeline,
            cost_model=parsed.cost_model,
            verify=parsed.verify,
        )
    except UnknownModelError as error:
        raise UsageError(str(error), "--cost-model takes a name, or a file and the class in it") from error
