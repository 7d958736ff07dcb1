"""`bertha targets`: list the backends and what they run, or check one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir import api
from bertha_ir.cli.output import say_json, summary, table
from bertha_ir.cli.status import DONE, NO, UsageError
from bertha_ir.cli.stream import say

if TYPE_CHECKING:
    import argparse


def run(parsed: argparse.Namespace) -> int:
    """Print each backend, the kinds of devices it is for and the roots of programs it takes; or what one breaks."""
    known = api.backends()
    if parsed.check is not None:
        return _check(parsed.check, as_json=parsed.json)
    if parsed.json:
        targets = [
            {"name": b.name, "summary": summary(type(b)), "kinds": list(b.kinds), "roots": list(b.roots)} for b in known
        ]
        say_json(ok=True, targets=targets)
    else:
        say(table([(b.name, f"on {', '.join(b.kinds)}", ", ".join(b.roots), summary(type(b))) for b in known]))
    return DONE


def _check(name: str, *, as_json: bool) -> int:
    from bertha_ir.backends.conformance import violations  # noqa: PLC0415  (only where it is wanted)

    known = {backend.name: backend for backend in api.backends()}
    if name not in known:
        message = f"no backend is called `{name}`"
        raise UsageError(message, f"backends: {', '.join(known)}")
    broken = violations(known[name])
    if as_json:
        say_json(ok=not broken, name=name, violations=list(broken))
    elif broken:
        say("".join(f"{text}\n" for text in broken))
    else:
        say(f"{name} keeps what a backend must keep\n")
    return NO if broken else DONE
