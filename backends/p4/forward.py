"""Where a frame goes once it passed: a switch has ports, of which a device program knows nothing.

`stations` (by the frame's destination address) is asked first; a controller fills it at run time. Then `patch` (by the
port the frame came in), which makes the switch a wire between two ports; its entries come from the site's links. A
frame that neither knows is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bertha_ir.backends.p4.layout import METADATA, PIPELINE, Layout
from bertha_ir.backends.p4.model import PORT_WIDTH, Action, Catalogue, Key, Row, TableSite
from bertha_ir.types import U48

if TYPE_CHECKING:
    from bertha_ir.backends.base import Unit
    from bertha_ir.backends.p4.names import Names

STATIONS, PORTS = 4096, 512
DESTINATION = "dst"


@frozen
class Forwarding:
    """The tables that choose a port. `first`: the condition that the frame's first header was parsed."""

    patch: TableSite
    stations: TableSite | None
    first: str

    @classmethod
    def of(cls, unit: Unit, layout: Layout, names: Names, catalogue: Catalogue) -> Forwarding:
        """Add the tables. Programs whose first header has no 48-bit `dst` have no `stations`."""

        def action(name: str, params: tuple[tuple[str, int], ...], *body: str) -> Action:
            return catalogue.action(Action(PIPELINE, names.fresh(name), params, body))

        send = action("send", (("port", PORT_WIDTH),), f"{METADATA}.egress_spec = port;")
        discard = action("discard", (), f"mark_to_drop({METADATA});")
        first, stations = next(iter(unit.program.parser), None), None
        if first and any(f.name == DESTINATION and f.type == U48 for f in unit.program.header(first.header).fields):
            key = (Key(layout.field(first.header, DESTINATION), U48.width, "exact"),)
            table, unknown = names.fresh("stations"), action("unknown_station", ())
            stations = catalogue.table(TableSite(PIPELINE, table, key, (send, discard), unknown, STATIONS, ()))
        key = (Key(f"{METADATA}.ingress_port", PORT_WIDTH, "exact"),)
        wires, table = _wires(unit.ports), names.fresh("patch")
        patch = catalogue.table(TableSite(PIPELINE, table, key, (send, discard), discard, PORTS, wires))
        return cls(patch, stations, layout.valid((first.header,)) if first else "")

    @property
    def sites(self) -> tuple[TableSite, ...]:
        """The tables, in the order in which they are asked."""
        return (self.stations, self.patch) if self.stations else (self.patch,)

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions of the tables, each once."""
        return tuple(dict.fromkeys(action for site in self.sites for action in (*site.actions, site.miss)))

    def steps(self) -> tuple[str, ...]:
        """Return the statements that send the frame off."""
        if self.stations is None:
            return (f"{self.patch.name}.apply();",)
        return (
            f"if (!{self.first} || !{self.stations.name}.apply().hit) {{",
            f"    {self.patch.name}.apply();",
            "}",
        )


def _wires(ports: tuple[tuple[int, int], ...]) -> tuple[Row, ...]:
    """Return the entries of `patch`. A port that leads to several others has none: which one, `stations` must say."""
    ways = dict(ports)
    return tuple(
        Row(((came,),), (goes,)) for came, goes in ways.items() if all(g == goes for c, g in ports if c == came)
    )
