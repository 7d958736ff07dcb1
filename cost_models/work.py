"""How much work a lowered body is, counted from its statements: nothing is said of a chunnel by its name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram

_STEPS = (e.Unary, e.Binary, e.Cast, e.Choose, s.Assign, s.Let, s.If)


@frozen
class Work:
    """Counts of one message's way through a body, every branch taken: an upper bound.

    `steps`: arithmetic and moves. `headers`: headers parsed. `lookups`: by kind (`array`, `exact`, `lpm`, `range`,
    `state`). `stores`: writes of state. `checksums`: updates. `calls`: primitives, by name.
    """

    steps: int = 0
    headers: int = 0
    lookups: tuple[tuple[str, int], ...] = ()
    stores: int = 0
    checksums: int = 0
    calls: tuple[tuple[str, int], ...] = ()


def measure(program: DeviceProgram) -> Work:
    """Return the work of a device program's longest way."""
    kinds = {t.name: t.kind for t in program.tables}
    nodes = tuple(walk(tuple((b.guard, b.body) for b in program.blocks)))
    lookups = Counter(kinds.get(n.container, "state") for n in nodes if isinstance(n, s.Lookup))
    calls = Counter(n.primitive for n in nodes if isinstance(n, e.Call))
    return Work(
        sum(isinstance(n, _STEPS) for n in nodes),
        len(program.parser),
        tuple(sorted(lookups.items())),
        sum(isinstance(n, s.Store | s.Delete) for n in nodes),
        sum(isinstance(n, s.FixChecksum) for n in nodes),
        tuple(sorted(calls.items())),
    )
