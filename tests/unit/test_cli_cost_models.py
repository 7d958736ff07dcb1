"""Cost models of others: listed, checked, and used, without a change to Bertha."""

import json
import os
import subprocess
import sys

import pytest
from compiling import SITE

from bertha_ir.cli.main import main

MODEL = '''"""A model by someone else."""
from bertha_ir.cost_models.base import Cost, CostModel
from bertha_ir.cost_models.units import Nanoseconds


class Flat(CostModel):
    """Switches cost nothing and kernels a fortune."""

    def op_cost(self, work, device, size):
        return Cost(Nanoseconds({"switch": 1, "kernel": 9_000_000}.get(device.kind, 5_000_000)))

    def crossing_cost(self, link, size):
        return Cost(Nanoseconds(10))


class Odd(Flat):
    """Cheaper for more bytes."""

    def crossing_cost(self, link, size):
        return Cost(Nanoseconds(10_000 - size.value))
'''
SPEC = """message Query { kind: u8; wide: u64; rest: bytes; }
stack app(client, server) { request: tag(Query.kind, 7) |> udp(4242); }
"""
START = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"


def bertha(folder, *arguments: str) -> subprocess.CompletedProcess:
    """Run the command line where the third party's package is installed."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    return subprocess.run(
        [sys.executable, "-c", START, *arguments], capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with a specification, and an installed package that plugs in a cost model."""
    (tmp_path / "app.chunnel").write_text(SPEC)
    (tmp_path / "site.chunnel").write_text(SITE)
    installed = tmp_path / "site" / "flat_costs-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: flat-costs\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[bertha_ir.cost_models]\nflat = flat_costs:Flat\n")
    (tmp_path / "site" / "flat_costs.py").write_text(MODEL)
    return tmp_path


def where(folder, *options: str) -> str:
    """Where the op runs."""
    files = (str(folder / "app.chunnel"), "--site", str(folder / "site.chunnel"))
    plan = json.loads(bertha(folder, "plan", *files, "--json", *options).stdout)["plans"][0]
    return next(b["device"] for b in plan["bindings"] if b["active"] and b["op"].endswith(".packet"))


def test_a_third_partys_cost_model_changes_the_plan(folder):
    """By name, once its package is installed; or from a file."""
    assert where(folder).startswith("kernel(")
    assert where(folder, "--cost-model", "flat") == "tor"
    assert where(folder, "--cost-model", f"{folder}/site/flat_costs.py:Flat") == "tor"


def test_the_models_there_are_are_listed(folder):
    """Those of installed packages, too."""
    assert "flat     Switches cost nothing and kernels a fortune" in bertha(folder, "cost-models").stdout
    names = [m["name"] for m in json.loads(bertha(folder, "cost-models", "--json").stdout)["cost_models"]]
    assert names == ["flat", "profile"]


def test_a_model_is_checked(folder, capsys):
    """What it breaks is said, one sentence each, and the status is 1; an unknown one is wrong usage."""
    assert main(["cost-models", "--check", "profile"]) == 0
    assert "keeps what a cost model must keep" in capsys.readouterr().out
    odd = f"{folder}/site/flat_costs.py:Odd"
    assert bertha(folder, "cost-models", "--check", "flat").returncode == 0
    assert main(["cost-models", "--check", odd, "--json"]) == 1
    assert "more bytes cost less" in " ".join(json.loads(capsys.readouterr().out)["violations"])
    assert main(["cost-models", "--check", "nope"]) == 2
    assert "no cost model is called `nope`" in capsys.readouterr().err
