"""Calibration: the fit finds what it is given, profiles are written as they are read, probes run alike each time."""

import random
import tomllib

import pytest
from attrs import evolve
from loading import needs_kernel

from bertha_ir.backends.base import Unit
from bertha_ir.backends.ebpf.target import EbpfBackend
from bertha_ir.backends.python.target import PythonBackend
from bertha_ir.cost_models.base import DeviceView
from bertha_ir.cost_models.calibration import kernel, probes, process, run, trial
from bertha_ir.cost_models.calibration.fit import fit, line
from bertha_ir.cost_models.calibration.written import toml
from bertha_ir.cost_models.figures import Figure, Profile, load_profile, parse_profile, profile_names
from bertha_ir.cost_models.profile import ProfileModel
from bertha_ir.cost_models.units import ByteCount
from bertha_ir.cost_models.work import measure
from bertha_ir.interpreter.program import Machine

BRIEF = process.Effort(20_000, 2)
FRAME = probes.frame((probes.SOURCE, 5000), (probes.SERVICE, probes.PORT), probes.payload())


def test_the_fit_finds_the_figures_that_made_the_times():
    """Times computed from figures give these back, to a thousandth, also where one of them is zero."""
    rng = random.Random(7)
    truth = {"hook": 25.0, "step": 0.1, "lookup": 11.0, "store": 150.0, "free": 0.0}
    rows = [{"hook": 1.0, **{n: float(rng.randrange(9)) for n in list(truth)[1:]}} for _ in range(40)]
    times = [sum(truth[n] * count for n, count in row.items()) for row in rows]
    assert fit(rows, times) == pytest.approx(truth, abs=1e-3)


def test_no_figure_is_negative():
    """Where more work took less time, the figure is zero and not less."""
    found = fit([{"hook": 1.0}, {"hook": 1.0, "odd": 9.0}], [100.0, 90.0])
    assert found["odd"] == 0.0
    assert found["hook"] == pytest.approx(94.5, abs=1)


def test_a_line_has_a_fixed_part_and_one_per_byte():
    """As the times of AES-GCM on the reference's machine: 296 ns, and 0.17 ns for each byte."""
    sizes = (64, 256, 1400, 8192)
    assert line(sizes, [296 + 0.17 * size for size in sizes]) == pytest.approx((296, 0.17), rel=1e-3)


@pytest.mark.parametrize("name", profile_names())
def test_a_written_profile_reads_as_it_was(name):
    """Sections, names with a plus sign among them, figures, sources in whatever characters."""
    profile = load_profile(name)
    assert parse_profile(name, toml(profile, "about\nit")) == profile
    odd = Figure(1.5, "ns", 'a "quoted" \\ path\x7f\n', "ä\t→", "M")
    made = Profile("p", (("offload", (("encrypt+tcp", odd),)), ("empty", ())))
    assert tomllib.loads(toml(made, "x"))["offload"]["encrypt+tcp"]["source"] == odd.source
    assert parse_profile("p", toml(made, "x")).figure("offload", "encrypt+tcp") == odd


@pytest.mark.parametrize("hook", ["ingress", "egress"])
def test_probes_can_run_in_the_kernel_and_go_the_same_way_each_time(hook):
    """The backend takes them; run on what came out of them, they neither drop nor stop short of their block."""
    for probe in probes.on_frames(hook):
        assert EbpfBackend().validate(Unit(probe.program)) == (), probe.name
        machine, data = Machine(probe.program, lambda _: 5), FRAME
        first = machine.run(data)
        for _ in range(3):
            outcome = machine.run(data)
            assert (outcome.verdict, outcome.block) == ("pass", first.block), probe.name
            data = outcome.data
        assert (first.block is None) == (probe.name == "empty")


def test_probes_can_run_in_a_process():
    """The Python backend takes them, and they reach their block."""
    for probe in probes.on_datagrams():
        assert PythonBackend().validate(Unit(probe.program)) == (), probe.name
        assert Machine(probe.program, lambda _: 5).run(probes.payload()).block is not None


def test_the_probes_show_all_that_the_library_does():
    """Whatever is counted of the chains that a profile is tried on, some probe does: so it has a figure."""
    for hook, chains in (("ingress", trial.CHAINS), ("egress", trial.CHAINS), ("process", trial.IN_PROCESS)):
        made = probes.on_datagrams() if hook == "process" else probes.on_frames(hook)
        shown = {name for probe in made for name, count in measure(probe.program).items() if count}
        for chain in chains:
            done = {name for name, count in measure(trial.compiled(chain, hook)).items() if count}
            assert done <= shown, chain


def test_what_this_host_takes_is_a_profile(monkeypatch):
    """Without the kernel: a figure for every primitive and transport, each above zero, and a note of what lacks."""
    monkeypatch.setattr(process, "QUICK", BRIEF)
    monkeypatch.setattr(kernel, "missing", lambda: ("CAP_BPF",))
    told = []
    made = run.calibrate(quick=True, progress=told.append)
    assert len(told) == run.steps(quick=True) < run.steps(quick=False)
    assert made.notes == ("the kernel's hooks are not measured: this process lacks CAP_BPF",)
    assert [name for name, _ in made.profile.sections] == ["host"]
    again = parse_profile("here", toml(made.profile, "x"))
    for name in ("hook", "call-udp", "call-tcp", "call-fnv1a", "call-pack", "call-unpack", "call-http2_frame"):
        assert again.figure("host", name).value > 0
        assert again.figure("host", name).mark == "M"
    assert made.profile.figure("host", "step-multiply") is not None


def test_a_library_that_is_not_installed_is_a_note(monkeypatch):
    """Ciphers are left out, and the note says what to install."""
    monkeypatch.setattr(process, "QUICK", BRIEF)
    monkeypatch.setattr(kernel, "missing", lambda: ("clang",))

    def absent(*_):
        raise ModuleNotFoundError(name="cryptography")

    monkeypatch.setattr(process.run, "aead_seal", absent)
    made = run.calibrate(quick=True, progress=lambda _: None)
    assert any("cryptography is not installed" in note for note in made.notes)
    assert made.profile.figure("host", "call-aead_seal") is None
    assert made.profile.figure("host", "call-delimit") is not None


def test_a_trial_without_the_kernel(monkeypatch, tmp_path):
    """Chains in a process are tried; what a profile is silent on is a note, not a crash."""
    monkeypatch.setattr(process, "QUICK", BRIEF)
    monkeypatch.setattr(kernel, "missing", lambda: ("clang",))
    found = trial.validate("x86-server", quick=True, progress=lambda _: None)
    assert {t.hook for t in found.trials} == {"process"}
    assert len(found.trials) == len(trial.IN_PROCESS) == trial.steps()
    assert trial.summary(found.trials).mean <= trial.summary(found.trials).worst
    silent = tmp_path / "silent.toml"
    silent.write_text("[kernel]\n")
    nothing = trial.validate(str(silent), quick=True, progress=lambda _: None)
    assert nothing.trials == ()
    assert any("lacks figures for `nat" in note for note in nothing.notes)


def test_errors_are_relative_to_what_was_measured():
    """110 where 100 was measured is 10 % too much."""
    one = trial.Trial("c", "ingress", 110.0, 100.0)
    assert one.error == pytest.approx(0.1)
    found = trial.summary((one, evolve(one, predicted=70.0)))
    assert (found.mean, found.worst) == pytest.approx((0.2, 0.3))


class TestKernel:
    """In this host's kernel."""

    pytestmark = needs_kernel

    def test_more_of_the_same_takes_longer(self):
        """Four stores more than one, and a hash map's more than a cell's: what the fit relies on."""
        effort = kernel.Effort(20_000, 5)
        times = {
            p.name: kernel.time_of(p.program, FRAME, effort) for p in probes.on_frames("ingress") if "set" in p.name
        }
        for form in ("map", "lru"):
            assert times[f"4 set {form}"] > 2 * times[f"1 set {form}"] > times["1 set cell"]

    @pytest.mark.parametrize("hook", ["ingress", "egress"])
    def test_chains_are_tried_on_frames_that_stay_as_they_are(self, hook):
        """A chain is timed on a frame that it drops or leaves alone: otherwise runs after the first go another way."""
        for chain in trial.CHAINS:
            program = trial.compiled(chain, hook)
            assert kernel.steady(program, trial.steady_frame(program)), chain

    def test_a_calibrated_profile_prices_all_chains(self, monkeypatch):
        """Both hooks have a section, and every chain a price."""
        monkeypatch.setattr(process, "QUICK", BRIEF)
        monkeypatch.setattr(kernel, "QUICK", kernel.Effort(1000, 2))
        made = run.calibrate(quick=True, progress=lambda _: None)
        assert [name for name, _ in made.profile.sections] == ["host", "kernel", "kernel-egress"]
        assert made.notes == ()
        model = ProfileModel()
        monkeypatch.setattr("bertha_ir.cost_models.profile.load_profile", lambda _: made.profile)
        for hook in ("ingress", "egress"):
            view = DeviceView("k", "kernel", "here", hook=hook)
            for chain in trial.CHAINS:
                assert model.op_cost(measure(trial.compiled(chain, hook)), view, ByteCount(256)) is not None
