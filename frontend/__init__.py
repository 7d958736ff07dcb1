"""From `.chunnel` text to the typed specification: parser, names, types, and the standard library."""

if __name__ != "bertha_ir.frontend":
    msg = "import bertha_ir.frontend, not frontend: a second copy of the modules would not be the same"
    raise ImportError(msg)
