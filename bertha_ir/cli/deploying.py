"""The grammar of the commands about programs in this host's kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli.grammar import Parser, command, folder, positive

if TYPE_CHECKING:
    from bertha_ir.cli.grammar import Commands


def _artifact(parser: Parser, nargs: str | None = None) -> None:
    parser.add_argument("folder", metavar="DIR", nargs=nargs, type=folder, help="a folder that `bertha compile` wrote")


def load(commands: Commands) -> None:
    """Put programs into the kernel."""
    parser = command(
        commands, "load", "load a device's programs into this host's kernel, to stay, and attach them",
        "bertha load build/kv --device h1 --interface eth0",
        "bertha load build/kv --device h1 --interface eth0 --mode generic --json",
        "bertha load build/new --replace build/kv --device h1 --interface eth0",
    )  # fmt: skip
    _artifact(parser)
    parser.add_argument("--device", metavar="NAME", required=True, help="the host of the site that this one is")
    parser.add_argument("--interface", metavar="NAME", required=True, help="where the stack's messages come and go")
    old = "an artifact whose programs there these replace, between two packets"
    parser.add_argument("--replace", metavar="DIR", type=folder, help=old)
    modes = "how XDP is attached: by the driver, in the kernel's own path, or whichever there is (default)"
    parser.add_argument("--mode", choices=("any", "native", "generic"), default="any", help=modes)


def unload(commands: Commands) -> None:
    """Take them off again."""
    parser = command(
        commands,
        "unload",
        "detach and remove what `bertha load` loaded",
        "bertha unload build/kv",
        "bertha unload --all",
    )
    _artifact(parser, nargs="?")
    parser.add_argument("--all", action="store_true", help="of all artifacts, also of those whose folder is gone")


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
    )  # fmt: skip
    _artifact(parser)
    parser.add_argument("table", metavar="TABLE", nargs="?", help="the table to change, by its name in the list")
    entry = "an entry to add, or to replace: KEY, or KEY=VALUE (repeatable)"
    parser.add_argument("--add", metavar="ENTRY", action="append", default=[], help=entry)
    parser.add_argument("--remove", metavar="KEY", action="append", default=[], help="an entry to remove (repeatable)")


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
