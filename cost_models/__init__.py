"""What running an op on a device and crossing a link costs."""

from __future__ import annotations

from bertha_ir.cost_models.registry import COST_MODELS, UnknownModelError, load

if __name__ != "bertha_ir.cost_models":
    msg = "import bertha_ir.cost_models, not cost_models: a second copy of the modules would not be the same"
    raise ImportError(msg)

__all__ = ["COST_MODELS", "UnknownModelError", "load"]
