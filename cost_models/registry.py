"""Cost models by name, and from a file of the user's."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from bertha_ir.cost_models.base import CostModel
from bertha_ir.registry import Registry

COST_MODELS: Registry[type[CostModel]] = Registry("cost model", "bertha_ir.cost_models")
COST_MODELS.add("profile", "bertha_ir.cost_models.profile:ProfileModel")


class UnknownModelError(LookupError):
    """No cost model of that name, or the file does not hold one."""


def load(name: str) -> CostModel:
    """Return the cost model of a registered name, or of `path.py:Class`. `UnknownModelError` says what is wrong."""
    if ".py:" in name:
        return _from_file(name)
    if name not in COST_MODELS.names():
        msg = f"no cost model is called `{name}`; there are {', '.join(COST_MODELS.names())}, or `path.py:Class`"
        raise UnknownModelError(msg)
    return COST_MODELS.get(name)()


def _from_file(name: str) -> CostModel:
    path, _, attribute = name.rpartition(":")
    spec = spec_from_file_location("bertha_user_cost_model", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        msg = f"there is no Python file `{path}`"
        raise UnknownModelError(msg)
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        msg = f"`{path}` cannot be imported: {error}"
        raise UnknownModelError(msg) from error
    found = getattr(module, attribute, None)
    if not (isinstance(found, type) and issubclass(found, CostModel)):
        msg = f"`{attribute}` of `{path}` is no subclass of CostModel"
        raise UnknownModelError(msg)
    return found()
