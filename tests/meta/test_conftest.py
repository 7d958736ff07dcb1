"""The rules that tests/conftest.py adds hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

TESTS = """
import pytest

@pytest.mark.kernel
@pytest.mark.skip(reason="no bpf")
def test_kernel():
    pass

@pytest.mark.kernel
def test_kernel_inside():
    pytest.skip("no bpf")

@pytest.mark.p4
@pytest.mark.skip(reason="no p4c")
def test_p4():
    pass
"""


def outcome(folder: Path, *, ci: str) -> tuple[int, str]:
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  kernel\n  p4\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", folder]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "CI": ci})
    return result.returncode, result.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="the rule is for root, who can load eBPF")
def test_skipped_kernel_test_is_a_failure_in_ci(tmp_path: Path) -> None:
    """In CI, as root, a kernel test that is skipped, by a mark or from inside, fails; elsewhere it is skipped."""
    code, text = outcome(tmp_path, ci="true")
    assert code == 1
    assert "1 failed, 1 skipped, 1 error" in text  # a mark skips in the set-up, whose failure is an error
    assert "CI must run the kernel's tests" in text
    code, text = outcome(tmp_path, ci="")
    assert code == 0
    assert "3 skipped" in text


def test_skipped_p4_tests_are_said_loudly(tmp_path: Path) -> None:
    """A run that ran no P4 program says so in its summary."""
    assert "P4 WAS NOT RUN" in outcome(tmp_path, ci="")[1]
