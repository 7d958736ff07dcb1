"""Programs that stand by are named and marked as such, and can take the place of the whole of what the plan runs."""

import json

import pytest
from compiling import SITE, compiled

from bertha_ir import api

CHAIN = (
    "firewall(deny = [10.9.0.0/16]) |> count(by = Query.kind) |> shard(key = Query.id, shards = [a, c]) |> udp(4242)"
)
SPLIT = SITE + "policy { prefer firewall on [tor, kernel(h1)]; prefer count on [%s]; prefer shard on [%s]; }"


def programs(files: dict[str, bytes]) -> list[dict]:
    return json.loads(files["manifest.json"])["programs"]


@pytest.mark.parametrize("where", ["kernel(h1)", "h1"])
def test_the_active_program_has_the_plain_name(where: str) -> None:
    """Of two at one hook, the one the plan runs is `STACK_HOOK`, the other `STACK_HOOK_standby`, in all its files."""
    files = api.artifact(compiled(CHAIN, site=SPLIT % (where, where)))
    on_path = [p for p in programs(files) if p["root"] in {"frame", "datagram"}]
    plain = {"app_ingress", "app_egress", "app_pipeline", "app_request"}
    assert {p["hook"] for p in on_path if p["active"]} >= {"pipeline", "process" if where == "h1" else "ingress"}
    for program in on_path:
        if program["active"]:
            assert program["name"] in plain
        if program["hook"] != "process":
            assert program["name"].endswith("_standby") is not program["active"]
            assert program["name"].removesuffix("_standby") in plain
        assert all(f"{program['name']}." in path for path in program["files"] if not path.endswith("Makefile"))


def test_a_standby_holds_every_op_that_it_stands_in_for() -> None:
    """The switch runs the filter alone; its standby, loaded in its place, runs all three; so does that of h1."""
    built = compiled(CHAIN, site=SPLIT % ("kernel(h1)", "kernel(h1)"))
    ops = {(p.program.hook, p.active): p.program.blocks[0].ops for p in built.programs if p.program.device != "c1"}
    every = ("firewall.packet", "count.packet", "shard.packet")
    assert ops["pipeline", True] == every[:1]
    assert ops["ingress", True] == every[1:]
    assert ops["pipeline", False][:3] == ops["ingress", False] == ops["process", False] == every


def test_each_program_says_whether_it_is_active() -> None:
    """The head of every C, P4 and Python file agrees with the manifest; the Makefile says what the suffix means."""
    files = api.artifact(compiled(CHAIN, site=SPLIT % ("kernel(h1)", "kernel(h1)")))
    for program in programs(files):
        sources = [p for p in program["files"] if p.endswith((".c", ".p4", ".py"))]
        assert len(sources) == 1
        text = files[sources[0]].decode()
        assert ("\nActive: the plan" in text.replace(" * ", "").replace("// ", "")) is program["active"]
        assert ("Standby: the plan" in text) is not program["active"]
    assert b"NAME_standby.bpf.c stands by" in files["ebpf/h1/Makefile"]
