"""Programs in a row: each does a part, and hands what it passes to the next by a tail call.

One program is better, as it parses once and its caller is called once: this is for measuring what that is worth. A
program that does not fit into one is cut by `split`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bertha_ir.backends.ebpf.source import Source
from bertha_ir.backends.ebpf.split import LONGEST
from bertha_ir.backends.names import mangle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertha_ir.program import DeviceProgram


def emit_row(programs: Sequence[DeviceProgram]) -> dict[str, str]:
    """Return `NAME.bpf.c` and `NAME.maps.json` of each of some programs that run one behind another, at most `LONGEST`.

    A loader links them: `bertha_ir.runtime.ebpf.Object.go_on_to`. ValueError for more, and for two that have the same
    state: each has maps of its own, and what one of them counts the other would not see.
    """
    if len(programs) > LONGEST:
        msg = f"{len(programs)} programs are more than the {LONGEST} that may call one another"
        raise ValueError(msg)
    owners = Counter(state.name for program in programs for state in program.states)
    if shared := [name for name, count in owners.items() if count > 1]:
        msg = f"more than one program of the row has the state {', '.join(shared)}"
        raise ValueError(msg)
    files: dict[str, str] = {}
    for number, program in enumerate(programs, 1):
        source = Source(program, goes_on=number < len(programs))
        files |= {f"{mangle(program.name)}.bpf.c": source.text, f"{mangle(program.name)}.maps.json": source.maps}
    return files
