"""What may not run on the path of a transport whose packets are segments of a stream, and not messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.passes.effects import effects
from bertha_ir.passes.layout import network_headers

if TYPE_CHECKING:
    from bertha_ir.passes.topology import Stop
    from bertha_ir.spec import Chunnel, Specification
    from bertha_ir.stack import Graph, Op


def in_segments(op: Op, graph: Graph, stop: Stop, specification: Specification) -> str | None:
    """Return why an op cannot do to a stream's packets what it does to messages; None when it can, and over transports
    that carry messages. What it reads of the network's headers and addresses is the same in each segment.
    """
    transport = _transport(graph, specification)
    if transport is None or "stream" not in transport.provides:
        return None
    if content := _content(op, transport, specification):
        return (
            f"it reads or writes {', '.join(content)}, and packets of `{transport.name}` are segments of a stream, "
            "which need not begin where a message does"
        )
    if stop.kind == "host":
        return f"a process is given the stream of `{transport.name}`, and not its packets"
    return None


def _transport(graph: Graph, specification: Specification) -> Chunnel | None:
    stack = next(s for s in specification.stacks if s.name == graph.stack)
    direction = next(d for d in stack.directions if d.name == graph.direction)
    return next((i.chunnel for i in reversed(direction.instances) if i.chunnel.transport is not None), None)


def _content(op: Op, transport: Chunnel, specification: Specification) -> tuple[str, ...]:
    """Return the locations inside messages that an op depends on or changes. The payload's size may be added up."""
    network = network_headers(specification, transport.transport) | {"src", "dst"}
    done = effects(op.body)
    found = {where for where in done.reads | done.writes if where.partition(".")[0] not in network}
    if not (done.writes or done.may_end):
        found.discard("payload")
    return tuple(sorted(f"`{where}`" for where in found))
