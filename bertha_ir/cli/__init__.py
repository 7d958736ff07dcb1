"""The `bertha` command."""
