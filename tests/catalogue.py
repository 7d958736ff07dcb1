"""The catalogue of real chains: its folders, each compiled once a run, and frames for the programs made of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from attrs import evolve
from project import ROOT

from bertha_ir import api
from bertha_ir.interpreter.frame import Framing, ways
from bertha_ir.interpreter.stack import View
from bertha_ir.interpreter.traffic import Chance, constants, strangers
from bertha_ir.message import Fixed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bertha_ir.interpreter.packet import Endpoint
    from bertha_ir.plan import Plan
    from bertha_ir.program import DeviceProgram

FOLDER = ROOT / "examples" / "catalogue"
CHAINS = sorted(path.parent for path in FOLDER.glob("*/site.chunnel"))
NETWORK = {"ethernet", "vlan", "ipv4", "ipv6", "udp", "tcp"}
# What most real messages have, and few that chance makes.
USUAL = {
    "Call": (("role", 2), ("user", 7)),
    "DnsQuery": (("response", 0), ("opcode", 0)),
    "Ipfix": (("version", 10),),
    "Ntp": (("version", 4), ("mode", 3)),
    "Operation": (("session", 1),),
    "Tenanted": (("tenant", 7), ("plan", 0)),
    "vxlan": (("vni", 5001),),
}
NAMES = [folder.name for folder in CHAINS]


def files_of(name: str) -> list[Path]:
    """The chain and its site."""
    return [FOLDER / name / f"{name}.chunnel", FOLDER / name / "site.chunnel"]


@cache
def built(name: str) -> api.Compiled:
    """A compiled chain."""
    return api.build(files_of(name))


@cache
def undelayed(name: str) -> Plan | None:
    """The plan of a chain whose links have no delays, which would hide what it gains; None when they have none."""
    specification = built(name).specification
    links = tuple(
        evolve(link, attributes=tuple(a for a in link.attributes if a.name != "delay"))
        for link in specification.site.links
    )
    if links == specification.site.links:
        return None
    (plan,) = api.build_from(evolve(specification, site=evolve(specification.site, links=links))).plans
    return plan


def frames(name: str, program: DeviceProgram, count: int) -> Iterator[bytes]:
    """Requests and answers of a chain, of which some are tagged, of another service, or cut; made of the constants of a
    program, so that its conditions meet.
    """
    compiled, chance = built(name), Chance(7, constants((program,)))
    (plan,) = compiled.plans
    layouts = {m.name: m for m in compiled.specification.messages}
    transport = next(i.chunnel.transport for i in compiled.specification.stacks[0].directions[0].instances[::-1])
    rows = [row for row in ways(layouts, transport) if "ipv4" in row]
    service = plan.service
    clients = [chance.endpoint() for _ in range(24)]
    undone = (t for t in program.tables if [key.width for key in t.keys] == [32, 16])
    servers = [service, *(x.match for table in undone for x in table.entries)]
    for _ in range(count):
        framing = Framing(layouts, transport, chance.rng.choice(rows))
        client = clients[0] if chance.some(0.5) else chance.rng.choice(clients)
        ends: list[Endpoint] = [client, service]
        if chance.some(0.4):
            ends = [chance.rng.choice(servers), client]
        payload = chance.payload(_views(program, framing))
        frame = framing.build(*ends, payload, chance.given(framing))
        yield frame
        if chance.some(0.1):
            yield from (other.ljust(14, b"\0") for other in strangers(frame, framing, frozenset(), chance))


def _views(program: DeviceProgram, framing: Framing) -> tuple[View, ...]:
    """Where the headers lie that a program looks for behind those of the network, and what they must hold."""
    found: list[View] = []
    for header in (h for h in program.headers if h.name not in NETWORK):
        demanded = framing.messages[header.name].rules(Fixed)
        fixed = tuple((f.name, f.rule.value) for f in demanded if isinstance(f.rule, Fixed)) + USUAL.get(
            header.name, ()
        )
        found.append(View(header, sum(v.header.size for v in found), fixed))
    return tuple(found)
