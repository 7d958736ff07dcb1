"""Quantities keep their units, figures their sources, and a model of the user's changes what a plan says."""

import math

import pytest
from attrs import evolve
from compiling import SITE, compiled

from bertha_ir.cost_models import COST_MODELS, UnknownModelError, load
from bertha_ir.cost_models.base import CostModel, DeviceView, LinkView
from bertha_ir.cost_models.conformance import violations
from bertha_ir.cost_models.profile import ProfileError, ProfileModel, load_profile, parse_profile
from bertha_ir.cost_models.units import BitsPerSecond, ByteCount, Nanoseconds, NanosecondsPerByte, UnitError
from bertha_ir.cost_models.work import Work, measure
from bertha_ir.spec import Attribute

SHARD = "serialize(Query) |> shard(key = Query.wide, shards = [a, c]) |> udp(4242)"
KERNEL, PROCESS = DeviceView("kernel(h1)", "kernel"), DeviceView("h1", "host")


def test_units_do_not_mix():
    """Adding, comparing and multiplying quantities of different units is an error."""
    with pytest.raises(UnitError):
        Nanoseconds(1) + ByteCount(1)
    with pytest.raises(UnitError):
        _ = Nanoseconds(1) < ByteCount(2)
    with pytest.raises(UnitError):
        Nanoseconds(1) * ByteCount(2)
    with pytest.raises(UnitError):
        Nanoseconds(math.inf)
    with pytest.raises(UnitError):
        BitsPerSecond(0).time(ByteCount(1))


def test_units_compute():
    """Rates and prices turn sizes into time."""
    assert Nanoseconds(1) + Nanoseconds(2) == Nanoseconds(3)
    assert BitsPerSecond(8e9).time(ByteCount(5)) == Nanoseconds(5)
    assert NanosecondsPerByte(0.5).time(ByteCount(4)) * 3 == Nanoseconds(6)
    assert Nanoseconds(1) < Nanoseconds(2) <= Nanoseconds(2)


FIGURE = '{ value = 1, unit = "ns", mark = "M", source = "s", conditions = "c" }'


@pytest.mark.parametrize(
    "text",
    [
        "[host]\nhook = 3",
        "[host\n",
        f"[host]\nhook = {FIGURE.replace('source', 'sauce')}",
        f"[host]\nhook = {FIGURE.replace('ns', 'weeks')}",
        f"[host]\nhook = {FIGURE.replace('1', '-1')}",
        f"[host]\nhook = {FIGURE.replace('M', 'Z')}",
        f"[host]\nhook = {FIGURE.replace('value = 1', 'value = true').replace('true', chr(34) + 'x' + chr(34))}",
    ],
)
def test_a_malformed_profile_is_one_error(text):
    """Whatever is wrong with it: no number without unit, mark, source and conditions."""
    with pytest.raises(ProfileError, match="p"):
        parse_profile("p", text)


@pytest.mark.parametrize("name", ["x86-server", "bmv2", "tofino-1", "links"])
def test_every_figure_has_its_source(name):
    """The profiles that ship parse, and say where each figure is from and under which conditions."""
    for _, section in load_profile(name).sections:
        for _, figure in section:
            assert len(figure.source) > 10
            assert len(figure.conditions) > 5


def test_an_unknown_profile_lists_the_known():
    """Also a name that would leave the folder."""
    for name in ("nope", "../../secrets"):
        with pytest.raises(ProfileError, match="x86-server"):
            load_profile(name)


@pytest.mark.parametrize("name", COST_MODELS.names())
def test_registered_models_conform(name):
    """What any model must keep."""
    assert violations(COST_MODELS.get(name)()) == ()


class Bad(ProfileModel):
    """Wrong in the way that `fault` says."""

    fault = ""
    calls = 0

    def op_cost(self, work, device, size):
        cost = super().op_cost(work, device, size)
        if cost is None or not self.fault:
            return cost
        type(self).calls += 1
        return {
            "negative": evolve(cost, latency=Nanoseconds(-1)),
            "cheaper": evolve(cost, latency=Nanoseconds(1e9 / (1 + size.value))),
            "moody": evolve(cost, latency=Nanoseconds(type(self).calls)),
            "number": 3.0,
        }[self.fault]


@pytest.mark.parametrize("fault", ["negative", "cheaper", "moody", "number"])
def test_bad_models_are_caught(fault):
    """Negative costs, costs that fall with size, that change from call to call, or that are bare numbers."""
    model = type("Broken", (Bad,), {"fault": fault})()
    assert violations(model)


def test_pcie_follows_the_published_model():
    """The bandwidth of writes, to 0.1 Gbit/s, as pcie-bench's model gives it (Neugebauer et al., SIGCOMM 2018)."""
    model, latency = ProfileModel(), 200
    table = {
        (3, 8): {64: 42.1, 256: 52.9, 1500: 52.9},
        (3, 16): {64: 82.7, 256: 104.0},
        (4, 16): {64: 165.4, 1500: 207.5},
    }
    for (generation, lanes), writes in table.items():
        link = LinkView("pcie", (Attribute("generation", generation), Attribute("lanes", lanes)))
        for size, expected in writes.items():
            cost = model.crossing_cost(link, ByteCount(size))
            assert cost is not None
            assert 8 * size / (cost.latency.value - latency) == pytest.approx(expected, abs=0.11)


def test_a_model_may_not_know():
    """None, not zero: an unknown link, a SmartNIC without a profile, a primitive without a price."""
    model = ProfileModel()
    assert model.crossing_cost(LinkView("pigeon"), ByteCount(1)) is None
    assert model.op_cost(Work(), DeviceView("n", "smartnic"), ByteCount(1)) is None
    assert model.op_cost(Work(calls=(("aead_seal", 1),)), KERNEL, ByteCount(1)) is None


def test_a_links_own_delay_takes_the_place_of_its_kinds():
    """A million bits at 1 Gbit/s take a millisecond, and 2 ms on the way are 3."""
    given = (Attribute("rate", 10**9), Attribute("delay", 2 * 10**6))
    cost = ProfileModel().crossing_cost(LinkView("ethernet", given), ByteCount(125_000))
    assert cost.latency.value == pytest.approx(3e6)


def test_the_kernel_is_cheaper_than_a_process():
    """For the same op; and the work is counted from its program."""
    built = compiled(SHARD)
    work = measure(next(p.program for p in built.programs if p.program.hook == "egress" and p.active))
    assert dict(work.lookups) == {"array": 1}
    assert work.checksums == 3
    costs = [ProfileModel().op_cost(work, view, ByteCount(256)) for view in (KERNEL, PROCESS)]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[0].latency < costs[1].latency


MODEL = """
from bertha_ir.cost_models.base import Cost, CostModel
from bertha_ir.cost_models.units import Nanoseconds

class Backwards(CostModel):
    def op_cost(self, work, device, size):
        return Cost(Nanoseconds(1 if device.kind == "host" else 1000))

    def crossing_cost(self, link, size):
        return Cost(Nanoseconds(0))
"""


def test_a_users_model_changes_the_plan(tmp_path):
    """Given as `path.py:Class`, it decides where policy does not."""
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    chosen = {}
    for model in ("profile", f"{file}:Backwards"):
        (plan,) = compiled(SHARD, site=SITE, cost_model=model).plans
        chosen[model] = next(b.device for b in plan.bindings if b.active and b.direction == "request")
    assert list(chosen.values()) == ["kernel(c1)", "h1"]


@pytest.mark.parametrize("name", ["nope", "nope.py:Model", "{here}:Nothing", "{here}:math", "{broken}:Model"])
def test_what_is_no_model_is_refused(name, tmp_path):
    """An unknown name, a missing file, a missing class, something that is no model, a file that does not import."""
    here, broken = tmp_path / "here.py", tmp_path / "broken.py"
    here.write_text("import math\n")
    broken.write_text("import nothing_of_that_name\n")
    with pytest.raises(UnknownModelError):
        load(name.format(here=here, broken=broken))


def test_models_are_classes_of_one_kind():
    """The registry holds subclasses of CostModel."""
    assert all(issubclass(COST_MODELS.get(n), CostModel) for n in COST_MODELS.names())
