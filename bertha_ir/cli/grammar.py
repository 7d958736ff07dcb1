"""What the grammar of each command is made of. It imports nothing but argparse, as `arguments` says."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bertha_ir.cli.status import USAGE

STATUS = """\
exit status: 0 done; 1 the answer is no (mistakes found, out of date); 2 wrong usage; 3 not settled; 4 internal error"""


class Parser(argparse.ArgumentParser):
    """argparse with whole option names only, and errors of one line and a hint. `behind`: what the words behind `--`
    are called in the namespace, of a command that takes some.
    """

    behind: str | None = None

    def parse_known_args(  # type: ignore[override]  # argparse's own has overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Keep the words behind `--` from being read as the command's own."""
        words = list(sys.argv[1:] if args is None else args)
        rest: list[str] | None = None
        if self.behind is not None and "--" in words:
            at = words.index("--")
            words, rest = words[:at], words[at + 1 :]
        found, unknown = super().parse_known_args(words, namespace)
        if self.behind is not None:
            setattr(found, self.behind, rest)
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, the nearest word that is right, and where help is; exit with 2."""
        near = ""
        if found := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            from difflib import get_close_matches  # noqa: PLC0415  (a mistake may take longer than an answer)

            known = re.findall(r"'(.*?)'", found[2])
            near = "".join(f"did you mean `{word}`? " for word in get_close_matches(found[1], known, n=1))
        self.exit(USAGE, f"{self.prog}: error: {message}\nhint: {near}see `{self.prog} --help`\n")


if TYPE_CHECKING:
    from collections.abc import Sequence

    Commands = argparse._SubParsersAction[Parser]  # noqa: SLF001  (argparse gives the type no public name)


def command(
    commands: Commands, name: str, summary: str, *examples: str, json: bool = True, module: str | None = None
) -> Parser:
    """Add a command, with what its help says. `module`: the one of `bertha_ir.cli` that runs it, if not of its name."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="examples:\n" + "".join(f"  {example}\n" for example in examples) + f"\n{STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(module=module or name.replace("-", "_"))
    if json:
        parser.add_argument("--json", action="store_true", help="answer in JSON (docs/json.md)")
    parser.add_argument("--traceback", action="store_true", help="show where an internal error happened")
    return parser


def address(text: str) -> tuple[str, int]:
    """Read IP:PORT, an IPv4 address."""
    ip, _, port = text.rpartition(":")
    parts = ip.split(".")
    fine = len(parts) == 4 and all(p.isdecimal() and p.isascii() and int(p) < 256 for p in parts)  # noqa: PLR2004
    if not fine or not (port.isdecimal() and port.isascii() and int(port) < 1 << 16):
        msg = f"`{text}` is not IP:PORT, such as 127.0.0.1:4242"
        raise argparse.ArgumentTypeError(msg)
    return ".".join(str(int(p)) for p in parts), int(port)


def folder(text: str) -> Path:
    """Read the name of a folder."""
    if not text:
        msg = "the folder's name is empty"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)


def positive(text: str) -> float:
    """Read a number of seconds."""
    number = float(text)
    if not 0 < number < 1e6:  # noqa: PLR2004  (eleven days)
        msg = "a number of seconds above 0 is needed"
        raise argparse.ArgumentTypeError(msg)
    return number
