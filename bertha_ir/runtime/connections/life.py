"""What an end starts for a plan before data flows, and ends after it: kernel programs, claims, commands.

Everything is started in order and ended in reverse, also when a later step fails; each at most once. What a process
leaves behind when it is killed ends by itself: links to kernel programs go with their owner, claims with their lease.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import socket
import subprocess
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertha_ir.runtime import ebpf
from bertha_ir.runtime.libbpf import EbpfError
from bertha_ir.runtime.registry.base import RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.runtime.artifact import Offload, Program
    from bertha_ir.runtime.connections.ways import Role, Way
    from bertha_ir.runtime.links import XdpMode
    from bertha_ir.runtime.registry.base import Held, Registry
    from bertha_ir.runtime.udp import Run

LEASE = 10.0  # seconds
COMMAND = 30.0  # seconds that a command of an offload may take
log = logging.getLogger(__name__)


class WayError(Exception):
    """A plan cannot be started here; says why in one line."""


@dataclass(frozen=True)
class Host:
    """What a process may use of its host: the `interface` to attach kernel programs to, the `registry` in which other
    devices' programs are offered, and whether `commands` that offloads bring may be run. Nothing, by default: what then
    cannot be started is done in the process.
    """

    interface: str | None = None
    registry: Registry | None = None
    commands: bool = False
    xdp: XdpMode = "any"


@dataclass
class Running:
    """A plan that was started. `run`: what is done on the path, where that is in this process; `movable`: the program
    that clients may run in its place, with its `tables`; `offloads`: those that were started; `claims`: programs on
    other devices of which a slot is claimed. `lost` is set when a claim of it ended, and what it was for must no longer
    be used.
    """

    way: Way
    role: Role
    text: str = ""
    run: Run | None = None
    movable: str | None = None
    tables: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    in_kernel: bool = False
    offloads: set[str] = field(default_factory=set)
    claims: list[Program] = field(default_factory=list)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    _ending: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def end(self) -> None:
        """End all of it, in reverse; may be called again."""
        await self._ending.aclose()


async def start(way: Way, role: Role, host: Host) -> Running:
    """Start what a plan needs at one end. `WayError` when something cannot be started and nothing stands by for it;
    what had been started until then is ended.
    """
    running = Running(way, role)
    standby = way.on_path("request") if role == "server" else None
    async with AsyncExitStack() as ending:
        needed = (*way.in_kernel(role), *(way.elsewhere() if role == "server" else ()))
        missing = await _devices(needed, host, running, ending)
        if missing and not (standby and {p.name for p in needed} <= {*standby.replaces}):
            raise WayError(missing)
        for offload in way.offloads(role) if host.commands else ():
            await _commanded(offload, ending)
            running.offloads.add(offload.name)
        if standby is not None:
            _stood_by(running, standby, here=standby.active or missing is not None)
        running.text = _said(way, running, missing)
        log.info("a plan is started: %s", running.text, extra={"plan": way.id.hex()})
        running._ending = ending.pop_all()  # noqa: SLF001  (its own module's)
    return running


def _stood_by(running: Running, standby: Program, *, here: bool) -> None:
    """Have the program of the path at hand that runs in a process: here, or at clients."""
    module = running.way.artifact.module(standby.name)
    if here:
        running.run = module.run
    if standby.movable:
        running.movable, running.tables = standby.name, getattr(module, "TABLES", {})


def _said(way: Way, running: Running, missing: str | None) -> str:
    where = "in the kernel" if running.in_kernel else "in the process" if running.run else "as planned"
    return f"{way.name}, {where}" + (f": {missing}" if missing else "")


async def _devices(needed: tuple[Program, ...], host: Host, running: Running, ending: AsyncExitStack) -> str | None:
    """Start programs of devices, all or none; return why they cannot be, or None."""
    async with AsyncExitStack() as one:
        for program in needed:
            try:
                if program.device == running.way.host(running.role):
                    await _kernel(program, host, running, one)
                else:
                    await _claimed(program, host, running, one)
            except (EbpfError, RegistryError, OSError) as error:
                return str(error)
        running.in_kernel = any(program.backend == "ebpf" for program in needed)
        await ending.enter_async_context(one.pop_all())
    return None


async def _kernel(program: Program, host: Host, running: Running, ending: AsyncExitStack) -> None:
    if host.interface is None:
        msg = "no interface was given for kernel programs"
        raise EbpfError(msg)
    index = socket.if_nametoindex(host.interface)
    ending.push_async_callback(
        asyncio.to_thread, (await asyncio.to_thread(_attached, program, running, index, host)).close
    )


def _attached(program: Program, running: Running, index: int, host: Host) -> ebpf.Object:
    """Compile, load and attach a program; the link ends with its owner."""
    folder = running.way.artifact.folder
    (source,) = (f for f in program.files if f.endswith(".bpf.c"))
    (maps,) = (f for f in program.files if f.endswith(".maps.json"))
    for path in (source, maps):
        running.way.artifact.read(path)  # it is what was compiled
    with tempfile.TemporaryDirectory() as built:
        made = ebpf.Object(ebpf.build(folder / source, Path(built)), folder / maps)
    try:
        made.attach(index, mode=host.xdp)
    except BaseException:
        made.close()
        raise
    return made


async def _claimed(program: Program, host: Host, running: Running, ending: AsyncExitStack) -> None:
    """Claim a slot of a program on another device, and keep it."""
    registry = host.registry
    if registry is None:
        msg = f"no registry was given, in which `{program.name}` on {program.device} is offered"
        raise RegistryError(msg)
    offers = await asyncio.to_thread(registry.offers, program.name)
    found = next((o for o in offers if o.offer.device == program.device), None)
    held = await asyncio.to_thread(registry.claim, found.id, LEASE) if found else None
    if held is None:
        msg = f"nobody offers `{program.name}` on {program.device}, or all of it is claimed"
        raise RegistryError(msg)
    keeping = asyncio.create_task(_kept(registry, held, running))
    ending.push_async_callback(_given_back, registry, held, keeping)
    running.claims.append(program)
    ending.callback(running.claims.remove, program)


async def _kept(registry: Registry, held: Held, running: Running) -> None:
    """Renew a claim until it ends; what could not be renewed for a whole lease is lost."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LEASE
    while loop.time() < until:
        await asyncio.sleep(LEASE / 4)
        try:
            if not await asyncio.to_thread(registry.renew, held, LEASE):
                break
            until = loop.time() + LEASE
        except RegistryError as error:
            log.warning("a claim could not be renewed: %s", error)
    running.lost.set()


async def _given_back(registry: Registry, held: Held, keeping: asyncio.Task[None]) -> None:
    keeping.cancel()
    try:
        await asyncio.to_thread(registry.release, held)
    except RegistryError as error:
        log.warning("a claim ends with its lease: %s", error)


async def _commanded(offload: Offload, ending: AsyncExitStack) -> None:
    """Run what an offload's maker says that starts it."""
    if offload.teardown is not None:
        ending.push_async_callback(_ended, offload)
    if offload.init is not None:
        await asyncio.to_thread(_run, offload.init, offload.name)


async def _ended(offload: Offload) -> None:
    try:
        await asyncio.to_thread(_run, str(offload.teardown), offload.name)
    except WayError as error:
        log.warning("%s", error)


def _run(command: str, name: str) -> Any:  # noqa: ANN401
    try:
        done = subprocess.run(  # noqa: S603  (the operator has allowed it)
            shlex.split(command), capture_output=True, text=True, timeout=COMMAND, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        msg = f"`{command}` of the offload `{name}` failed: {error}"
        raise WayError(msg) from error
    if done.returncode:
        msg = f"`{command}` of the offload `{name}` ended with {done.returncode}: {done.stderr.strip()[:200]}"
        raise WayError(msg)
    return None
