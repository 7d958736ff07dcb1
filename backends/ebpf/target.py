"""The eBPF target: C for XDP and TC, with what a loader needs to fill its maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bertha_ir.backends.base import Backend, Unit
from bertha_ir.backends.ebpf.source import Source
from bertha_ir.backends.ebpf.validate import validate
from bertha_ir.backends.names import mangle

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Diagnostic
    from bertha_ir.program import Root
    from bertha_ir.spec import DeviceKind

MAKEFILE = """# Builds the programs of this device. Needs clang and libbpf's headers.
# NAME_standby.bpf.c stands by: load it in place of what the plan runs instead, never beside that.
CLANG ?= clang
MACHINE := $(shell uname -m)

all: $(patsubst %.bpf.c,%.bpf.o,$(wildcard *.bpf.c))

%.bpf.o: %.bpf.c
\t$(CLANG) -O2 -g -Wall -target bpf -I/usr/include/$(MACHINE)-linux-gnu -c $< -o $@

clean:
\trm -f *.bpf.o

.PHONY: all clean
"""


class EbpfBackend(Backend):
    """Writes one C file a hook: XDP for `ingress`, TC for `egress`."""

    name: ClassVar[str] = "ebpf"
    kinds: ClassVar[tuple[DeviceKind, ...]] = ("kernel",)
    roots: ClassVar[tuple[Root, ...]] = ("frame",)

    def validate(self, unit: Unit) -> tuple[Diagnostic, ...]:
        """Return what a kernel program cannot hold."""
        return validate(unit.program)

    def emit(self, unit: Unit) -> dict[str, str]:
        """Return `NAME.bpf.c`, `NAME.maps.json` and the device's `Makefile`."""
        name, source = mangle(unit.program.name), Source(unit.program, unit.active)
        return {f"{name}.bpf.c": source.text, f"{name}.maps.json": source.maps, "Makefile": MAKEFILE}
