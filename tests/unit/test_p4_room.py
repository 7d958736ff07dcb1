"""Where it shows what P4 programs take of a switch: in refusals, plans, the manifest, and what `bertha doctor` says."""

import json

import pytest
from catalogue import NAMES, built
from compiling import SITE, compiled
from project import ROOT

from bertha_ir import api, artifact
from bertha_ir.backends.p4.resources import estimate
from bertha_ir.cli.main import main
from bertha_ir.cost_models.figures import load_profile
from bertha_ir.diagnostics import BerthaError

GOLDEN = ROOT / "tests" / "golden" / "p4_resources.json"
TOFINO = load_profile("tofino-1").limits


def test_catalogue_takes_what_is_recorded(update_golden):
    """The P4 programs of the real chains: what each takes, all of it within a Tofino."""
    programs = [(name, p.program) for name in NAMES for p in built(name).programs if p.backend == "p4"]
    found = {
        f"{name}/{program.name}": {u.name: u.needs for u in estimate(program, TOFINO)} for name, program in programs
    }
    if update_golden:
        GOLDEN.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_the_manifest_and_doctor_say_what_is_taken(tmp_path, capsys, monkeypatch):
    """Each use with what the device has; a program of another backend has none."""
    files = api.artifact(built("web_edge"))
    programs = {p["backend"]: p["resources"] for p in json.loads(files["manifest.json"])["programs"]}
    assert programs["p4"]["stages"] == {"needs": 3, "has": 12}
    assert programs["p4"]["parser_depth"] == {"needs": 4, "has": None}
    assert {name for name, uses in programs.items() if uses} == {"p4"} < programs.keys()
    artifact.write(files, tmp_path / "out")
    for full, status in ((0.9, "ok"), (0.2, "warning")):
        monkeypatch.setattr("bertha_ir.cli.doctor.FULL", full)
        main(["doctor", str(tmp_path / "out"), "--json"])
        rows = {f["what"]: f for f in json.loads(capsys.readouterr().out)["programs"]}
        assert rows["edge_pipeline of tor"]["status"] == status
        assert "3 stages of 12" in rows["edge_pipeline of tor"]["text"]


SMALL = SITE.replace('profile "bmv2";', 'profile "tofino-1";')
ELSEWHERE = " ".join(f"deny count on {name};" for name in ("h1", "c1", "kernel(h1)", "kernel(c1)"))


def at_site(tmp_path, request: str, stages: int, policy: str) -> api.Compiled:
    """Compile at a switch of so many stages, its profile beside the site."""
    text = (ROOT / "cost_models" / "profiles" / "tofino-1.toml").read_text()
    profile = tmp_path / "small.toml"
    profile.write_text(text.replace("\nstages = { value = 12", f"\nstages = {{ value = {stages}"))
    return compiled(request, site=SITE.replace("bmv2", str(profile)) + f"policy {{ {policy} }}")


COUNTS = "count(by = Query.id) |> count(by = Query.word) |> udp(4242)"


def test_a_pinned_chunnel_that_does_not_fit_is_reported_where_it_is_used():
    """Nothing else may run it, and the switch has too little: which op, of what, how much, and how much there is."""
    deny = ELSEWHERE.replace("count", "shard")
    with pytest.raises(BerthaError) as caught:
        compiled("shard(key = Query.wide, shards = [a, c]) |> udp(4242)", site=f"{SMALL} policy {{ {deny} }}")
    (problem,) = caught.value.diagnostics
    assert problem.code.number() == "CH203"
    assert "tor: `shard.packet` is too much: it takes" in problem.message
    assert "stages of 12" in problem.message
    assert problem.span.text == "shard(key = Query.wide, shards = [a, c])"


def test_ops_that_fit_alone_but_not_together_are_parted(tmp_path):
    """Two counts of 33 blocks are in two stages, as one has 48 for registers: the switch keeps the first."""
    fits, tight = (at_site(tmp_path, COUNTS, n, "prefer count on [tor];").plans[0] for n in (4, 3))
    assert [b.device for b in fits.bindings if b.active and b.op.startswith("count")] == ["tor", "tor"]
    assert [b.device for b in tight.bindings if b.active and b.op.startswith("count")] == ["tor", "kernel(h1)"]
    (refusal,) = (r for r in tight.refusals if r.device == "tor")
    assert refusal.op == "count_2.packet"
    assert refusal.reason == "with what else would run there, it takes 4 stages of 3"


def test_ops_pinned_together_that_do_not_fit_are_reported(tmp_path):
    """The first op past the limit is the one that is underlined."""
    with pytest.raises(BerthaError) as caught:
        at_site(tmp_path, COUNTS, 3, ELSEWHERE)
    (problem,) = caught.value.diagnostics
    assert problem.span.text == "count(by = Query.word)"
    assert "with what else would run there, it takes 4 stages of 3" in problem.message


def test_a_standby_that_does_not_fit_is_left_out(tmp_path):
    """A switch stands by only for all ops of a path, and only if it has room for them."""
    for stages_, standby in ((4, True), (3, False)):
        made = at_site(tmp_path, COUNTS, stages_, "prefer count on [kernel(h1)];")
        assert any(p.backend == "p4" and not p.active for p in made.programs) is standby
