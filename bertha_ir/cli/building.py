"""What the commands that compile share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.status import UsageError
from bertha_ir.cost_models import UnknownModelError
from bertha_ir.frontend.load import load
from bertha_ir.passes.manager import parse_pipeline, require

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bertha_ir.passes.base import Fact


def build(
    parsed: argparse.Namespace, fact: Fact | None = None, what: str = "", changes: Sequence[str] = ()
) -> api.Compiled:
    """Compile what the command line names, on another site if there are `changes`. Raises `BerthaError`, also for a
    pipeline that does not establish `fact`, which `what` is about, and `UsageError` for a cost model that is none.
    """
    if fact is not None and parsed.pipeline is not None:
        require(parse_pipeline(parsed.pipeline), fact, what)
    files = [*parsed.files, *parsed.site]
    options = {"pipeline": parsed.pipeline, "cost_model": parsed.cost_model, "verify": parsed.verify}
    try:
        if not changes:
            return api.build(files, stacks=parsed.stack, **options)
        return api.build_from(api.select(load(files, changes), parsed.stack), **options)
    except UnknownModelError as error:
        raise UsageError(str(error), "--cost-model takes a name, or a file and the class in it") from error
