"""Lowering: from the ops placed on a device to its program (parser, tables, state, blocks)."""
