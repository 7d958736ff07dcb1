"""The grammar of the commands about programs in this host's kernel, or in a switch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bertha_ir.cli.grammar import Parser, command, folder, positive

if TYPE_CHECKING:
    from bertha_ir.cli.grammar import Commands

    Places = argparse._MutuallyExclusiveGroup  # noqa: SLF001  (argparse gives the type no public name)


def _artifact(parser: Parser, nargs: str | None = None) -> None:
    parser.add_argument("folder", metavar="DIR", nargs=nargs, type=folder, help="a folder that `bertha compile` wrote")


def _switch(parser: Parser, place: Places | None = None) -> None:
    """Add which switch is meant, as an alternative in `place` if it is one there."""
    where = "over P4Runtime, the switch that listens there, in place of this host"
    (place or parser).add_argument("--switch", metavar="HOST:PORT", help=where)
    group = parser.add_argument_group("with --switch")
    group.add_argument("--device-id", metavar="N", type=_device, default=0, help="which device there (default: 0)")
    bid = "as which controller; of several, the highest is the one that may change things (default: 1)"
    group.add_argument("--election-id", metavar="N", type=_election, default=1, help=bid)
    waits = "how long an answer may take (default: 10)"
    group.add_argument("--timeout", metavar="SECONDS", type=positive, default=10.0, help=waits)
    trusts = "whom to trust, in PEM (default: the system's authorities)"
    group.add_argument("--tls-ca", metavar="FILE", type=Path, help=trusts)
    group.add_argument("--tls-cert", metavar="FILE", type=Path, help="who we are, in PEM, if the switch asks")
    group.add_argument("--tls-key", metavar="FILE", type=Path, help="the key of that")
    plain = "without TLS, which is the default on this host only"
    group.add_argument("--plain", action="store_true", help=plain)


def _device(text: str) -> int:
    return _below(text, 0, 64)


def _election(text: str) -> int:
    return _below(text, 1, 128)


def _below(text: str, least: int, bits: int) -> int:
    number = int(text)
    if not least <= number < 1 << bits:
        msg = f"a number from {least} to 2^{bits} - 1 is needed"
        raise argparse.ArgumentTypeError(msg)
    return number


def load(commands: Commands) -> None:
    """Put programs into the kernel, or into a switch."""
    parser = command(
        commands, "load", "load a device's programs into this host's kernel, or a switch, to stay",
        "bertha load build/kv --device h1 --interface eth0",
        "bertha load build/kv --device h1 --interface eth0 --mode generic --json",
        "bertha load build/new --replace build/kv --device h1 --interface eth0",
        "bertha load build/kv --device tor --switch 10.0.0.2:9559 --tls-ca ca.pem",
    )  # fmt: skip
    _artifact(parser)
    parser.add_argument("--device", metavar="NAME", required=True, help="the device of the site that this is")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--interface", metavar="NAME", help="where the stack's messages come and go")
    old = "an artifact whose programs there these replace, between two packets"
    parser.add_argument("--replace", metavar="DIR", type=folder, help=old)
    modes = "how XDP is attached: by the driver, in the kernel's own path, or whichever there is (default)"
    parser.add_argument("--mode", choices=("any", "native", "generic"), help=modes)
    _switch(parser, place)
    config = "with --switch: the program, compiled for it (default: by p4c-bm2-ss, for BMv2)"
    parser.add_argument("--config", metavar="FILE", type=Path, help=config)
    standby = "with --switch: the program that stands by, in place of those that the plan runs elsewhere"
    parser.add_argument("--standby", action="store_true", help=standby)
    over = "with --switch: replace what Bertha did not load, too"
    parser.add_argument("--take-over", action="store_true", help=over)


def unload(commands: Commands) -> None:
    """Take them off again."""
    parser = command(
        commands,
        "unload",
        "detach and remove what `bertha load` loaded; of a switch, its entries",
        "bertha unload build/kv",
        "bertha unload --all",
        "bertha unload build/kv --switch 10.0.0.2:9559 --tls-ca ca.pem",
    )
    _artifact(parser, nargs="?")
    parser.add_argument("--all", action="store_true", help="of all artifacts, also of those whose folder is gone")
    _switch(parser)


def stats(commands: Commands) -> None:
    """What they count and remember."""
    parser = command(
        commands, "stats", "show what loaded programs count and remember",
        "bertha stats build/kv",
        "bertha stats build/kv --seconds 10 --as-workload",
    )  # fmt: skip
    _artifact(parser)
    parser.add_argument("--seconds", metavar="N", type=positive, help="what is counted in this time, not since loading")
    workload = "as declarations, for `bertha plan`; programs count if compiled with `--pipeline measured`"
    parser.add_argument("--as-workload", action="store_true", help=workload)


def table(commands: Commands) -> None:
    """Their tables, while they run."""
    parser = command(
        commands, "table", "show and change the tables of loaded programs, while they run",
        "bertha table build/kv",
        "bertha table build/kv kv_firewall_deny --add 10.8.0.0/16 --remove 10.9.0.0/16",
        "bertha table build/kv stations --add 02:00:00:00:00:01=2 --switch 10.0.0.2:9559",
    )  # fmt: skip
    _artifact(parser)
    parser.add_argument("table", metavar="TABLE", nargs="?", help="the table to change, by its name in the list")
    entry = "an entry to add, or to replace: KEY, or KEY=VALUE (repeatable)"
    parser.add_argument("--add", metavar="ENTRY", action="append", default=[], help=entry)
    parser.add_argument("--remove", metavar="KEY", action="append", default=[], help="an entry to remove (repeatable)")
    _switch(parser)


def doctor(commands: Commands) -> None:
    """What the host has."""
    parser = command(
        commands, "doctor", "say what this host has for running artifacts, and what its kernel says of one",
        "bertha doctor", "bertha doctor build/kv --json",
    )  # fmt: skip
    _artifact(parser, nargs="?")


def registry(commands: Commands) -> None:
    """What is offered on the host."""
    parser = command(
        commands, "registry", "show what a registry of this host offers, or offer an offload while the command runs",
        "bertha registry /run/bertha.db", "bertha registry /run/bertha.db --watch",
        "bertha registry /run/bertha.db --offer card_tls --device nic --slots 64",
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", type=folder, help="the registry; `--offer` makes it if there is none")
    parser.add_argument("--watch", action="store_true", help="show it again whenever it changes")
    parser.add_argument("--offer", metavar="NAME", help="an implementation to offer, by its name")
    parser.add_argument("--device", metavar="NAME", help="with --offer: the device that has it")
    parser.add_argument("--slots", metavar="N", type=int, default=1, help="with --offer: for how many connections")
