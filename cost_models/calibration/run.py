"""`bertha calibrate`: measures this host, and makes a profile of it."""

from __future__ import annotations

import platform
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attrs import Factory, define, field, frozen

from bertha_ir.cost_models.calibration import kernel, probes, process
from bertha_ir.cost_models.calibration.fit import fit, line
from bertha_ir.cost_models.figures import Figure, Profile
from bertha_ir.cost_models.work import measure
from bertha_ir.runtime.ebpf import EbpfError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bertha_ir.cost_models.calibration.probes import Probe

SOURCE = "measured by bertha calibrate"
DIGITS = 4
SWEEPS = 2  # what else the machine does meanwhile comes in spells
OTHERS = 5  # packing, unpacking, and three times sockets
HALF = 0.5  # one end of two
SOCKETS = "a blocking socket on loopback from Python; one end of two"


@frozen
class Calibration:
    """What was measured, and what could not be, one sentence each."""

    profile: Profile
    notes: tuple[str, ...]


def steps(*, quick: bool) -> int:
    """Return how many times `calibrate` says what it does."""
    hooks = () if kernel.missing() else ("ingress", "egress")
    programs = len(tuple(probes.on_datagrams())) + sum(len(tuple(probes.on_frames(hook))) for hook in hooks)
    return programs * (1 if quick else SWEEPS) + len(process.codecs()) + len(process.plain()) + OTHERS


def calibrate(*, quick: bool, progress: Callable[[str], None]) -> Calibration:
    """Measure this host. What cannot be measured is left out, and a note says what lacks."""
    made = _Measuring(quick, progress)
    host = made.host()
    sections = [("host", host), *made.kernel({n: f for n, f in host.items() if n.startswith(("call-udp", "call-tcp"))})]
    return Calibration(Profile("here", tuple((n, tuple(body.items())) for n, body in sections)), tuple(made.notes))


@define
class _Measuring:
    quick: bool
    progress: Callable[[str], None]
    notes: list[str] = Factory(list)
    _machine: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._machine = f"{processor()}, {platform.system()} {platform.release()}"

    def figure(self, value: float, conditions: str, unit: Literal["ns", "ns/byte"] = "ns") -> Figure:
        """Return a figure of this host."""
        return Figure(float(f"{value:.{DIGITS}g}"), unit, SOURCE, f"{self._machine}; {conditions}", "M")

    def host(self) -> dict[str, Figure]:
        """Return what a Python process takes."""
        effort = process.QUICK if self.quick else process.FULL
        python = f"Python {platform.python_version()}"
        content = probes.payload()

        def time(probe: Probe) -> float:
            called = process.module_of(probe.program).run
            return process.time_of(lambda: called(content), effort)

        found = self._fitted(probes.on_datagrams(), time)
        figures = {name: self.figure(value, f"{python}, fit to small programs") for name, value in found.items()}
        for name, call in process.plain().items():
            self.progress(name.removeprefix("call-"))
            figures[name] = self.figure(process.time_of(call, effort), f"{python}; {process.KEY} bytes at the most")
        for name, make in {**process.codecs(), **self._packing()}.items():
            self._by_size(
                figures, f"call-{name}", make, effort, f"{python}, {process.SIZES[0]} to {process.SIZES[-1]} bytes"
            )
        self._sockets(figures, effort)
        return figures

    @staticmethod
    def _packing() -> dict[str, Callable[[bytes], Callable[[], object]]]:
        (sending, message), (receiving, _) = probes.packing("send"), probes.packing("recv")
        sender, decode = process.module_of(sending, (message,)), process.module_of(receiving, (message,)).decode
        return {
            "pack": lambda m: partial(sender.encode, sender.probe(1, 2, m)),
            "unpack": lambda m: partial(decode, bytes(10) + m),
        }

    def _by_size(  # noqa: PLR0913  (what a figure is made of)
        self,
        figures: dict[str, Figure],
        name: str,
        make: Callable[[bytes], Callable[[], object]],
        effort: process.Effort,
        conditions: str,
        *,
        share: float = 1.0,
    ) -> None:
        """Add the fixed figure and the one per byte of what takes the longer the larger a message is."""
        self.progress(name.removeprefix("call-"))
        try:
            times = [share * process.time_of(make(process.message(size)), effort) for size in process.SIZES]
        except ImportError as error:
            self.notes.append(f"`{name}` is not measured: {error.name} is not installed (bertha-ir[codecs])")
            return
        fixed, each = line(process.SIZES, times)
        figures[name] = self.figure(fixed, conditions)
        figures[f"{name}-bytes"] = self.figure(each, conditions, "ns/byte")

    def _sockets(self, figures: dict[str, Figure], effort: process.Effort) -> None:
        try:
            with process.datagrams() as made:
                self._by_size(figures, "call-udp", made, effort, SOCKETS, share=HALF)
                self.progress("a datagram through the process")
                whole = process.time_of(made(process.message(process.SIZES[0])), effort)
            with process.streams() as made:
                self._by_size(figures, "call-tcp", made, effort, SOCKETS, share=HALF)
        except OSError as error:
            self.notes.append(f"sockets are not measured: {error.strerror or error}")
            return
        called = figures["hook"].value
        conditions = "a UDP message received and sent by a Python process on loopback, and its program called"
        figures["hook"] = self.figure(whole + called, conditions)

    def kernel(self, sockets: dict[str, Figure]) -> list[tuple[str, dict[str, Figure]]]:
        """Return the sections of the kernel's hooks, if programs can be loaded."""
        if missing := kernel.missing():
            self.notes.append(f"the kernel's hooks are not measured: this process lacks {', '.join(missing)}")
            return []
        try:
            ingress, egress = self._hook("ingress"), self._hook("egress")
        except EbpfError as error:
            self.notes.append(f"the kernel's hooks are not measured: {error}")
            return []
        return [("kernel", {**ingress, **sockets}), ("kernel-egress", egress)]

    def _hook(self, hook: Literal["ingress", "egress"]) -> dict[str, Figure]:
        effort = kernel.QUICK if self.quick else kernel.FULL
        frame = probes.frame((probes.SOURCE, 5000), (probes.SERVICE, probes.PORT), probes.payload())
        found = self._fitted(probes.on_frames(hook), lambda p: kernel.time_of(p.program, frame, effort))
        name = "TC" if hook == "egress" else "XDP"
        conditions = f"{name}, fit to small programs that run again and again (BPF_PROG_TEST_RUN), with that loop"
        return {n: self.figure(value, conditions) for n, value in found.items()}

    def _fitted(self, made: Iterable[Probe], time: Callable[[Probe], float]) -> dict[str, float]:
        """Time all programs, twice some seconds apart where there is time for it, and fit figures to the less."""
        tried = tuple(made)
        times = [float("inf")] * len(tried)
        for _ in range(1 if self.quick else SWEEPS):
            for i, probe in enumerate(tried):
                self.progress(probe.name)
                times[i] = min(times[i], max(time(probe), 1.0))
        counts = [measure(probe.program).items() for probe in tried]
        rows = [{"hook": 1.0, **{name: float(count) for name, count in row if count}} for row in counts]
        return fit(rows, times)


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(named, platform.machine())
