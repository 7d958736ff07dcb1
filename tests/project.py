"""The project's own tree, for the tests about it."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAPPED = ("frontend", "passes", "backends", "cost_models")
SOURCES = sorted(p for folder in ("bertha_ir", *MAPPED) for p in (ROOT / folder).rglob("*.py"))
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    """The name under which a source file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "bertha_ir" else ("bertha_ir", *parts)
    return ".".join(parts).removesuffix(".__init__")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))
