"""Which locals of a block need a variable in C: clang would warn of one that nothing reads."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable


def used(body: s.Body) -> frozenset[str]:
    """Return the locals that some expression reads."""
    found = Counter(n.name for n in walk(body) if isinstance(n, e.Local))
    found.subtract(local.name for n in walk(body) if isinstance(n, s.Lookup) for local in n.into)
    found.subtract(n.target.name for n in walk(body) if isinstance(n, s.Assign) and isinstance(n.target, e.Local))
    return frozenset(name for name, count in found.items() if count > 0)


def without_unread(lines: list[str], variables: Iterable[str]) -> list[str]:
    """Return lines of C without the declarations of those variables that occur nowhere else."""
    words = Counter(re.findall(r"\w+", "\n".join(lines)))
    gone = [v for v in variables if words[v] == 1]
    return [line for line in lines if not any(re.search(rf"\b{v} = ", line) for v in gone)]
