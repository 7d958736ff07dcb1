"""The names of an emitted C file: none is a word of C, of the headers it includes, or of what is printed with it."""

from __future__ import annotations

import re

from attrs import Factory, define

from bertha_ir.backends.names import Names, mangle

# fmt: off
KEYWORDS = frozenset([
    "alignas", "alignof", "asm", "auto", "bool", "break", "case", "char", "const", "constexpr", "continue",
    "default", "do", "double", "else", "enum", "extern", "false", "float", "for", "goto", "if", "inline", "int",
    "long", "nullptr", "register", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert",
    "struct", "switch", "thread_local", "true", "typedef", "typeof", "union", "unsigned", "void", "volatile",
    "while",
])
OWN = frozenset([
    "HIDE", "LICENSE", "NOT_TAKEN", "NULL", "SEC", "at", "at_offset", "change_16", "change_32", "count", "ctx",
    "data", "difference", "end", "fill_1", "fill_2", "fill_4", "fill_8", "first", "fix_checksum",
    "fix_optional_checksum", "folded", "frame_size", "from", "kept", "length", "local", "move_1", "move_2",
    "move_4", "move_8", "passed", "prefix", "present", "rows", "to", "with", "word",
])
COMPILER = frozenset([
    "MAX_DPs", "barrier", "barrier_var", "container_of", "errno", "i386", "linux", "main", "offsetof", "unix",
])
# fmt: on
RESERVED = KEYWORDS | OWN | COMPILER
# What linux/bpf.h, linux/pkt_cls.h and libbpf's headers define at the top: constants in capitals, and functions.
DEFINED = re.compile(r"[A-Z][A-Z0-9_]*|(lib)?bpf_\w*")


@define
class CNames(Names):
    """The one name space that all identifiers of a file share."""

    reserved: frozenset[str] = RESERVED
    taken: set[str] = Factory(set)

    def fresh(self, name: str) -> str:
        """Return a new identifier that resembles `name`."""
        word = mangle(name)
        return super().fresh(f"{word}_" if DEFINED.fullmatch(word) else word)
