"""How many stages a program takes at least: the levels of what it does, and how much lies from each level on.

What reads what another gave, or writes what another wrote, runs in a later stage (match and action dependency); a write
may share the stage of an earlier read, and what a condition or a hit decides that of the comparison (reverse-match and
successor dependency): Bosshart et al., SIGCOMM 2013, section 3; Jose et al., "Compiling Packet Programs to
Reconfigurable Switches", NSDI 2015, section 2. The earliest stage that these allow is a step's *level*. What has the
level `n` or a higher one must find room in the stages from `n` on, whatever the order in which a compiler fills them:
so many stages are needed, and another table or dependency never lowers the number. A compiler may need more.

Blocks do not depend on each other, as a packet meets one of them, but share the stages. A table goes on in the next
stage where one has no room for all of it. A state lies where the last of its uses is.

Not counted: fixing checksums, which the parser and the deparser do; keyless tables that hold actions; crossbars.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.p4.chip import Demand
from bertha_ir.backends.p4.steps import Clock, operations, place_of
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.backends.p4.chip import Chip
    from bertha_ir.program import Block, Table


@define
class Stages:
    """The levels of a program's steps. `registers`: the arrays of each state. `deepest`: the stages that dependencies
    alone make; `demands`: what look-ups and hashes take, with their levels; `used`: the levels of states.
    """

    chip: Chip
    tables: Mapping[str, Table]
    registers: Mapping[str, tuple[Demand, ...]]
    deepest: int = 0
    demands: list[tuple[int, Demand]] = Factory(list)
    used: dict[str, int] = Factory(dict)
    _clock: Clock = field(factory=Clock)

    def block(self, block: Block) -> None:
        """Add a block's statements."""
        self._clock = Clock()
        self._body(block.body, self._clock.condition(block.guard))

    @property
    def everything(self) -> tuple[tuple[int, Demand], ...]:
        """All that is demanded, with its level."""
        arrays = ((level, demand) for name, level in self.used.items() for demand in self.registers[name])
        return (*self.demands, *arrays)

    @property
    def needed(self) -> int:
        """The least number of stages."""
        most, behind = self.deepest, Counter[str]()
        for level, demand in sorted(self.everything, key=lambda row: row[0], reverse=True):
            behind.update(dict(demand.items()))
            most = max(most, level + self.chip.stages_for(behind))
        return most

    def _body(self, body: s.Body, control: int) -> int:
        """Add statements that run from the stage `control` on; return the stage from which what follows them does."""
        for node in body:
            control = self._statement(node, control)
        return control

    def _statement(self, node: s.Stmt, control: int) -> int:
        clock = self._clock
        self._hash(node.condition if isinstance(node, s.If) else node)
        match node:
            case s.Let(name, value):
                clock.ready(name, self._ends(clock.value(value)))
            case s.Assign(target, value):
                place = place_of(target)
                if place is not None:  # a payload is refused elsewhere
                    ready = clock.value(value) - operations(value)
                    stage = max(control, ready, clock.at.get(place, 0), clock.read.get(place, 0))
                    clock.ready(place, self._ends(stage + 1))
            case s.If():
                return self._if(node, control)
            case s.Lookup() if node.container in self.tables:
                self._look_up(node, control)
            case s.Lookup(state, keys):
                self._bind(node, self._use(state, max(control, clock.values(keys))))
            case s.Store(state, keys, _, values):
                self._use(state, max(control, clock.values((*keys, *values))))
            case s.Delete(state, keys):
                self._use(state, max(control, clock.values(keys)))
            case s.Drop() | s.Bounce():
                self._ends(control + 1)
        return control

    def _hash(self, node: object) -> None:
        """Add the hashes that are computed in a statement, each when what it hashes is there."""
        found = [n for n in walk(node) if isinstance(n, e.Call) and n.primitive == "crc32"]
        self.demands += [(self._clock.values(n.arguments), Demand(hashes=1)) for n in found]

    def _if(self, node: s.If, control: int) -> int:
        decided = max(control, self._clock.condition(node.condition))
        here, after = self._clock, control
        branches = []
        for body in (node.then, node.otherwise):
            self._clock = here.branch()
            ended = self._body(body, decided)
            if any(isinstance(n, s.Drop | s.Bounce) for n in walk(body)):
                after = max(after, ended)
            branches.append(self._clock)
        self._clock = here
        here.join(*branches)
        return after

    def _bind(self, node: s.Lookup, stage: int) -> None:
        for name in (*(local.name for local in node.into), *((node.hit,) if node.hit is not None else ())):
            self._clock.ready(name, stage)

    def _look_up(self, node: s.Lookup, control: int) -> None:
        demand = self.chip.table(self.tables[node.container], with_values=bool(node.into))
        first = max(control, self._clock.values(node.keys))
        last = first + max(1, self.chip.stages_for(dict(demand.items()))) - 1
        self.demands.append((first, demand))
        self._clock.matched(node.keys, last)
        self._bind(node, self._ends(last + 1))
        if node.hit is not None:
            self._clock.hit(node.hit, last)

    def _use(self, state: str, ready: int) -> int:
        """Use a state in a stage; return the stage that can read what it gives."""
        self.used[state] = max(ready, self.used.get(state, 0))
        return self._ends(ready + 1)

    def _ends(self, stage: int) -> int:
        self.deepest = max(self.deepest, stage)
        return stage
