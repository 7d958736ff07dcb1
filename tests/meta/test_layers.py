"""Imports point inward: each folder imports only what docs/architecture.md lets it."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import MAPPED, ROOT, SOURCES, module_name, parsed, shown

OUTER = (*MAPPED, "api", "audit", "cli", "report", "runtime")
# The leaf imports nothing of ours, so the interpreter and a deployed program can share it.
NAMED = {
    "runtime.primitives": "leaf",
    **dict.fromkeys(
        ("cost_models.base", "cost_models.units", "cost_models.work", "cost_models.ways"), "cost vocabulary"
    ),
    "cost_models.calibration": "calibration",
}
MAY_IMPORT = {
    "leaf": set(),
    "core": {"core", "leaf"},
    "runtime": {"core", "leaf", "runtime"},
    "frontend": {"core", "frontend"},
    "passes": {"core", "leaf", "passes", "cost vocabulary"},
    "backends": {"core", "backends"},
    "cost vocabulary": {"core", "cost vocabulary"},
    "cost_models": {"core", "cost_models", "cost vocabulary"},
    "api": {"core", *MAPPED, "cost vocabulary"},
    # It times what backends print and the runtime loads, of programs by hand and of chains that the API compiles.
    "calibration": {"core", "leaf", "runtime", *MAPPED, "cost vocabulary", "api", "calibration"},
    # It prints an artifact again through the API, and derives its ledger again by the passes themselves.
    "audit": {"core", *MAPPED, "cost vocabulary", "api", "audit"},
    "report": {"core", "report"},
    "cli": {"core", *MAPPED, "cost vocabulary", "calibration", "api", "audit", "report", "runtime", "cli"},
}
HEAVY = {"lark", "z3", "ortools", "networkx", "rich", "cryptography", "zstandard", "finsy"}
COMPILER = {f"bertha_ir.{name}" for name in (*MAPPED, "api", "audit", "cli", "report")}


def layer(module: str) -> str:
    """The layer of a module of ours, or of a name in one, by its full name."""
    name = module.removeprefix("bertha_ir").removeprefix(".")
    first, _, rest = name.partition(".")
    named = NAMED.get(f"{first}.{rest.partition('.')[0]}")
    return named or (first if first in OUTER else "core")


def imported(path: Path) -> list[str]:
    """The modules that a file imports, anywhere in it; a name imported from a package may be a module too."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)}:{node.lineno}: a relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_imports_follow_the_layers(path: Path) -> None:
    """A file imports only the layers that its own layer may import."""
    own = layer(module_name(path))
    ours = [name for name in imported(path) if name.split(".")[0] == "bertha_ir"]
    wrong = [name for name in ours if layer(name) not in MAY_IMPORT[own]]
    assert not wrong, f"{own} may import {sorted(MAY_IMPORT[own])}"


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=shown)
def test_mapped_folders_are_imported_by_their_full_names(path: Path) -> None:
    """`import frontend` would make a second copy of the module beside `bertha_ir.frontend`."""
    assert not [name for name in imported(path) if name.split(".")[0] in MAPPED]


def modules_after(code: str) -> set[str]:
    """The modules that are loaded after running `code` in a fresh interpreter."""
    script = f"{code}\nimport sys\nsys.stderr.write(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_runtime_loads_nothing_of_the_compiler() -> None:
    """What ships with a deployed program imports no solver, no parser, no part of the compiler."""
    runtime = [module_name(p) for p in (ROOT / "bertha_ir" / "runtime").rglob("*.py")]
    loaded = modules_after("import " + ", ".join(runtime))
    assert "bertha_ir.runtime" in loaded
    assert not loaded & (COMPILER | (HEAVY - {"cryptography", "zstandard", "finsy"}))


HELP = """
from bertha_ir.cli.main import main
try:
    main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
"""


def test_help_loads_only_the_command_lines_grammar() -> None:
    """`bertha --help` imports argparse and the grammar of the command line, not attrs, nor any part of the compiler."""
    loaded = modules_after(HELP)
    assert {m for m in loaded if m.startswith("bertha_ir")} == {
        "bertha_ir",
        "bertha_ir.cli",
        *(f"bertha_ir.cli.{name}" for name in ("main", "arguments", "grammar", "status", "stream")),
        *(f"bertha_ir.cli.{name}" for name in ("deploying", "running")),
    }
    assert not loaded & (HEAVY | {"attrs", "attr", "json", "asyncio"})


def fastest(code: str) -> float:
    """The shortest of several runs of a fresh interpreter, in seconds: other work on the machine only adds."""
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        times.append(time.perf_counter() - begin)
    return min(times)


def test_help_answers_at_once() -> None:
    """`bertha --help` takes less than 150 ms over the interpreter's own start."""
    assert fastest(HELP) - fastest("") < 0.150
