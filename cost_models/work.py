"""How much work a lowered body is, counted from its statements: nothing is said of a chunnel by its name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.cost_models.ways import Way

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram

Counts = tuple[tuple[str, int], ...]


@frozen
class Work:
    """Counts of one message's longest way through a body.

    `steps`: additions, shifts, choices. `moves`: of locals, and of a datagram's addresses. `comparisons`: and what
    joins them, and branches. `multiplications`, `divisions`. `reads`, `writes`: of header fields.
    `headers`: headers parsed. `lookups`: by kind (`array`, `exact`, `exact-hash`, `lpm`, `range`, `state-cell`,
    `state-map`, `state-lru`), with `-known` behind it where the row is. `rows`: what those search among, by kind of
    table (of prefixes, the levels of a tree below its root).
    `stores`: writes of state, by what is done and to what (`set-cell`, `add-map-known`, `delete-lru` …). `checksums`:
    updates. `sums`: the checksums that these go to, each once for every part of what it covers (see `FixChecksum`):
    some targets add up the changes and apply them at the end. `calls`: primitives, by name.
    """

    steps: int = 0
    moves: int = 0
    comparisons: int = 0
    multiplications: int = 0
    divisions: int = 0
    reads: int = 0
    writes: int = 0
    headers: int = 0
    lookups: Counts = ()
    rows: Counts = ()
    stores: Counts = ()
    checksums: int = 0
    sums: Counts = ()
    calls: Counts = ()

    def items(self) -> Counts:
        """Return what is counted by the names that profiles have figures under."""
        return (
            ("step", self.steps),
            ("step-move", self.moves),
            ("step-compare", self.comparisons),
            ("step-multiply", self.multiplications),
            ("step-divide", self.divisions),
            ("step-read", self.reads),
            ("step-write", self.writes),
            ("copy", int(self.writes > 0)),  # a process copies what it changes
            ("header", self.headers),
            *((f"lookup-{kind}", count) for kind, count in self.lookups),
            *((f"row-{kind}", count) for kind, count in self.rows),
            *((f"store-{kind}", count) for kind, count in self.stores),
            ("checksum", self.checksums),
            *((f"sum-{part}", count) for part, count in self.sums),
            *((f"call-{name}", count) for name, count in self.calls),
        )


def measure(program: DeviceProgram) -> Work:
    """Return the work of a device program's longest way: every guard, and of the blocks the most."""
    way = Way({t.name: t for t in program.tables}, {t.name: t for t in program.states})
    guards: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for block in program.blocks:
        guards += way.expression(block.guard)
        through, ended = way.body(block.body)
        most |= ended if through is None else through | ended
    found = guards + most
    return Work(
        found["step"],
        found["move"],
        found["compare"],
        found["multiply"],
        found["divide"],
        found["read"],
        found["write"],
        _depth(program),
        _named(found, "lookup"),
        _named(found, "row"),
        _named(found, "store"),
        found["checksum"],
        tuple(sorted(Counter(name.split(" ")[1] for name in found if name.startswith("sum ")).items())),
        _named(found, "call"),
    )


def _named(found: Counter[str], stem: str) -> Counts:
    parts = ((name.partition(" "), count) for name, count in found.items())
    return tuple(sorted((kind, count) for (first, _, kind), count in parts if first == stem and kind and count))


def _depth(program: DeviceProgram) -> int:
    """Return how many headers are parsed on the shortest way to the deepest."""
    transitions = {state.header: state.transitions for state in program.parser}
    reached = {state.header: 1 for state in program.parser[:1]}
    waiting = list(reached)
    for header in waiting:
        for to in (t.to for t in transitions.get(header, ()) if t.to not in reached):
            reached[to] = reached[header] + 1
            waiting.append(to)
    return max(reached.values(), default=0)
