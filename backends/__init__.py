"""Backends: from device programs to artifacts, one folder a target."""

if __name__ != "bertha_ir.backends":
    msg = "import bertha_ir.backends, not backends: a second copy of the modules would not be the same"
    raise ImportError(msg)
