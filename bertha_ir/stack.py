"""The stack IR: a typed dataflow graph per direction of a connection.

Nodes are ops, one per handler of a chunnel instance, with parameters substituted. Edges carry the type of what
flows: which headers of the message can be read there, or who hides them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from bertha_ir.program import State, Table
    from bertha_ir.source import Span
    from bertha_ir.spec import Event, Place, Transport
    from bertha_ir.stmt import Body

Side = Literal["sender", "path", "receiver"]


@frozen
class Layout:
    """What can be read of a message at an edge.

    `headers`: the known headers at the start of the payload, outermost first. With `raw`, the application's own
    bytes follow, which any message may be laid over. `hidden_by`: the chunnel that made the bytes unreadable.
    """

    headers: tuple[str, ...] = ()
    raw: bool = False
    hidden_by: str | None = None


@frozen(cache_hash=True)  # ops are keys of what is known of them
class Op:
    """One handler of one chunnel instance. `id` is `instance.event`.

    `derived_from`: the op of the request that this op of the response belongs to, and runs beside.
    """

    id: str
    instance: str
    chunnel: str
    event: Event
    side: Side
    place: Place
    body: Body
    tables: tuple[Table, ...] = ()
    states: tuple[State, ...] = ()
    both_ends: bool = False
    transport: Transport | None = None
    period: int | None = None
    derived_from: str | None = None
    span: Span | None = field(default=None, eq=False, repr=False)

    @property
    def undoes(self) -> bool:
        """Whether the op restores in replies what its request's op rewrote."""
        return self.derived_from is not None and self.event == "packet"


@frozen
class Edge:
    """What flows from one op to the next; the outer ends are `application`."""

    source: str
    target: str
    layout: Layout


@frozen
class Graph:
    """One direction of one stack, from the sending application to the receiving one. Timers stand apart: no edges.

    `service` is the endpoint that the stack's second end listens on, as far as the site tells it: (ip or None, port).
    """

    stack: str
    direction: Literal["request", "response"]
    sender: str
    receiver: str
    ops: tuple[Op, ...]
    edges: tuple[Edge, ...]
    timers: tuple[Op, ...] = ()
    service: tuple[int | None, int] | None = None

    def op(self, name: str) -> Op:
        """Return the op of that id; KeyError when there is none."""
        return {o.id: o for o in self.ops}[name]

    def chain(self) -> tuple[Op, ...]:
        """Return the ops in the order in which a message meets them."""
        after = {e.source: e.target for e in self.edges}
        chain, at = [], after.get(APPLICATION, APPLICATION)
        while at != APPLICATION:
            chain.append(self.op(at))
            at = after[at]
        return tuple(chain)

    def into(self, name: str) -> Layout:
        """Return the layout on the edge into an op; KeyError when there is none."""
        return {e.target: e.layout for e in self.edges}[name]

    def wire(self) -> Layout:
        """Return the layout between the sender's transport and the receiver's."""
        return next(e.layout for e in self.edges if self._is_wire(e))

    def _is_wire(self, edge: Edge) -> bool:
        ids = {o.id: o for o in self.ops}
        source = ids.get(edge.source)
        return source is not None and source.transport is not None and source.event == "send"


APPLICATION = "application"


def connect(ops: tuple[Op, ...], layouts: tuple[Layout, ...]) -> tuple[Edge, ...]:
    """Return the edges of a chain; `layouts` has one more item than `ops`."""
    names = [APPLICATION, *(o.id for o in ops), APPLICATION]
    return tuple(Edge(a, b, kind) for (a, b), kind in zip(pairwise(names), layouts, strict=True))
