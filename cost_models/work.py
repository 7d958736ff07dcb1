"""How much work a lowered body is, counted from its statements: nothing is said of a chunnel by its name.

Counted is the longest way of a message: of two branches the more, figure by figure, and nothing behind a `drop`. A
branch that stores what a look-up has just missed runs once for each key, and is left out.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.program import ADDRESS
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.program import DeviceProgram, State, Table

Counts = tuple[tuple[str, int], ...]
COMPARING = frozenset((*e.ORDER, *e.EQUALITY, *e.LOGIC))
IN_PLACE = 256  # rows of an exact table that a kernel compares one after another; a larger one is hashed


@frozen
class Work:
    """Counts of one message's longest way through a body.

    `steps`: additions, shifts, choices. `moves`: of locals, and of a datagram's addresses. `comparisons`: and what
    joins them, and branches. `multiplications`, `divisions`. `reads`, `writes`: of header fields.
    `headers`: headers parsed. `lookups`: by kind (`array`, `exact`, `exact-hash`, `lpm`, `range`, `state-cell`,
    `state-map`, `state-lru`). `rows`: what those search among, by kind of table (of prefixes, the levels of a tree).
    `stores`: writes of state, by what is done and to what (`set-cell`, `add-map`, `delete-lru` …). `checksums`:
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
    way = _Way({t.name: t for t in program.tables}, {t.name: t for t in program.states})
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


@define
class _Way:
    """Counts the ways through a body. `missed`: the state that each local says is in it or not."""

    tables: dict[str, Table]
    states: dict[str, State]
    hits: dict[str, str] = field(factory=dict)

    def body(self, body: s.Body) -> tuple[Counter[str] | None, Counter[str]]:
        """Return the most of the ways that go on behind a body, None when none does, and of those that end in it."""
        on: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        for node in body:
            if isinstance(node, s.Drop | s.Bounce):
                return None, ended | on
            if isinstance(node, s.If):
                on += self.expression(node.condition) + Counter(compare=1)
                branches = [() if self._fills(node.condition, b) else b for b in (node.then, node.otherwise)]
            elif isinstance(node, s.Attempt | s.Pop):
                on += self._statement(node)
                branches = [(), node.otherwise]
            elif isinstance(node, s.Repeat | s.ForEach):
                branches = [node.body * (node.count if isinstance(node, s.Repeat) else 1)]
            else:
                on += self._statement(node)
                continue
            ways = [self.body(b) for b in branches]
            for _, inside in ways:
                ended |= on + inside
            through = [way for way, _ in ways if way is not None]
            if not through:
                return None, ended
            more: Counter[str] = Counter()
            for way in through:
                more |= way
            on += more
        return on, ended

    def _fills(self, condition: e.Expr, branch: s.Body) -> bool:
        """Whether a branch stores what a look-up has missed: it is taken once for each key."""
        match condition:
            case e.Unary("not", e.Local(name)) if name in self.hits:
                return any(isinstance(n, s.Store) and n.state == self.hits[name] for n in branch)
        return False

    def _statement(self, node: s.Stmt) -> Counter[str]:  # noqa: C901, PLR0911  (one row a node)
        match node:
            case s.Lookup(container, keys, hit):
                if hit is not None and container in self.states:
                    self.hits[hit] = container
                return self.expression(keys) + self._lookup(container)
            case s.Store(state, keys, mode, values):
                return self.expression(keys) + self.expression(values) + Counter([f"store {mode}-{self._form(state)}"])
            case s.Delete(state, keys):
                return self.expression(keys) + Counter([f"store delete-{self._form(state)}"])
            case s.FixChecksum():
                at = f"sum {node.part} {node.checksum.header}.{node.checksum.name}"
                return self.expression((node.old, node.new)) + Counter(["checksum", at])
            case s.Assign(target, value):
                return self.expression(value) + Counter(
                    ["write" if isinstance(target, e.Field) and target.header != ADDRESS else "move"]
                )
            case s.Pop():
                return Counter(["step"])
            case s.Attempt(_, value):
                return self.expression(value)
            case s.Push(_, fields):
                return self.expression(tuple(value for _, value in fields)) + Counter({"write": max(1, len(fields))})
            case s.Let(_, value):
                return self.expression(value)
        return self.expression(node) + Counter(["step"])

    def _lookup(self, container: str) -> Counter[str]:
        table = self.tables.get(container)
        if table is None:
            return Counter([f"lookup state-{self._form(container)}"])
        if table.kind == "exact" and table.size > IN_PLACE:
            return Counter(["lookup exact-hash"])
        rows = {"array": 0, "lpm": len(table.entries).bit_length()}.get(table.kind, len(table.entries))
        return Counter({f"lookup {table.kind}": 1, f"row {table.kind}": rows})

    def _form(self, name: str) -> str:
        state = self.states[name]
        return "cell" if not state.keys else "lru" if state.evicts else "map"

    @staticmethod
    def expression(node: object) -> Counter[str]:
        """Return the work of an expression, or of several."""
        return Counter(kind for n in walk(node) for kind in _kinds(n))


def _kinds(node: object) -> tuple[str, ...]:  # noqa: PLR0911  (one row a node)
    match node:
        case e.Binary(op) if op in COMPARING:
            return ("compare",)
        case e.Unary("not"):
            return ("compare",)
        case e.Binary("*"):
            return ("multiply",)
        case e.Binary("/" | "%"):
            return ("divide",)
        case e.Unary() | e.Binary() | e.Choose():
            return ("step",)
        case e.Field(header):
            return ("move" if header == ADDRESS else "read",)
        case e.Call(name):
            return (f"call {name}",)
    return ()
