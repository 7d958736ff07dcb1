"""What running an op on a device and crossing a link costs."""

if __name__ != "bertha_ir.cost_models":
    msg = "import bertha_ir.cost_models, not cost_models: a second copy of the modules would not be the same"
    raise ImportError(msg)
