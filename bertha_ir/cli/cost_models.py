"""`bertha cost-models`: list the cost models, or check that one keeps what a cost model must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli.output import say_json, summary, table
from bertha_ir.cli.status import DONE, NO, UsageError
from bertha_ir.cli.stream import say
from bertha_ir.cost_models import UnknownModelError, load
from bertha_ir.cost_models.registry import COST_MODELS

if TYPE_CHECKING:
    import argparse


def run(parsed: argparse.Namespace) -> int:
    """Print the cost models that there are, or what one of them breaks of the contract."""
    if parsed.check is not None:
        return _check(parsed.check, as_json=parsed.json)
    known = [(name, COST_MODELS.get(name)) for name in COST_MODELS.names()]
    if parsed.json:
        models = [{"name": name, "summary": summary(cls), "module": cls.__module__} for name, cls in known]
        say_json(ok=True, cost_models=models)
    else:
        say(table([(name, summary(cls), cls.__module__) for name, cls in known]))
    return DONE


def _check(name: str, *, as_json: bool) -> int:
    from bertha_ir.cost_models.conformance import violations  # noqa: PLC0415  (only where it is wanted)

    try:
        broken = violations(load(name))
    except UnknownModelError as error:
        raise UsageError(str(error), "`bertha cost-models` lists them") from error
    if as_json:
        say_json(ok=not broken, name=name, violations=list(broken))
    else:
        say("".join(f"{sentence}\n" for sentence in broken) or f"`{name}` keeps what a cost model must keep\n")
    return NO if broken else DONE
