"""`bertha`: parses the command line, runs the command's module, and turns whatever happens into an exit status."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from bertha_ir.cli import status, stream
from bertha_ir.cli.arguments import make_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


EXTRAS = {
    "cryptography": "codecs", "zstandard": "codecs", "cbor2": "runtime", "finsy": "p4", "grpc": "p4",
    "ortools": "search", "cvc5": "second",
}  # fmt: skip
"""Libraries that are no requirement, by the extra that installs them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, which `bertha_ir.cli.status` lists.

    As argparse does, `--help`, `--version` and wrong options raise `SystemExit`.
    """
    stream.prepare()
    try:
        try:
            return _run(make_parser().parse_args(arguments))
        finally:
            stream.flush()
    except KeyboardInterrupt:
        return status.INTERRUPTED
    except stream.OutputError as error:
        stream.discard(error.stream)
        if isinstance(error.__cause__, BrokenPipeError):
            return status.CLOSED_PIPE
        if error.stream is sys.stdout:
            stream.complain(f"bertha: error: the answer cannot be written: {error.__cause__}\n")
        return status.NO


def _run(parsed: argparse.Namespace) -> int:
    try:
        code: int = import_module(f"bertha_ir.cli.{parsed.module}").run(parsed)
    except stream.OutputError:
        raise
    except status.UsageError as error:
        stream.complain(f"bertha {parsed.command}: error: {error.message}\nhint: {error.hint}\n")
        return status.USAGE
    except Exception as error:  # noqa: BLE001  (the last resort: whatever happens, one line and a status)
        return _failed(error, parsed)
    return code


def _failed(error: Exception, parsed: argparse.Namespace) -> int:
    """Report the mistakes in what was compiled, or an internal error."""
    from bertha_ir.cli.output import report  # noqa: PLC0415  (start-up time: only a failure needs these)
    from bertha_ir.diagnostics import BerthaError  # noqa: PLC0415

    if isinstance(error, BerthaError):
        report(error.diagnostics, as_json=parsed.json)
        return status.NO
    if isinstance(error, ModuleNotFoundError) and (extra := EXTRAS.get((error.name or "").partition(".")[0])):
        stream.complain(
            f"bertha {parsed.command}: error: this needs the library `{error.name}`, which is not installed\n"
            f"hint: pip install 'bertha-ir[{extra}]'\n"
        )
        return status.USAGE
    if parsed.traceback:
        stream.complain("".join(import_module("traceback").format_exception(error)))
    text = " ".join(f"{type(error).__name__}: {error}".split())
    stream.complain(f"internal error: {text}, please report; run with --traceback to see it\n")
    return status.INTERNAL
