"""What the grammar of each command is made of. It imports nothing but argparse, as `arguments` says."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bertha_ir.cli.status import USAGE

STATUS = """\
exit status: 0 done; 1 the answer is no (mistakes found, out of date); 2 wrong usage; 3 not settled; 4 internal error"""


class Parser(argparse.ArgumentParser):
    """argparse with whole option names only, and errors of one line and a hint."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, the nearest word that is right, and where help is; exit with 2."""
        near = ""
        if found := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            from difflib import get_close_matches  # noqa: PLC0415  (a mistake may take longer than an answer)

            known = re.findall(r"'(.*?)'", found[2])
            near = "".join(f"did you mean `{word}`? " for word in get_close_matches(found[1], known, n=1))
        self.exit(USAGE, f"{self.prog}: error: {message}\nhint: {near}see `{self.prog} --help`\n")


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]  # noqa: SLF001  (argparse gives the type no public name)


def command(commands: Commands, name: str, summary: str, *examples: str, json: bool = True) -> Parser:
    """Add a command, with what its help says."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="examples:\n" + "".join(f"  {example}\n" for example in examples) + f"\n{STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if json:
        parser.add_argument("--json", action="store_true", help="answer in JSON (docs/json.md)")
    parser.add_argument("--traceback", action="store_true", help="show where an internal error happened")
    return parser


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
