"""The ports of switches, as links give them: there, each once, and such as the switch can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.passes.codes import CH213SwitchPort
from bertha_ir.passes.topology import port_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bertha_ir.diagnostics import Collector
    from bertha_ir.passes.base import Context
    from bertha_ir.passes.topology import Path
    from bertha_ir.spec import Device, Link, Site


def check_ports(
    site: Site, paths: Collection[Path], programmed: Collection[str], context: Context, collector: Collector
) -> None:
    """Report ports that a switch of the site cannot have or that two of its links share, and links of a switch in
    `programmed` that a path takes and that give none: it would not know where to send a frame.
    """
    for switch in (d for d in site.devices if d.kind == "switch"):
        links = [link for link in site.links if switch.name in (link.a, link.b)]
        _check_given(switch, links, context, collector)
        if switch.name in programmed:
            taken = {id(link) for path in paths for link in path.links}
            _check_missing(switch, (link for link in links if id(link) in taken), collector)


def _check_given(switch: Device, links: Iterable[Link], context: Context, collector: Collector) -> None:
    target = context.targets.get(switch.kind)
    first: dict[int, Link] = {}
    for link in links:
        attribute = next((a for a in link.attributes if a.name == "port"), None)
        number = port_of(link)
        if number is None or attribute is None:
            continue
        if target is not None and (problem := target.check_port(number, attribute.span)):
            collector.found.append(problem)
        other = first.setdefault(number, link)
        if other is not link:
            collector.add(
                CH213SwitchPort,
                f"port {number} of `{switch.name}` has two links: to `{_peer(other, switch)}` and to "
                f"`{_peer(link, switch)}`",
                attribute.span,
                "give each link of a switch a port of its own",
            )


def _check_missing(switch: Device, links: Iterable[Link], collector: Collector) -> None:
    for link in links:
        if port_of(link) is None:
            collector.add(
                CH213SwitchPort,
                f"the link to `{_peer(link, switch)}` does not say which port of `{switch.name}` it is at",
                link.span,
                "add `port 1;`, with the number of the port, to the link",
            )


def _peer(link: Link, switch: Device) -> str:
    return link.b if link.a == switch.name else link.a
