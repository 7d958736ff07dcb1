"""`bertha registry`: show what a registry of this host offers, or offer an offload as long as the command runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, NO, UsageError
from bertha_ir.cli.stream import complain, flush, say
from bertha_ir.runtime.registry.base import Offer, RegistryError
from bertha_ir.runtime.registry.sqlite import SqliteRegistry

if TYPE_CHECKING:
    import argparse

    from bertha_ir.runtime.registry.base import Offered, Registry

LEASE = 10.0  # seconds; renewed three times as often


def run(parsed: argparse.Namespace) -> int:
    """List offers, follow them, or make one and keep it."""
    if parsed.offer is None and not parsed.file.exists():
        message = f"there is no registry `{parsed.file}`"
        raise UsageError(message, "name a file that `--offer` has made")
    try:
        with SqliteRegistry(parsed.file) as registry:
            if parsed.offer is not None:
                return _offer(parsed, registry)
            _show(registry, as_json=parsed.json)
            if parsed.watch:
                _follow(registry, as_json=parsed.json)
    except RegistryError as error:
        complain(f"bertha registry: error: {error}\n")
        return NO
    return DONE


def _offer(parsed: argparse.Namespace, registry: Registry) -> int:
    if parsed.device is None:
        message = "an offload is on a device"
        raise UsageError(message, "give --device NAME")
    held = registry.offer(Offer(parsed.offer, parsed.device, parsed.slots), LEASE)
    say(f"offering {parsed.offer} on {parsed.device}, {parsed.slots} slots, until interrupted\n")
    flush()
    try:
        while registry.renew(held, LEASE):
            time.sleep(LEASE / 3)
    finally:
        registry.release(held)
    complain("bertha registry: error: the offer ended: it was not renewed in time\n")
    return NO


def _follow(registry: Registry, *, as_json: bool) -> None:
    seen = registry.version()
    while True:
        last = registry.wait(seen, LEASE)
        if last > seen:
            _show(registry, as_json=as_json)
        seen = last


def _show(registry: Registry, *, as_json: bool) -> None:
    found = registry.offers()
    if as_json:
        say_json(ok=True, offers=[_data(row) for row in found])
    elif found:
        head = ("offload", "device", "free", "slots", "ends in")
        rows = [(o.offer.name, o.offer.device, str(o.free), str(o.offer.slots), f"{o.seconds:.0f} s") for o in found]
        say(table([head, *rows]))
    else:
        say("nothing is offered\n")
    flush()


def _data(row: Offered) -> dict[str, object]:
    offer = row.offer
    return {
        "name": offer.name, "device": offer.device, "slots": offer.slots, "free": row.free, "seconds": row.seconds
    }  # fmt: skip
