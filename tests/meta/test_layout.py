"""The tree is what the packaging, the registries and the limits of size say."""

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest
from project import CONFIGURATION, MAPPED, ROOT, SOURCES, module_name, parsed, shown

from bertha_ir.backends.base import BACKENDS, Backend
from bertha_ir.passes.base import Pass
from bertha_ir.passes.pipelines import PASSES, PIPELINES

FILE_LINES, FUNCTION_LINES = 400, 60
SETUPTOOLS = CONFIGURATION["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    """A package that pyproject.toml does not list works in the checkout and is missing from the wheel."""
    assert sorted(SETUPTOOLS["packages"]) == sorted(module_name(p) for p in SOURCES if p.name == "__init__.py")


def test_every_source_file_is_in_a_package() -> None:
    """A folder with sources has an `__init__.py`."""
    assert not [shown(p) for p in SOURCES if not (p.parent / "__init__.py").exists()]


def test_every_data_file_is_packaged() -> None:
    """Each file that is no Python source is named by its package's data patterns."""
    for top in ("bertha_ir", *MAPPED):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                package = next(p for p in path.parents if (p / "__init__.py").exists())
                patterns = SETUPTOOLS["package-data"].get(module_name(package / "__init__.py"), [])
                assert any(fnmatch(path.relative_to(package).as_posix(), p) for p in patterns), shown(path)


def test_the_mapped_folders_refuse_bare_imports() -> None:
    """Each mapped folder raises when it is imported by its bare name."""
    for folder in MAPPED:
        text = (ROOT / folder / "__init__.py").read_text(encoding="utf-8")
        assert f'if __name__ != "bertha_ir.{folder}":' in text


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_files_and_functions_are_short(path: Path) -> None:
    """No file is longer than 400 lines, no function longer than 60. Files of codes hold pages, not logic."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES or path.name == "codes.py"
    functions = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno - f.lineno >= FUNCTION_LINES}
    assert not long


def subclasses(cls: type) -> set[type]:
    return {cls, *(below for direct in cls.__subclasses__() for below in subclasses(direct))}


def test_one_pass_one_file() -> None:
    """Each pass is registered once, alone in the file of its name, and its file and class say what it does."""
    ours = [PASSES.get(name) for name in PASSES.names()]
    for name, cls in zip(PASSES.names(), ours, strict=True):
        path = ROOT / "passes" / f"{name.replace('-', '_')}.py"
        assert cls.name == name
        assert cls.__module__ == module_name(path)
        assert (ast.get_docstring(parsed(path)) or "").startswith(f"{name}: ")
        assert cls.__doc__
    assert {c for c in subclasses(Pass) if c.__module__.startswith("bertha_ir.passes.")} - {Pass} == set(ours)
    assert len({cls.__module__ for cls in ours}) == len(ours)


def test_pipelines_name_registered_passes() -> None:
    """Every pipeline is made of passes that exist."""
    for text in PIPELINES.values():
        assert {step.partition("{")[0] for step in text.split(",")} <= set(PASSES.names())


def test_one_folder_a_backend() -> None:
    """Each backend is the folder of its name, and is registered under it."""
    folders = {p.name for p in (ROOT / "backends").iterdir() if (p / "__init__.py").exists()}
    assert set(BACKENDS.names()) == folders
    for name in BACKENDS.names():
        cls = BACKENDS.get(name)
        assert issubclass(cls, Backend)
        assert cls.name == name
        assert cls.__module__.startswith(f"bertha_ir.backends.{name}.")
