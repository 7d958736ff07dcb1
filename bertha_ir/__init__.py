"""Bertha: compiles Chunnel specifications to P4, eBPF C and Python."""

__version__ = "0.1.0"
