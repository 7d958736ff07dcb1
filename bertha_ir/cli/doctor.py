"""`bertha doctor`: what this host has for running artifacts, and how near an artifact's programs are to limits."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
from ctypes.util import find_library
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from attrs import asdict, frozen

from bertha_ir.cli.loaded import refusing
from bertha_ir.cli.output import say_json, table
from bertha_ir.cli.status import DONE, NO
from bertha_ir.cli.stream import say
from bertha_ir.runtime import ebpf
from bertha_ir.runtime.artifact import MANIFEST, Artifact, Program
from bertha_ir.runtime.pinned import ROOT, in_bpf

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

LIMIT = 1_000_000  # instructions that the verifier walks through at most: BPF_COMPLEXITY_LIMIT_INSNS, linux/bpf.h
MARGIN = 10  # times that another kernel's verifier may need without refusing
FULL = 0.9  # of what a switch has: its own compiler may need more than the estimate
TOOLS = (
    ("clang", "compiles kernel programs", "apt-get install clang libbpf-dev"),
    ("bpftool", "shows and pins kernel programs by hand", "apt-get install bpftool"),
    ("p4c-bm2-ss", "compiles P4 for BMv2", "build https://github.com/p4lang/p4c"),
    ("simple_switch", "runs P4", "build https://github.com/p4lang/behavioral-model"),
)
LIBRARIES = (
    ("cryptography", "encrypts, in processes", "codecs"),
    ("zstandard", "compresses, in processes", "codecs"),
    ("finsy", "describes P4 programs for P4Runtime", "p4"),
    ("ortools", "places loose orders, and schedules many connections", "search"),
    ("cvc5", "checks proofs again", "second"),
)


@frozen
class Finding:
    """One thing that was looked at: `ok`, missing, or nearer to a limit than it should be; `hint` says what to do."""

    what: str
    status: Literal["ok", "missing", "warning"]
    text: str
    hint: str | None = None


@refusing
def run(parsed: argparse.Namespace) -> int:
    """Print what is found; the answer is no if an artifact's programs cannot run here, or have too little margin."""
    host = list(_host())
    artifact = Artifact(parsed.folder) if parsed.folder else None
    programs = [*_programs(artifact), *_estimated(artifact)] if artifact else []
    wrong = any(f.status != "ok" for f in programs)
    if parsed.json:
        say_json(ok=not wrong, host=[asdict(f) for f in host], programs=[asdict(f) for f in programs])
        return NO if wrong else DONE
    say(table([(f.status, f.what, f.text + (f"; {f.hint}" if f.hint else "")) for f in (*host, *programs)]))
    return NO if wrong else DONE


def _host() -> Iterator[Finding]:
    yield Finding("kernel", "ok", f"{platform.system()} {platform.release()}")
    for tool, what, hint in TOOLS:
        found = which(tool)
        yield Finding(tool, "ok" if found else "missing", what, None if found else hint)
    libbpf = find_library("bpf")
    yield Finding(
        "libbpf", "ok" if libbpf else "missing", "loads kernel programs", None if libbpf else "apt-get install libbpf1"
    )
    lacking = ebpf.missing_capabilities()
    text = "loads and attaches kernel programs"
    yield Finding(
        "privileges",
        "missing" if lacking else "ok",
        text,
        f"this process lacks {', '.join(lacking)}" if lacking else None,
    )
    there = in_bpf(ROOT)
    yield Finding(
        "bpf file system",
        "ok" if there else "missing",
        "keeps kernel programs",
        None if there else f"mount -t bpf bpf {ROOT.parent}",
    )
    for name, what, extra in LIBRARIES:
        if importlib.util.find_spec(name):
            yield Finding(name, "ok", f"{what}: {importlib.metadata.version(name)}")
        else:
            yield Finding(name, "missing", what, f"pip install 'bertha-ir[{extra}]'")


def _programs(artifact: Artifact) -> Iterator[Finding]:
    """Yield what this kernel says of each kernel program of an artifact, standbys too."""
    for program in (p for p in artifact.programs if p.backend == "ebpf"):
        name = f"{program.name} of {program.device}"
        try:
            held, verified = _measured(artifact, program)
        except ebpf.EbpfError as error:
            yield Finding(name, "missing", str(error), "another device may run it: `bertha plan`")
            continue
        text = f"{held:,} instructions, {verified:,} verified of {LIMIT:,}"
        near = verified * MARGIN > LIMIT
        hint = f"another kernel's verifier may refuse it: less than {MARGIN} times is left" if near else None
        yield Finding(name, "warning" if near else "ok", text, hint)


def _estimated(artifact: Artifact) -> Iterator[Finding]:
    """Yield what each program of an artifact takes, by estimate, of a device whose profile says how much there is."""
    for program in json.loads((artifact.folder / MANIFEST).read_bytes())["programs"]:
        uses = {n: u for n, u in program.get("resources", {}).items() if u["has"] is not None}
        if uses:
            text = ", ".join(f"{u['needs']:,} {n} of {u['has']:,}" for n, u in uses.items())
            near = [n for n, u in uses.items() if u["needs"] > FULL * u["has"]]
            hint = f"the switch's compiler may refuse it: little is left of {', '.join(near)}" if near else None
            yield Finding(f"{program['name']} of {program['device']}", "warning" if near else "ok", text, hint)


def _measured(artifact: Artifact, program: Program) -> tuple[int, int]:
    with TemporaryDirectory() as folder:
        path = next(f for f in program.files if f.endswith(".bpf.c"))
        source = Path(folder, Path(path).name)
        source.write_bytes(artifact.read(path))
        with ebpf.Object(ebpf.build(source, Path(folder))) as loaded:
            return loaded.instructions()
