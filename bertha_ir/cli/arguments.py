"""The command line's grammar. It imports nothing but argparse, so that `--help` and a wrong option answer at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bertha_ir import __version__
from bertha_ir.cli import deploying, running
from bertha_ir.cli.grammar import STATUS, Parser, command, folder, positive

if TYPE_CHECKING:
    from bertha_ir.cli.grammar import Commands


def make_parser() -> Parser:
    """Return the parser of `bertha`. The namespace's `command` names the module of `bertha_ir.cli` to run."""
    parser = Parser(
        prog="bertha",
        description="Compile Chunnel specifications to P4, eBPF C and Python.",
        epilog=STATUS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"bertha {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (
        _check, _compile, _verify, _plan, _schedule, _ir, _explain, _effects, _prove, _laws, _passes, _targets,
        _cost_models, _calibrate, deploying.load, deploying.unload, deploying.stats, deploying.table, deploying.doctor,
        deploying.registry, running.run, running.status,
    ):  # fmt: skip
        add(commands)
    return parser


def _files(parser: Parser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a .chunnel file")
    parser.add_argument(
        "--site", metavar="FILE", action="append", default=[], type=Path, help="a .chunnel file of the operator's site"
    )


def _building(parser: Parser) -> None:
    _files(parser)
    parser.add_argument("--stack", metavar="NAME", action="append", default=[], help="only this stack (repeatable)")
    parser.add_argument("--pipeline", metavar="TEXT", help="passes, or a pipeline's name, separated by commas")
    parser.add_argument("--cost-model", metavar="NAME", default="profile", help="what prices a plan (default: profile)")
    parser.add_argument("--no-verify", dest="verify", action="store_false", help="do not verify the IR after each pass")


def _check(commands: Commands) -> None:
    example = "bertha check examples/kv_shard/kv.chunnel --site examples/kv_shard/site.chunnel"
    _files(command(commands, "check", "report every mistake in a specification", example))


def _compile(commands: Commands) -> None:
    common = "bertha compile examples/kv_shard/kv.chunnel --site examples/kv_shard/site.chunnel"
    parser = command(
        commands,
        "compile",
        "write the artifact folder of a specification",
        f"{common} -o build/kv",
        f"{common} --check build/kv",
    )
    _building(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("-o", "--out", metavar="DIR", type=folder, help="the folder to write, whole or not at all")
    where.add_argument(
        "--check", metavar="DIR", type=folder, help="write nothing; say whether this folder is up to date"
    )


def _verify(commands: Commands) -> None:
    parser = command(
        commands,
        "verify",
        "check all that an artifact folder claims again",
        "bertha verify build/kv",
        "bertha verify build/kv --packets 10000 --seed 7 --no-assumptions --json",
    )
    parser.add_argument("folder", metavar="DIR", type=folder, help="a folder that `bertha compile` wrote")
    parser.add_argument(
        "--packets", metavar="N", type=_count, default=1000, help="messages to try in each stack (default: 1000)"
    )
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="which messages those are (default: 0)")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=positive, default=10.0, help="for each certificate (default: 10)"
    )
    refuse = "refuse what nobody has proved and messages' treatment rests on"
    parser.add_argument("--no-assumptions", dest="assumptions", action="store_false", help=refuse)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = "a number of messages is needed"
        raise argparse.ArgumentTypeError(msg)
    return number


def _schedule(commands: Commands) -> None:
    site = "examples/fleet/shop.chunnel examples/fleet/feed.chunnel --site examples/fleet/site.chunnel"
    parser = command(
        commands,
        "schedule",
        "share devices among the connections of many stacks",
        f"bertha schedule {site} --connections shop=600 --connections feed=800",
        f"bertha schedule {site} --connections shop=600 --objective max-min --json",
    )
    _files(parser)
    parser.add_argument("--cost-model", metavar="NAME", default="profile", help="what prices a plan (default: profile)")
    for name, what in (
        ("connections", "how many connections a stack has (default: 1)"),
        ("weight", "what a connection of a stack counts (default: 1)"),
        ("priority", "stacks of a higher priority are served first (default: 0)"),
    ):
        parser.add_argument(f"--{name}", metavar="STACK=N", action="append", default=[], help=what)
    parser.add_argument(
        "--objective",
        choices=("weighted", "priority", "max-min"),
        default="weighted",
        help="the weighted sum of latencies; that, by priority; or the worst slowdown (default: weighted)",
    )
    running = "what `bertha schedule --json` answered for what runs now"
    parser.add_argument("--current", metavar="FILE", type=Path, help=running)
    threshold = "what runs stays unless moving it gains this share, in percent (default: 0)"
    parser.add_argument("--threshold", metavar="PERCENT", type=float, default=0.0, help=threshold)
    limit = "give the best that is found by then (default: 60)"
    parser.add_argument("--timeout", metavar="SECONDS", type=positive, default=60.0, help=limit)


def _plan(commands: Commands) -> None:
    common = "bertha plan examples/kv_shard/kv.chunnel --site examples/kv_shard/site.chunnel"
    parser = command(
        commands,
        "plan",
        "say what would run where, why, and at what cost",
        common,
        f"{common} --json",
        f"{common} --html plan.html --svg plan.svg --dot plan.dot",
        f"{common} --what-if 'policy {{ prefer shard on [tor]; }}'",
        f"{common} --next",
    )
    _building(parser)
    other = (
        "what the plan becomes with these declarations of a site in place of its own, or added (repeatable: together)"
    )
    parser.add_argument("--what-if", metavar="TEXT", action="append", default=[], help=other)
    relaxed = "what would make the plan better: each limit of the site left out in turn"
    parser.add_argument("--next", action="store_true", help=relaxed)
    parser.add_argument("--svg", metavar="FILE", type=_file, help="a drawing, too: as written above as planned")
    parser.add_argument("--dot", metavar="FILE", type=_file, help="the same as a graph for Graphviz")
    parser.add_argument("--html", metavar="FILE", type=_file, help="all of it as one page that needs nothing else")


def _file(text: str) -> Path:
    if not text:
        msg = "the file's name is empty"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)


def _ir(commands: Commands) -> None:
    common = "bertha ir examples/kv_shard/kv.chunnel --site examples/kv_shard/site.chunnel"
    parser = command(
        commands, "ir", "print the intermediate form of a stage", f"{common} --stage plan", f"{common} --after expand"
    )
    _building(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    stages = "stack: as resolved and typed; plan: placed; program: lowered, one for each device"
    what.add_argument("--stage", choices=("stack", "plan", "program"), help=stages)
    what.add_argument("--after", metavar="PASS", help="the form after this pass")


def _explain(commands: Commands) -> None:
    parser = command(
        commands, "explain", "explain an error code, or list them all", "bertha explain CH401", "bertha explain"
    )
    parser.add_argument("code", metavar="CODE", nargs="?", help="such as CH401")


def _named_files(parser: Parser) -> None:
    help_ = "a .chunnel file with names that are used"
    parser.add_argument("--file", metavar="FILE", action="append", default=[], type=Path, help=help_)


def _effects(commands: Commands) -> None:
    parser = command(
        commands,
        "effects",
        "say what handlers read, write, remember, drop and send",
        "bertha effects",
        "bertha effects 'encrypt(secret(\"k\")) |> http2' 'count(by = ipv4.dscp)'",
        "bertha effects 'shard(KvRequest.key, [s0, s1])' --file examples/kv_shard/kv.chunnel --json",
    )
    parser.add_argument("chains", metavar="CHAIN", nargs="*", help="uses of chunnels (default: the whole library)")
    _named_files(parser)


def _bytes(text: str) -> int:
    number = int(text)
    if number < 0:
        msg = "a number of bytes is needed"
        raise argparse.ArgumentTypeError(msg)
    return number


def _proving(parser: Parser) -> None:
    _named_files(parser)
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=positive, default=2.0, help="for each question (default: 2)"
    )
    parser.add_argument(
        "--max-size", metavar="BYTES", type=_bytes, help="the payload that the link below carries at most"
    )
    parser.add_argument("--below", metavar="NAMES", help="the guarantees of what is below: `ordered,reliable`, or ``")
    parser.add_argument("--no-cache", action="store_true", help="ask everything anew, and remember nothing")


def _prove(commands: Commands) -> None:
    parser = command(
        commands,
        "prove",
        "prove that chunnels may trade places, or show the message that says no",
        "bertha prove 'count(by = ipv4.dscp)' 'firewall(deny = [10.0.0.0/8])'",
        "bertha prove 'encrypt(secret(\"k\"))' http2 --equivalence end-to-end",
        "bertha prove --all",
        "bertha prove --rule compress_twice --file rules.chunnel",
    )
    parser.add_argument("chains", metavar="CHAIN", nargs="*", help="two chains: may `A |> B` become `B |> A`?")
    parser.add_argument(
        "--equivalence", choices=("wire", "end-to-end"), default="wire",
        help="wire: for whoever looks at the wire (default); end-to-end: both ends change together",
    )  # fmt: skip
    parser.add_argument("--rule", metavar="NAME", help="prove a rule of a --file instead")
    parser.add_argument("--all", action="store_true", help="every pair of the library's chunnels instead")
    parser.add_argument("--markdown", action="store_true", help="with --all: as a page")
    _proving(parser)


def _laws(commands: Commands) -> None:
    parser = command(
        commands, "laws", "check the laws that chunnels state of themselves", "bertha laws", "bertha laws compress"
    )
    parser.add_argument("chains", metavar="CHAIN", nargs="*", help="chunnels to check (default: the whole library)")
    _proving(parser)


def _passes(commands: Commands) -> None:
    command(commands, "passes", "list the passes and the pipelines", "bertha passes", "bertha passes --json")


def _targets(commands: Commands) -> None:
    parser = command(
        commands, "targets", "list the backends and what they run, or check one", "bertha targets",
        "bertha targets --check ebpf",
    )  # fmt: skip
    parser.add_argument("--check", metavar="NAME", help="say what this one breaks of what a backend must keep")


def _cost_models(commands: Commands) -> None:
    parser = command(
        commands,
        "cost-models",
        "list cost models and profiles, check a model, or try a profile on this host",
        "bertha cost-models",
        "bertha cost-models --check ./mine.py:MyModel",
        "bertha cost-models --profile bluefield-2",
        "bertha cost-models --validate --profile here.toml --svg errors.svg",
    )
    parser.add_argument("--profile", metavar="NAME", help="a profile's figures; a path, if it ends in .toml")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", metavar="NAME", help="say what this one breaks of what a cost model must keep")
    what.add_argument("--profiles", action="store_true", help="list the profiles, and how sure their figures are")
    what.add_argument("--validate", action="store_true", help="compare what a profile says with what is measured here")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="with --validate: a drawing, too")
    parser.add_argument("--quick", action="store_true", help="with --validate: less exact, in seconds")


def _calibrate(commands: Commands) -> None:
    parser = command(
        commands, "calibrate", "measure this host and write its profile", "bertha calibrate -o here.toml --quick"
    )
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, help="the profile (default: standard output)")
    parser.add_argument("--quick", action="store_true", help="less exact, in seconds")
