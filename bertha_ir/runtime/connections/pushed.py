"""Where a client's datagrams go: to the service, or, when the server has left that to its clients, wherever a program
of the path says that the client then runs itself, with the server's tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.runtime.artifact import ArtifactError
from bertha_ir.runtime.state import refill
from bertha_ir.runtime.udp import address, endpoint

if TYPE_CHECKING:
    from bertha_ir.runtime.connections.link import Link
    from bertha_ir.runtime.connections.ways import Way
    from bertha_ir.runtime.negotiation.wire import Push
    from bertha_ir.runtime.udp import Address, Run


class Pushed:
    """The way of a lane's datagrams. `number` is that of the server's last push, 0 before there is one; `peers` are
    the addresses from which answers may come.
    """

    def __init__(self, way: Way, service: Address, link: Link) -> None:
        self._way, self._service, self._link = way, service, link
        self._local, self._named = endpoint(link.local), way.service
        self._run: Run | None = None
        self.number = 0
        self.peers = {service}

    def send(self, data: bytes) -> None:
        """Send a message where it belongs; nothing, if the program drops it."""
        if self._run is None:
            self._link.send(data, self._service)
            return
        verdict, data, _, towards = self._run(data, self._local, self._named)
        if verdict == "pass":
            where = self._service if towards == self._named else address(towards)
            self.peers.add(where)
            self._link.send(data, where)

    def take(self, push: Push) -> bool:
        """Use what was pushed from now on, unless a newer one was; return whether it can be used. An empty name ends
        the use of the one before.
        """
        if push.number <= self.number:
            return True
        run = self._loaded(push) if push.program else None
        if push.program and run is None:
            return False
        self._run, self.number = run, push.number
        return True

    def _loaded(self, push: Push) -> Run | None:
        program = self._way.on_path("request")
        if program is None or program.name != push.program or not program.movable:
            return None
        try:
            module = self._way.artifact.module(program.name)
        except ArtifactError:
            return None
        tables = getattr(module, "TABLES", {})
        if push.tables.keys() != tables.keys():
            return None
        for name, (kind, table) in tables.items():
            if not refill(kind, table, push.tables[name]):
                return None
        run: Run = module.run
        return run
