"""Diagnostics: what went wrong, where, and what to do about it."""

from bertha_ir.diagnostics.code import CODES, Code
from bertha_ir.diagnostics.diagnostic import BerthaError, Collector, Diagnostic, Label

__all__ = ["CODES", "BerthaError", "Code", "Collector", "Diagnostic", "Label"]
