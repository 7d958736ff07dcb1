"""What holds for every test: the package is installed, and CI skips no kernel test."""

import os

import pytest

try:
    import bertha_ir.frontend  # noqa: F401  (found only when the package is installed, which maps the folders)
except ImportError as error:
    pytest.exit(f"install the package before running its tests: pip install -e '.[dev]' ({error})", returncode=4)

IN_CI_AS_ROOT = os.environ.get("CI") == "true" and os.geteuid() == 0


def pytest_addoption(parser):
    """Expected texts are kept in files; one option writes what is answered now in their place."""
    parser.addoption("--update-golden", action="store_true", help="rewrite expected texts instead of comparing them")


@pytest.fixture(autouse=True, scope="session")
def _own_answers(tmp_path_factory):
    """What is proved in tests is remembered in a folder of their own."""
    os.environ["BERTHA_CACHE"] = str(tmp_path_factory.mktemp("proofs"))


@pytest.fixture
def update_golden(request):
    """Whether to rewrite expected texts."""
    return request.config.getoption("--update-golden")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI, as root, a skipped kernel test is a failure: the eBPF programs would go unverified."""
    report = yield
    if IN_CI_AS_ROOT and report.skipped and item.get_closest_marker("kernel") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but CI must run the kernel's tests: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter):
    """Say loudly that no P4 program was run."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "p4" in getattr(r, "keywords", {})]
    if skipped:
        terminalreporter.section("P4 WAS NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests need p4c-bm2-ss and simple_switch, or simple_switch_grpc, on PATH")
