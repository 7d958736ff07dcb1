"""Quantities keep their units, figures their sources, and a model of the user's changes what a plan says."""

import math
import time
from typing import get_args

import pytest
from compiling import SITE, compiled

from bertha_ir.cost_models import COST_MODELS, UnknownModelError, load
from bertha_ir.cost_models.base import Cost, CostModel, DeviceView, LinkView
from bertha_ir.cost_models.conformance import violations
from bertha_ir.cost_models.figures import MARKS, UNITS, ProfileError, load_profile, parse_profile, profile_names
from bertha_ir.cost_models.profile import ProfileModel
from bertha_ir.cost_models.units import BitsPerSecond, ByteCount, Nanoseconds, NanosecondsPerByte, UnitError, Unitless
from bertha_ir.cost_models.work import Work, measure
from bertha_ir.primitives import PRIMITIVES
from bertha_ir.spec import Attribute, DeviceKind

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
        f"[host]\nhook = {FIGURE.replace('value = 1', 'value = true')}",
        f"[host]\nhook = {FIGURE.replace('value = 1', 'value = inf')}",
        f"[host]\nhook = {FIGURE.replace('value = 1', 'value = nan')}",
        f"[host]\nhook = {FIGURE.replace('value = 1', 'value = 1' + 400 * '0')}",
        f"[host]\nhook = {FIGURE.replace('= 1', '= ' + chr(34) + 'x' + chr(34))}",
        f"[host]\nhook = {FIGURE.replace(chr(34) + 'ns' + chr(34), '[1]')}",
        f"[host]\nhook = {FIGURE.replace(chr(34) + 'M' + chr(34), '[1]')}",
        f"[host]\nhook = {FIGURE.replace(chr(34) + 's' + chr(34), chr(34) + ' ' + chr(34))}",
        f"[host]\nhook = {FIGURE.replace('ns', 'ns/byte')}",
        f"[host]\nhook-bytes = {FIGURE}",
        f"[capacity]\nstages = {FIGURE}",
        "hook = 3",
    ],
)
def test_a_malformed_profile_is_one_error(text):
    """Whatever is wrong with it: no number without unit, mark, source and conditions."""
    with pytest.raises(ProfileError, match="p"):
        parse_profile("p", text)


@pytest.mark.parametrize("name", profile_names())
def test_every_figure_has_its_source(name):
    """The profiles that ship parse, and say where each figure is from and under which conditions."""
    for _, section in load_profile(name).sections:
        for _, figure in section:
            assert len(figure.source) > 10
            assert len(figure.conditions) > 5
            assert figure.mark != "R" or "judgement" in figure.source or "recalled" in figure.source
            assert figure.unit in UNITS
            assert figure.mark in MARKS


def test_an_unknown_profile_lists_the_known():
    """Also a name that would leave the folder."""
    for name in ("nope", "../../secrets"):
        with pytest.raises(ProfileError, match="x86-server"):
            load_profile(name)


def test_a_path_names_a_profile_of_the_users(tmp_path):
    """It prices as one that ships does, and is read again when it changes."""
    path, view = tmp_path / "nic.toml", DeviceView("n", "smartnic", str(tmp_path / "nic.toml"))
    for price in (1, 7):
        path.write_text(f"[smartnic]\nhook = {FIGURE.replace('= 1', f'= {price}')}\n")
        assert ProfileModel().entry_cost(view, ByteCount(9)) == Cost(Nanoseconds(price))


@pytest.mark.parametrize("content", [None, b"\xff", b"[host", b"hook = 3", b" " * (1 << 20) + b" "], ids=repr)
def test_a_path_to_no_profile_is_one_error(tmp_path, content):
    """A file that is missing, a folder, no text, no TOML, without a section, or larger than any profile."""
    path = tmp_path / "nic.toml"
    if content is not None:
        path.write_bytes(content)
    for wrong in (path, tmp_path / "missing.toml"):
        with pytest.raises(ProfileError, match=r"nic\.toml|missing\.toml"):
            load_profile(str(wrong))
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(str(path))


def test_a_figure_that_lacks_is_that_of_the_shorter_name():
    """`lookup-state-lru`, else `lookup-state`; only what is searched row by row may lack altogether."""
    found = parse_profile("p", f"[host]\na = {FIGURE}\na-b = {FIGURE}\n")
    assert [found.nearest("host", n)[0] for n in ("a", "a-x", "a-b", "a-b-c")] == ["a", "a", "a-b", "a-b"]
    assert found.nearest("host", "ab") is None
    assert found.nearest("kernel", "a") is None
    switch = DeviceView("s", "switch", "tofino-2")
    assert ProfileModel().op_cost(Work(rows=(("exact", 9),)), switch, ByteCount(1)) == Cost(Nanoseconds(0))
    assert ProfileModel().op_cost(Work(stores=(("add-lru", 1),)), switch, ByteCount(1)).latency.value == 2.96


def test_tc_has_prices_of_its_own():
    """What the section of a hook lacks is that of the device's kind."""
    at = {hook: DeviceView("k", "kernel", hook=hook) for hook in (None, "ingress", "egress")}
    entry = {hook: ProfileModel().entry_cost(view, ByteCount(1)).latency.value for hook, view in at.items()}
    assert entry[None] == entry["ingress"] < entry["egress"]
    assert len({ProfileModel().op_cost(Work(calls=(("udp", 1),)), view, ByteCount(1)) for view in at.values()}) == 1
    sums = Work(checksums=1, sums=(("content", 1),))
    costs = [ProfileModel().op_cost(sums, at[hook], ByteCount(1)).latency for hook in ("ingress", "egress")]
    assert costs[0] < costs[1]


def test_offloads_are_priced_by_the_chunnels_they_stand_for():
    """Together they may cost something else than one after another; more bytes cost more; others are unknown."""
    card = DeviceView("n", "smartnic", "bluefield-3")
    prices = [ProfileModel().offload_cost(("encrypt", "tcp"), card, ByteCount(n)) for n in (64, 1500)]
    assert prices[0].latency < prices[1].latency
    assert prices[0].cpu == Nanoseconds(0)
    assert ProfileModel().offload_cost(("tcp", "encrypt"), card, ByteCount(64)) is None
    assert ProfileModel().offload_cost(("encrypt",), DeviceView("h", "host"), ByteCount(64)) is None


def test_capacities_have_units():
    """Counts and bytes; None where a profile is silent."""
    assert load_profile("tofino-1").capacity("stages") == Unitless(12)
    assert load_profile("tofino-2").capacity("sram") == ByteCount(20 * 1.25 * 2**20)
    assert load_profile("bluefield-2").capacity("stages") is None


def test_a_host_has_a_price_for_every_primitive_and_transport():
    """No library chunnel is without a cost there, in Python or in C; and no default profile is missing."""
    calls = tuple((name, 1) for name in (*PRIMITIVES, "udp", "tcp"))
    for profile in ("x86-server", "x86-server-c"):
        cost = ProfileModel().op_cost(Work(calls=calls), DeviceView("h", "host", profile), ByteCount(256))
        assert cost is not None
    assert set(ProfileModel.defaults) == set(get_args(DeviceKind))
    assert all(load_profile(name) for name in ProfileModel.defaults.values())


@pytest.mark.parametrize("rate", [10, 25, 40, 100, 200, 400])
def test_ethernet_of_any_rate(rate):
    """A full frame takes its bits at the rate, and what the card takes."""
    cost = ProfileModel().crossing_cost(LinkView("ethernet", (Attribute("rate", rate * 10**9),)), ByteCount(1500))
    assert cost.latency.value == pytest.approx(300 + 12000 / rate)


@pytest.mark.parametrize("name", COST_MODELS.names())
def test_registered_models_conform(name):
    """What any model must keep."""
    assert violations(COST_MODELS.get(name)()) == ()


FAULTS = {
    "negative": "negative",
    "cheaper": "more bytes cost less",
    "moody": "changes from one call",
    "number": "no Cost but a float",
    "choosy": "knows some sizes only",
    "bytes": "in ByteCount, not in Nanoseconds",
    "bare": "a bare float, not in Nanoseconds",
    "infinite": "not finite",
    "mixed": "units are mixed",
    "fails": "ZeroDivisionError",
    "slow": "more than 10",
    "busier": "more bytes cost less",
}


class Bad(ProfileModel):
    """Wrong in the way that `fault` says, in the answers of one of the methods."""

    fault = ""
    calls = 0

    def spoilt(self, cost, size):  # noqa: C901, PLR0911
        type(self).calls += 1
        match self.fault:
            case "negative":
                return Cost(Nanoseconds(-1))
            case "cheaper":
                return Cost(Nanoseconds(1e9 / (1 + size.value)))
            case "busier":
                return Cost(Nanoseconds(1), Nanoseconds(1e9 / (1 + size.value)))
            case "moody":
                return Cost(Nanoseconds(type(self).calls))
            case "choosy":
                return cost if size.value > 64 else None
            case "bytes":
                return Cost(size)
            case "bare":
                return Cost(3.0)
            case "infinite":
                return Cost(Nanoseconds(math.inf))
            case "mixed":
                return Cost(Nanoseconds(1) + size)
            case "fails":
                return 1 / 0
            case "slow":
                time.sleep(0.011)
                return Cost(Nanoseconds(1))
        return 3.0


METHODS = ("op_cost", "entry_cost", "offload_cost", "crossing_cost")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fault", FAULTS)
def test_bad_models_are_caught(fault, method):
    """Whatever an answer of whichever method is: negative, falling with size, moody, in the wrong unit, slow …"""

    def answer(self, *arguments):
        return self.spoilt(Cost(Nanoseconds(1)), arguments[-1])

    model = type("Broken", (Bad,), {"fault": fault, method: answer})()
    found = violations(model)
    assert found
    assert all(FAULTS[fault] in sentence for sentence in found)
    assert len({sentence.partition(":")[0] for sentence in found}) >= 3


def test_a_model_that_answers_nothing_conforms():
    """It may not know anything."""
    nothing = {method: lambda *_: None for method in METHODS}
    assert violations(type("Silent", (CostModel,), nothing)()) == ()


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
    """None, not zero: an unknown link, a device whose profile is of another kind, a primitive without a price."""
    model = ProfileModel()
    assert model.crossing_cost(LinkView("pigeon"), ByteCount(1)) is None
    assert model.op_cost(Work(steps=1), DeviceView("n", "smartnic", "x86-server"), ByteCount(1)) is None
    assert model.op_cost(Work(calls=(("aead_seal", 1),)), KERNEL, ByteCount(1)) is None
    assert model.offload_cost(("encrypt",), KERNEL, ByteCount(1)) is None


def test_a_links_own_delay_takes_the_place_of_its_kinds():
    """A million bits at 1 Gbit/s take a millisecond, and 2 ms on the way are 3."""
    given = (Attribute("rate", 10**9), Attribute("delay", 2 * 10**6))
    cost = ProfileModel().crossing_cost(LinkView("ethernet", given), ByteCount(125_000))
    assert cost.latency.value == pytest.approx(3e6)


def test_the_kernel_is_cheaper_than_a_process():
    """For the same op; and the work is counted from its program."""
    built = compiled(SHARD)
    work = measure(next(p.program for p in built.programs if p.program.hook == "ingress" and p.active))
    assert dict(work.lookups) == {"array": 1}
    assert work.checksums == 3
    assert (work.multiplications, work.divisions, work.writes) == (8, 1, 2)
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
        chosen[model] = next(b.device for b in plan.bindings if b.active and b.op.endswith(".packet"))
    assert list(chosen.values()) == ["kernel(h1)", "h1"]


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
