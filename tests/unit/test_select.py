"""`select`: each way through a stack's branches is planned, the best is taken, and an artifact has all of them."""

import json
from pathlib import Path

import pytest

from bertha_ir import api
from bertha_ir.artifact import write
from bertha_ir.audit.run import Options, audit
from bertha_ir.diagnostics import BerthaError
from bertha_ir.runtime.artifact import Artifact

SITE = """
device c1: host { address 10.0.0.9; mac 02:00:00:00:00:01; }
device h1: host { address 10.0.0.1; mac 02:00:00:00:00:02; }
link c1 <-> h1 ethernet { rate RATE; }
run kv.client on c1;
run kv.server on h1;
"""
WORKLOAD = "workload kv.request { size 60000; compress to 1 %; }"
STACK = """
stack kv(client, server) {
  request: select { compress | none PREFER } |> encrypt(secret("k")) |> tcp(4242);
  response: select { none | http2 } |> tcp(4242);
}
"""


def built(
    folder: Path, stack: str = STACK, *, prefer: str = "", rate: str = "1 Gbit/s", more: str = ""
) -> api.Compiled:
    file = folder / "kv.chunnel"
    file.write_text(stack.replace("PREFER", prefer) + SITE.replace("RATE", rate) + (more or WORKLOAD))
    return api.build([file])


def branches(compiled: api.Compiled) -> tuple[str, ...]:
    return compiled.plans[0].branches


def test_the_cheapest_way_is_taken(tmp_path):
    """Compressing pays where the link is slow, and only there."""
    assert branches(built(tmp_path, rate="10 Mbit/s")) == ("request: compress", "response: none")
    assert branches(built(tmp_path, rate="400 Gbit/s")) == ("request: none", "response: none")


def test_a_preferred_branch_is_taken_whatever_it_costs(tmp_path):
    """`prefer` goes before the cost, and says so of the others."""
    made = built(tmp_path, prefer="prefer compress", rate="400 Gbit/s")
    assert branches(made) == ("request: compress", "response: none")
    reasons = {a.branches: a.reason for a in made.plans[0].alternatives}
    assert reasons["request: none", "response: none"] == "the stack prefers another branch"
    assert reasons["request: compress", "response: http2"] == "not better, by latency"


def test_every_way_is_the_stack_that_has_it_written(tmp_path):
    """A way's plan and its programs are those of a stack without selects, but for the plan's id."""
    made = built(tmp_path, rate="10 Mbit/s")
    plain = STACK.replace("select { compress | none PREFER } |> ", "").replace("select { none | http2 } |> ", "")
    wanted = built(tmp_path, stack=plain, rate="10 Mbit/s", more="workload kv.request { size 60000; }")
    (same,) = [other for other in made.alternatives if branches(other) == ("request: none", "response: none")]
    assert same.plans[0].bindings == wanted.plans[0].bindings
    assert same.plans[0].objective == wanted.plans[0].objective
    assert same.programs == wanted.programs


SEALED_STACK = """
stack kv(client, server) {
  request: select { none | encrypt(secret("k")) } |> udp(4242);
  response: RESPONSE udp(4242);
}
"""
DEMAND = "policy { require confidential on kernel(h1); }"


def test_a_way_that_the_policy_forbids_is_left_out(tmp_path):
    """Its reason is the diagnostic, and another way is taken."""
    made = built(tmp_path, SEALED_STACK.replace("RESPONSE", 'encrypt(secret("k")) |>'), more=DEMAND)
    assert branches(made) == ('request: encrypt(secret("k"))',)
    (refused,) = made.plans[0].alternatives
    assert refused.plan is None
    assert "CH214" in refused.reason
    assert not made.alternatives


def test_no_way_at_all_is_an_error(tmp_path):
    """CH214: what the ways lack."""
    with pytest.raises(BerthaError, match="CH214"):
        built(tmp_path, SEALED_STACK.replace("RESPONSE", ""), more=DEMAND)


def test_a_way_that_no_site_can_mend_is_an_error(tmp_path):
    """CH200: with the branch `none`, nothing below `compress` keeps the boundaries of messages."""
    stack = STACK.replace("compress | none PREFER", "none").replace("encrypt", "select { none | delimit } |> compress")
    with pytest.raises(BerthaError, match="CH200"):
        built(tmp_path, stack.replace('(secret("k"))', ""), more="device d1: host;")


def test_an_artifact_has_an_artifact_for_each_way(tmp_path):
    """Each is whole: it opens by itself, with the plan that the manifest gives, and all of it is verified."""
    out = tmp_path / "out"
    made = built(tmp_path, rate="10 Mbit/s")
    write(api.artifact(made), out)
    listed = json.loads((out / "manifest.json").read_text())["alternatives"]
    assert [row["folder"] for row in listed] == ["select/kv-1", "select/kv-2", "select/kv-3"]
    for row, planned in zip(listed, made.plans[0].alternatives, strict=True):
        assert Artifact(out / row["folder"]).plan == row["plan"] == planned.plan
        assert tuple(row["branches"]) == planned.branches
    checks = audit(out, Options(packets=20))
    assert {c.status for c in checks} == {"holds", "assumed"}
    assert {c.text.partition(":")[0] for c in checks if c.text.startswith("select/")} == {r["folder"] for r in listed}


def test_another_programs_bytes_in_an_alternative_are_found(tmp_path):
    """`bertha verify` reads the folders in `select/` too."""
    out = tmp_path / "out"
    write(api.artifact(built(tmp_path, rate="10 Mbit/s")), out)
    program = next((out / "select" / "kv-2").glob("python/*.py"))
    program.write_text(program.read_text() + "\n")
    assert [c.text for c in audit(out, Options(packets=5)) if c.status == "refuted" and "kv-2" in c.text]
