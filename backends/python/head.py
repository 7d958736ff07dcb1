"""Prints what stands around the functions of a module: its text, imports and data."""

from __future__ import annotations

import re

STATE = ("BitStruct", "Cell", "Prefixes", "Ranges", "Recent", "Rows", "Secrets", "fix_checksum")
STRUCTS = {"U16": "H", "U32": "I", "U64": "Q", "DATA_FRAME": "IBI"}  # of a frame: length and type, flags, stream


def head(title: str, data: list[str], parts: list[str]) -> str:
    """Return a module of these data and parts (classes, functions), with what they need imported."""
    code = "\n".join(data + parts)
    structs = [f'{name} = Struct(">{letter}")' for name, letter in STRUCTS.items() if f"{name}." in code]
    data = structs + data
    standard = ["from struct import Struct"] * (bool(structs) or " = Struct(" in code)
    standard += ["from typing import NamedTuple"] * ("(NamedTuple):" in code)
    ours = ["from bertha_ir.runtime import primitives"] * ("primitives." in code)
    ciphers = [name for name in ("Ciphers", "InvalidTag") if re.search(rf"\b{name}\b", code)]
    ours += [f"from bertha_ir.runtime.ciphers import {', '.join(ciphers)}"] * bool(ciphers)
    ours += ["from bertha_ir.runtime.stages import Stage"] * (" = Stage(" in code)
    used = [name for name in STATE if f"{name}(" in code]
    ours += [f"from bertha_ir.runtime.state import {', '.join(used)}"] * bool(used)
    text = f'"""{title}\nWritten by Bertha; changes are lost when it is compiled again.\n"""'
    top = "\n\n".join("\n".join(lines) for lines in ([text], standard, ours, data) if lines)
    return "\n\n\n".join([top, *parts]) + "\n"
