"""What the commands about loaded programs share."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from bertha_ir.cli.status import NO
from bertha_ir.cli.stream import complain
from bertha_ir.runtime.artifact import ArtifactError
from bertha_ir.runtime.libbpf import EbpfError
from bertha_ir.runtime.p4runtime.target import P4RuntimeError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bertha_ir.runtime.pinned import Loaded


def refusing(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Let a command say in one line what the kernel, a switch or an artifact refuses."""

    @wraps(run)
    def refused(parsed: argparse.Namespace) -> int:
        try:
            return run(parsed)
        except (EbpfError, P4RuntimeError, ArtifactError) as error:
            complain(f"bertha {parsed.command}: error: {error}\n")
            return NO

    return refused


def name(found: Loaded) -> str:
    """Return a loaded program's name in a sentence."""
    return f"{found.program} of {found.device}, plan {found.plan[:12]},"


def loaded_data(found: Loaded) -> dict[str, object]:
    """Return a loaded program as plain data."""
    return {
        "plan": found.plan,
        "device": found.device,
        "program": found.program,
        "interfaces": list(found.interfaces),
        "pinned": str(found.folder),
    }
