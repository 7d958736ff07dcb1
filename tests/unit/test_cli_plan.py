"""`bertha plan` says what messages meet, where and why, what each part costs, and what was changed for it."""

import io
import json
import sys

import pytest
from attrs import evolve
from catalogue import NAMES, built
from explained import SLIDES

from bertha_ir import api
from bertha_ir.cli.main import main
from bertha_ir.plan import Assumption, Binding, Crossing, LedgerEntry, Outline, Plan, Refusal
from bertha_ir.report.journey import Hop, planned, written
from bertha_ir.report.text import BAR, EIGHTHS, Style, bar, text_of
from bertha_ir.spec import Site, Specification

PLAN = Plan(
    "kv",
    ("client", "server"),
    ("c1", None),
    (0x0A000001, 4242),
    ("c1", "tor", "h1"),
    (
        Binding("shard.packet", "request", "tor", "p4", "pipeline", active=True, reason="first", latency_ns=80.0),
        Binding("shard.packet", "request", "h1", "python", "process", active=False, reason="second"),
    ),
    (Refusal("shard.packet", "c1", "is no device\x1b[2J of the path"),),
    (Crossing("request", "c1", "tor", "ethernet", 1500.0), Crossing("request", "tor", "h1", "ethernet", 20.0)),
    (
        LedgerEntry("undo", "wire", "proved", "z3", "one", "0123456789abcdef" * 4),
        LedgerEntry("undo", "wire", "proved", "effects", "two"),
    ),
    (Assumption("messages have 64 bytes", "compiler", "costs"),),
    64,
    "profile",
    before=Outline((("request.shard.packet", "h1"),), (("ethernet", 2),), 3200.0),
)
TEXT = f"""\
stack kv: client on c1, server on any host, at 10.0.0.1:4242
  path: c1 - tor - h1
  request, 1.6 µs:
                  → tor  ethernet     1.5 µs  94 %
    shard.packet  tor    p4 pipeline  80 ns   5 %   first
                  → h1   ethernet     20 ns   1 %
    of which ethernet 95 %, ops 5 %
  standby, request:
    shard.packet  h1  python process  unknown  second
  compared:
               as written        as planned
    a request  3.2 µs            1.6 µs (50.0 % less)
    crossings  2 ethernet        2 ethernet
    request    shard.packet  h1
  rewritten:
    undo
      proved by z3, certificate 0123456789ab: one
      proved by effects: two
  refused:
    shard.packet  c1  is no device\\u{{1b}}[2J of the path
  latency of a request of 64 bytes: 1.6 µs by `profile`
  assumed: messages have 64 bytes
  id: {PLAN.id}
"""


@pytest.fixture
def fixed(monkeypatch):
    """Compiling gives the plan above."""
    compiled = api.Compiled(Specification((), (), (), Site()), (PLAN,), (), (), "place")
    monkeypatch.setattr(api, "build", lambda *_, **__: compiled)


@pytest.mark.usefixtures("fixed")
def test_a_plan_says_what_where_why_and_at_what_cost(capsys):
    """Steps in the order messages meet them, standbys, before and after, rewrites, refusals, cost; nothing steers."""
    assert main(["plan", "f"]) == 0
    assert capsys.readouterr().out == TEXT


@pytest.mark.usefixtures("fixed")
def test_a_plan_as_json_has_its_explanation(capsys):
    """The plan as in plan.json, and each step with its part of the cost."""
    assert main(["plan", "f", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (plan,) = answer["plans"]
    assert (answer["schema"], plan["id"], plan["latency_ns"]) == (1, PLAN.id, 1600.0)
    assert {k: v for k, v in plan.items() if k != "explained"} == json.loads(json.dumps(api.plan_data(PLAN)))
    (journey,) = plan["explained"]["journeys"]
    assert [s.get("op", s.get("crosses")) for s in journey["steps"]] == ["ethernet", "shard.packet", "ethernet"]
    assert sum(s["share"] for s in journey["steps"]) == pytest.approx(1)
    assert journey["shares"] == {"ethernet": pytest.approx(0.95), "ops": pytest.approx(0.05)}


def test_what_moved_is_marked_and_told():
    """An op that is on another device has a star beside its new one; the order of ops counts as well."""
    outline = Outline((("request.shard.packet", "h1"),), (("ethernet", 2),), 3200.0)
    plan = evolve(PLAN, orders=(api.plan.Order("request", ("shard.packet",)),), before=outline)
    assert "shard.packet  h1  shard.packet  tor *\n" in text_of(plan, Style())
    same = evolve(plan, before=plan.after)
    assert "compared: as written, each op is on the same device, in the same order" in text_of(same, Style())
    assert "*" not in text_of(same, Style())


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_the_plans_own(name):
    """The steps of a way have each op and crossing once, join each other, and cost together what the plan does."""
    (plan,) = built(name).plans
    for journey in planned(plan):
        hops = [s for s in journey.steps if isinstance(s, Hop)]
        ours = [c for c in plan.crossings if c.direction == journey.direction]
        assert [(h.a, h.b, h.kind, h.latency_ns) for h in hops] == [(c.a, c.b, c.kind, c.latency_ns) for c in ours]
        at = 0
        for step in journey.steps:
            if isinstance(step, Hop):
                assert step.stops[0] == at
                at = step.stops[1]
            else:
                assert step.device in {journey.stops[at], f"kernel({journey.stops[at]})"}
        assert at == len(journey.stops) - 1
    assert planned(plan)[0].latency_ns == pytest.approx(plan.latency_ns)


@pytest.mark.parametrize("name", [*NAMES, None])
def test_the_way_as_written_crosses_what_the_compiler_counts(name):
    """Where messages go is derived from where ops run; the number of links of each kind is the outline's."""
    files = [SLIDES / f"{n}.chunnel" for n in ("web", "offloads", "site")]
    (plan,) = (built(name) if name else api.build(files)).plans
    assert plan.before is not None
    counts: dict[str, int] = {}
    for hop in (s for journey in written(plan) for s in journey.steps if isinstance(s, Hop)):
        counts[hop.kind] = counts.get(hop.kind, 0) + 1
    assert tuple(sorted(counts.items())) == plan.before.crossings


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_not_wider_than_a_terminal(name):
    """Nothing real is wider than 100 columns, with bars or without; narrower where the terminal is."""
    (plan,) = built(name).plans
    for style in (Style(), Style(bars=EIGHTHS)):
        assert max(map(len, text_of(plan, style).splitlines())) <= 100
    assert max(map(len, text_of(plan, Style(width=90)).splitlines())) <= 90


class Terminal(io.StringIO):
    """What Python writes to when somebody is looking."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("fixed")
def test_bars_and_colours_are_for_who_looks(monkeypatch, capsys):
    """On a terminal there are both; NO_COLOR leaves the bars; in a pipe neither, unless FORCE_COLOR asks for them."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert main(["plan", "f"]) == 0
    assert capsys.readouterr().out == TEXT
    for variable, coloured in ((None, True), ("NO_COLOR", False)):
        with monkeypatch.context() as patch:
            if variable:
                patch.setenv(variable, "1")
            patch.setattr(sys, "stdout", Terminal())
            assert main(["plan", "f"]) == 0
            shown = sys.stdout.getvalue()
        assert "█" * BAR in shown
        assert ("\x1b[" in shown) == coloured
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["plan", "f"]) == 0
    assert "\x1b[1mstack kv" in capsys.readouterr().out


def test_bars_are_as_long_as_their_share():
    """The longest is full; the least is seen; an encoding without blocks has whole signs."""
    assert bar(0.5, 0.5, EIGHTHS) == "█" * BAR
    assert bar(0.25, 0.5, EIGHTHS) == "█" * (BAR // 2)
    assert bar(1e-9, 0.5, EIGHTHS) == EIGHTHS[0]
    assert bar(0.25, 0.5, "#") == "#" * (BAR // 2)
    assert bar(None, 0.5, "#") == bar(0.0, 0.5, "#") == ""
