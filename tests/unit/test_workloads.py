"""What a workload says changes plans, where what it makes worth while is proved."""

from attrs import evolve
from compiling import SITE, compiled

from bertha_ir import api

CHAIN = "tag(where = Query.kind, mark = 1) |> firewall(deny = [10.9.0.0/16]) |> udp(4242)"
COUNTED = "count(by = Query.kind) |> firewall(deny = [10.9.0.0/16]) |> udp(4242)"
HERE = SITE + "".join(f"policy {{ prefer {op} on [kernel(h1)]; }}" for op in ("tag", "firewall", "count"))


def order(built: api.Compiled) -> list[str]:
    """The path's ops of requests as messages meet them."""
    return [op for o in built.plans[0].orders if o.direction == "request" for op in o.ops if op.endswith(".packet")]


def with_load(text: str, chain: str = CHAIN) -> api.Compiled:
    return compiled(chain, site=HERE, more=f"workload app.request {{ {text} }}")


def test_what_drops_most_comes_first():
    """Behind a filter that drops nine in ten, only one in ten is left to be marked; the ledger has the ground."""
    assert order(compiled(CHAIN, site=HERE)) == ["tag.packet", "firewall.packet"]
    built = with_load("firewall drops 90 %;")
    assert order(built) == ["firewall.packet", "tag.packet"]
    assert "request: tag.packet after firewall.packet" in {e.rewrite for e in built.plans[0].ledger}
    (plan,) = built.plans
    assert plan.after.mean_ns < plan.before.mean_ns
    assert plan.after.mean_ns < plan.after.latency_ns


def test_what_must_count_all_stays_where_it_is():
    """However many are dropped: a counter behind the filter would count others."""
    assert order(with_load("firewall drops 90 %;", COUNTED)) == ["count.packet", "firewall.packet"]


def test_sizes_are_those_of_the_workload():
    """The cost is that of its mean; what is compressed is smaller behind it."""
    small, large = (with_load(f"size {n};").plans[0] for n in (64, 1400))
    assert (small.message_bytes, large.message_bytes) == (64, 1400)
    assert small.latency_ns < large.latency_ns
    squeezed = compiled(
        "compress |> udp(4242)", response="compress |> udp", site=SITE,
        more="workload app.request { size 1000; compress to 20 %; }",
    ).plans[0]  # fmt: skip
    crossings = {c.direction: c.latency_ns for c in squeezed.crossings if c.kind == "ethernet"}
    assert crossings["request"] < crossings["response"]
    assert any("workload" in a.text and a.by == "workload" for a in squeezed.assumptions)


def test_a_plan_with_a_workload_is_stored_whole():
    """What is printed parses back."""
    built = with_load("firewall drops 90 %;")
    (plan,) = built.plans
    assert api.plan_fields(api.plan_data(plan))["before"]["mean_ns"] == plan.before.mean_ns
    assert evolve(plan, mean_ns=0.0).id == plan.id


def test_what_is_not_known_has_no_mean():
    """A link without a rate: neither a latency, nor a mean, nor an objective, and no figure in their place."""
    site = SITE.replace("{ rate 10 Gbit/s; port 1; }", "{ port 1; }")
    (plan,) = compiled("tag(Query.kind, 1) |> udp(4242)", site=site).plans
    assert (plan.latency_ns, plan.mean_ns, plan.objective) == (None, None, None)
