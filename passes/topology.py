"""The devices between the two ends of a stack, in order, from the site's links."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.passes.codes import CH204EndNotPlaced, CH205NoPath

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.plan import Hook
    from bertha_ir.spec import Device, DeviceKind, Link, Site, Stack


@frozen
class Stop:
    """A device on the path, and where in it a request passes. `name` is as the site says it: `kernel(h1)`.

    `host` is the machine it is part of, `device` the declaration that holds its attributes, None without a site.
    """

    name: str
    kind: DeviceKind
    host: str
    device: Device | None
    request: Hook
    response: Hook


@frozen
class Path:
    """The stops between the first end of a stack and the second, both ends' processes included, and the links."""

    stops: tuple[Stop, ...]
    links: tuple[Link, ...] = ()

    @property
    def hosts(self) -> tuple[str, str]:
        """The devices that run the two ends."""
        return self.stops[0].host, self.stops[-1].host


def path_of(stack: Stack, site: Site, collector: Collector) -> Path | None:
    """Return the path of a stack; None after reporting why there is none.

    Without a site each end is a host of its own name, and nothing is known of what lies between.
    """
    if not site.devices:
        return Path(tuple(_process(end, None) for end in stack.ends))
    client, server = (_host_of(stack, end, site, collector) for end in stack.ends)
    if client is None or server is None:
        return None
    if client.name == server.name:
        return Path((_process(client.name, client), _process(server.name, server)))
    return _between(stack, client, server, site, collector)


def _host_of(stack: Stack, end: str, site: Site, collector: Collector) -> Device | None:
    name = next((r.device for r in site.runs if (r.stack, r.end) == (stack.name, end)), None)
    if name is None:
        collector.add(
            CH204EndNotPlaced,
            f"the site does not say where `{stack.name}.{end}` runs",
            stack.span,
            f"add `run {stack.name}.{end} on DEVICE;` to the site",
        )
    return next((d for d in site.devices if d.name == name), None)


def _between(stack: Stack, client: Device, server: Device, site: Site, collector: Collector) -> Path | None:
    import networkx as nx  # noqa: PLC0415  (120 ms, and only a site needs it)

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(d.name for d in site.devices)
    graph.add_edges_from((link.a, link.b) for link in site.links)
    if not nx.has_path(graph, client.name, server.name):
        collector.add(
            CH205NoPath,
            f"no links connect `{client.name}` and `{server.name}`, which run the ends of `{stack.name}`",
            stack.span,
            "add the missing `link` to the site",
        )
        return None
    names = nx.shortest_path(graph, client.name, server.name)
    devices = {d.name: d for d in site.devices}
    inside = [Stop(n, devices[n].kind, n, devices[n], "pipeline", "pipeline") for n in names[1:-1]]
    stops = (
        _process(client.name, client),
        Stop(f"kernel({client.name})", "kernel", client.name, client, "egress", "ingress"),
        *inside,
        Stop(f"kernel({server.name})", "kernel", server.name, server, "ingress", "egress"),
        _process(server.name, server),
    )
    return Path(stops, tuple(_link(a, b, site) for a, b in pairwise(names)))


def _process(name: str, device: Device | None) -> Stop:
    return Stop(name, "host", name, device, "process", "process")


def _link(a: str, b: str, site: Site) -> Link:
    return next(link for link in site.links if {link.a, link.b} == {a, b})


def ports_through(switch: str, path: Path) -> tuple[tuple[int, int], ...]:
    """Return the (in, out) ports of a switch for both ways of a path, as far as its links give `port`."""
    ports = [p for link in path.links if switch in (link.a, link.b) for p in [port_of(link)] if p is not None]
    return ((ports[0], ports[1]), (ports[1], ports[0])) if len(ports) == 2 else ()  # noqa: PLR2004  (in and out)


def port_of(link: Link) -> int | None:
    """Return the number of the switch's port that a link is at; None when it gives none."""
    value = next((a.value for a in link.attributes if a.name == "port"), None)
    return value if isinstance(value, int) else None
