"""Passes: from the specification to a placed plan and device programs."""

if __name__ != "bertha_ir.passes":
    msg = "import bertha_ir.passes, not passes: a second copy of the modules would not be the same"
    raise ImportError(msg)
