"""The scheduler: what it answers, and what it refuses."""

import sys
from math import inf, nan
from random import Random

import pytest
from attrs import evolve
from schedules import question

from bertha_ir.passes.schedule import (
    CannotServeError,
    Hysteresis,
    Kind,
    MistakenError,
    NothingFoundError,
    Option,
    Resource,
    Shortage,
    exact,
    greedy,
    problem,
    solve,
)

ENGINES = ["exact", "cp-sat"]
NIC = Resource("nic", 10)
SLOW = Option("kernel", 5.0)
FAST = Option("nic", 1.0, (("nic", 1),))


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "cp-sat":
        pytest.importorskip("ortools", reason="the extra `search` is not installed")
    return request.param


def test_the_fast_option_goes_to_those_that_gain_most(engine):
    """Ten places for sixteen connections: the heavier kind has them all, the other what is left; both are told why."""
    light, heavy = Kind("light", 8, (SLOW, FAST)), Kind("heavy", 8, (SLOW, FAST), weight=2)
    answer = solve([NIC], [light, heavy], engine=engine)
    assert answer.counts() == {"light": {"kernel": 6, "nic": 2}, "heavy": {"nic": 8}}
    assert (answer.cost, answer.bound, answer.gap, answer.optimal) == (48.0, 48.0, 0.0, True)
    assert [(u.resource, u.used, u.left) for u in answer.usage] == [("nic", 10, 0)]
    assert [s.slowdown for s in answer.served] == [4.0, 1.0]
    told = answer.served[0].reason
    assert (told.option, told.missed, told.short) == ("nic", 6, (Shortage("nic", 1, 0),))
    assert told.text == (
        "6 of `light` do without `nic`: one more needs 1 of `nic`, which has 0 of 10 left "
        "(taken by `heavy`: 8, `light`: 2)"
    )
    assert answer.served[1].reason is None


def test_a_higher_priority_is_served_first(engine):
    """However little the higher one gains and however much the lower one would."""
    low = Kind("low", 8, (evolve(SLOW, cost=1000.0), FAST))
    high = Kind("high", 8, (evolve(SLOW, cost=1.1), FAST), priority=1)
    assert solve([NIC], [low, high], engine=engine).counts()["low"] == {"nic": 8}
    answer = solve([NIC], [low, high], objective="priority", engine=engine)
    assert answer.counts() == {"low": {"kernel": 6, "nic": 2}, "high": {"nic": 8}}
    assert [p.what for p in answer.proofs] == ["cost of priority 1", "cost of priority 0"]
    assert [p.value for p in answer.proofs] == pytest.approx([8.0, 6002.0])


def test_max_min_levels_slowdowns_whatever_the_weights(engine):
    """Two like kinds share evenly; and what the worst-off cannot use goes to the next."""
    one, two = Kind("one", 10, (SLOW, FAST), weight=9), Kind("two", 10, (SLOW, FAST))
    alone = Kind("alone", 1, (evolve(FAST, cost=2.0),))
    answer = solve([NIC, Resource("x", 1)], [one, two], objective="max-min", engine=engine)
    assert answer.counts() == {"one": {"kernel": 5, "nic": 5}, "two": {"kernel": 5, "nic": 5}}
    answer = solve([NIC], [one, alone], objective="max-min", engine=engine)
    assert answer.counts() == {"one": {"kernel": 1, "nic": 9}, "alone": {"nic": 1}}


def test_what_is_shared_is_paid_once(engine):
    """One table serves all connections of all kinds that use it; two tables of the same size do not fit."""
    shared = Option("shared", 1.0, shared=(("nic", "table", 8),))
    kinds = [Kind(name, 100, (SLOW, shared)) for name in ("a", "b")]
    answer = solve([NIC], kinds, engine=engine)
    assert answer.counts() == {"a": {"shared": 100}, "b": {"shared": 100}}
    assert answer.usage[0].used == 8
    own = evolve(kinds[1], options=(SLOW, evolve(shared, shared=(("nic", "other", 8),))))
    answer = solve([NIC], [kinds[0], own], engine=engine)
    assert sorted(answer.counts().values(), key=str) == [{"kernel": 100}, {"shared": 100}]
    assert "one more needs 8 of `nic`, which has 2 of 10 left (taken by" in str(answer)


def test_a_share_that_is_paid_is_worth_its_price(engine):
    """The first kind's dearer option takes as much of the resource, but leaves a table that the other can use."""
    table = (("nic", "table", 10),)
    one = Kind("a", 1, (Option("own", 1.0, (("nic", 10),)), Option("table", 2.0, shared=table)))
    two = Kind("b", 1, (Option("software", 100.0), Option("table", 1.0, shared=table)))
    assert solve([NIC], [one, two], engine=engine).counts() == {"a": {"table": 1}, "b": {"table": 1}}


@pytest.mark.parametrize(("places", "fast"), [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_max_min_where_some_are_stuck_and_others_take_turns(engine, places, fast):
    """One kind cannot do better whatever the others do; of four that are alike, any may have the places there are, and
    of two others those are better off that leave them.
    """
    stuck = Kind("stuck", 1, (evolve(SLOW, cost=9.0), evolve(FAST, uses=(("nic", 11),))))
    alike = [Kind(f"k{n}", 1, (SLOW, FAST)) for n in range(4)]
    less = Kind("less", 1, (evolve(SLOW, cost=2.0), FAST))
    answer = solve(
        [evolve(NIC, capacity=places)], [*alike, less, stuck], objective="max-min", limit_s=20, engine=engine
    )
    assert answer.optimal
    assert [s.slowdown for s in answer.served[4:]] == [2.0, 9.0]
    assert sorted(s.slowdown for s in answer.served[:4]) == [1.0] * fast + [5.0] * (4 - fast)


@pytest.mark.parametrize("names", ["abc", "bac", "cab", "acb"])
def test_max_min_chooses_which_kind_is_the_worst_off(monkeypatch, engine, names):
    """Either of two kinds must be slow; it is the one that leaves more to the third, whichever is found first."""
    monkeypatch.setattr(greedy, "found", lambda *_: None)
    one = Kind(names[0], 1, (SLOW, FAST))
    two = Kind(names[1], 1, (SLOW, evolve(FAST, uses=(("nic", 1), ("x", 1)))))
    third = Kind(names[2], 1, (evolve(SLOW, cost=3.0), evolve(FAST, uses=(("x", 1),))))
    places = [evolve(NIC, capacity=1), Resource("x", 1)]
    answer = solve(places, [one, two, third], objective="max-min", engine=engine)
    assert [s.slowdown for s in answer.served] == [1.0, 5.0, 1.0]


RUNNING = Kind("k", 10, (evolve(SLOW, cost=1.5), evolve(FAST, cost=1.4)), current={"kernel": 10})


@pytest.mark.parametrize(
    ("hysteresis", "moved"),
    [
        (Hysteresis(), 10),
        (Hysteresis(penalty=0.09), 10),  # each gains 0.1
        (Hysteresis(penalty=0.1), 0),
        (Hysteresis(absolute=1.0), 10),  # they gain 1.0 together, and reach it
        (Hysteresis(absolute=1.0001), 0),
        (Hysteresis(relative=0.066), 10),  # of 15
        (Hysteresis(relative=0.067), 0),
        (Hysteresis(relative=0.066, absolute=2), 0),
        (Hysteresis(penalty=0.05, absolute=0.5), 10),  # net of the penalty
        (Hysteresis(penalty=0.05, absolute=0.6), 0),
    ],
)
def test_what_runs_moves_only_above_the_threshold(engine, hysteresis, moved):
    """Exactly at the threshold it moves; below, and where moving costs as much as it gains, it stays."""
    answer = solve([NIC], [RUNNING], hysteresis=hysteresis, engine=engine)
    assert answer.optimal
    assert answer.served[0].moved == moved
    assert answer.cost == pytest.approx(14 if moved else 15)
    assert answer.penalty == pytest.approx(hysteresis.penalty * moved)
    if answer.decision:
        assert answer.decision.moves == bool(moved)
        assert answer.decision.avoidable == 10
        assert answer.decision.text.startswith("moving 10 connections gains ")


def test_below_the_threshold_what_must_move_moves(engine):
    """A place less and an option that is gone: those connections move, no other; new ones go where it is best."""
    kind = Kind("k", 14, (evolve(SLOW, cost=1.5), FAST), current={"nic": 11, "old": 1})
    answer = solve([NIC], [kind], hysteresis=Hysteresis(absolute=100), engine=engine)
    assert (answer.counts(), answer.served[0].moved) == ({"k": {"kernel": 4, "nic": 10}}, 2)
    kind = Kind("k", 3, (evolve(SLOW, cost=1.5), FAST), current={"kernel": 2})
    answer = solve([NIC], [kind], hysteresis=Hysteresis(absolute=100), engine=engine)
    assert (answer.counts(), answer.served[0].moved) == ({"k": {"kernel": 2, "nic": 1}}, 0)
    assert answer.decision.text == "moving 2 connections gains 1 of cost, less than the threshold 100"


def test_a_penalty_lets_those_move_that_gain_most(engine):
    """The threshold is for all together, the penalty for each."""
    kinds = [Kind(n, 5, (evolve(SLOW, cost=c), FAST), current={"kernel": 5}) for n, c in (("a", 9.0), ("b", 2.0))]
    answer = solve([NIC], kinds, hysteresis=Hysteresis(penalty=3), engine=engine)
    assert [s.moved for s in answer.served] == [5, 0]
    assert answer.served[1].reason.text.endswith("moving to it would not pay, or the search ended too soon")


def test_ties_are_decided_alike(engine):
    """Of equal options the one named first; whatever the order of kinds and resources, and every time."""
    equal = (evolve(SLOW, name="z"), evolve(SLOW, name="a"))
    assert solve([NIC], [Kind("k", 5, equal)], engine=engine).counts() == {"k": {"z": 5}}
    assert solve([NIC], [Kind("k", 5, equal, current={"a": 3})], engine=engine).counts() == {"k": {"z": 2, "a": 3}}
    for seed in range(60):
        asked = question(Random(seed), kinds=5, capacity=40)
        answers = []
        for turn in range(3):
            resources, kinds = list(asked.resources), list(asked.kinds)
            if turn == 2:
                Random(seed).shuffle(resources)
                Random(seed).shuffle(kinds)
            try:
                answers.append(solve(resources, kinds, engine=engine).counts())
            except CannotServeError as error:
                answers.append(str(error))
        assert answers[0] == answers[1] == answers[2], seed


def test_the_cost_is_that_of_the_floats_that_were_given(engine):
    """Costs of many digits are rounded for the search, and what is shown is not; the bound is never above it."""
    rng = Random(3)
    for scale in (1e-9, 1.0, 1e12):
        kinds = [
            Kind(f"k{n}", 40, tuple(Option(f"o{i}", scale * rng.random(), (("nic", i),)) for i in range(3)))
            for n in range(3)
        ]
        answer = solve([evolve(NIC, capacity=90)], kinds, engine=engine)
        costs = {(k.name, o.name): o.cost for k in kinds for o in k.options}
        total = sum(costs[s.kind, option] * count for s in answer.served for option, count in s.counts)
        assert answer.cost == pytest.approx(total, rel=1e-12)
        assert answer.optimal
        assert answer.bound <= answer.cost <= answer.bound * (1 + 1e-9)


def test_costs_too_far_apart_are_not_called_optimal(engine):
    """Where one cost is so large that others round to nothing, the answer says that its gap is not known to be none."""
    huge = Kind("huge", 1, (Option("only", 1e25),), weight=0.5, priority=0)
    small = Kind("small", 3, (evolve(SLOW, cost=0.3), FAST), priority=1)
    answer = solve([NIC], [huge, small], objective="priority", engine=engine)
    assert not answer.proofs[0].optimal
    assert not answer.optimal
    assert (answer.open.what, answer.bound, answer.gap) == ("cost of priority 1", 0.0, 1.0)


def test_nothing_to_serve(engine):
    """No kinds, and kinds without connections or options, cost nothing."""
    for objective in ("weighted", "priority", "max-min"):
        for kinds in ([], [Kind("k", 0, ()), Kind("j", 0, (SLOW,), current={"kernel": 3})]):
            answer = solve([NIC], kinds, objective=objective, engine=engine)
            assert (answer.cost, answer.bound, answer.optimal) == (0.0, 0.0, True)
            assert [s.moved for s in answer.served] == [0] * len(kinds)


def test_the_error_names_the_kind_and_the_resource(engine):
    """The kind of the lowest priority is the one that cannot be served; the error says how much would do."""
    kinds = [Kind("a", 8, (FAST,)), Kind("b", 8, (FAST,), priority=2), Kind("c", 1, (SLOW,))]
    with pytest.raises(CannotServeError) as caught:
        solve([NIC, Resource("x", 0)], kinds, engine=engine)
    assert str(caught.value) == "`a` cannot be served: `nic` has 10 and would need 16"
    assert (caught.value.kind, caught.value.short) == ("a", (Shortage("nic", 16, 10),))
    with pytest.raises(CannotServeError, match="`k` cannot be served: it has no option"):
        solve([NIC], [Kind("k", 1, ())], engine=engine)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ({"connections": -1}, "`k` has -1 connections"),
        ({"weight": nan}, "the weight of `k` has the number nan"),
        ({"weight": -1}, "the weight of `k` has the number -1"),
        ({"current": {"nic": -2}}, "`k` has -2 connections that run by `nic`"),
        ({"options": (SLOW, SLOW)}, "the option of `k` `kernel` is there twice"),
        ({"options": (evolve(SLOW, cost=inf),)}, "`kernel` of `k` has the number inf"),
        ({"options": (evolve(FAST, uses=(("tcam", 1),)),)}, "`nic` of `k` uses `tcam`, which is no resource"),
        ({"options": (evolve(FAST, uses=(("nic", -1),)),)}, "`nic` of `k` uses -1 of `nic`"),
        (
            {"options": (evolve(FAST, uses=(("nic", 1), ("nic", 2))),)},
            "the use by `nic` of `k` of `nic` is there twice",
        ),
        (
            {"options": tuple(Option(f"o{n}", 1, shared=(("nic", "t", n),)) for n in (1, 2))},
            "`t` shares several amounts of `nic`: 1, 2",
        ),
    ],
)
def test_mistakes_are_named(kind, message):
    """Each seeded mistake is said, with whose it is; two of them at once."""
    wrong = Kind(**{"name": "k", "connections": 1, "options": (SLOW,), **kind})
    with pytest.raises(MistakenError) as caught:
        solve([NIC], [wrong])
    assert caught.value.mistakes == (message,)
    with pytest.raises(MistakenError) as caught:
        solve([NIC, evolve(NIC, capacity=-1)], [wrong], hysteresis=Hysteresis(penalty=-1))
    assert set(caught.value.mistakes) == {
        message,
        "the resource `nic` is there twice",
        "`nic` has the capacity -1",
        "the hysteresis has the number -1",
    }


def test_mistakes_of_the_whole():
    """An objective that there is not, a limit that is none, the same kind twice, a slowdown over nothing."""
    with pytest.raises(MistakenError, match="`fair` is no objective: weighted, priority, max-min"):
        solve([NIC], [], objective="fair")
    for limit in (0, -1, nan, inf):
        with pytest.raises(MistakenError, match="a limit of"):
            solve([NIC], [], limit_s=limit)
    kind = Kind("k", 1, (SLOW, evolve(SLOW, name="free", cost=0.0)))
    with pytest.raises(MistakenError, match="the kind `k` is there twice"):
        solve([NIC], [kind, kind])
    with pytest.raises(MistakenError, match="`k` has an option that costs nothing, so no slowdown"):
        solve([NIC], [kind], objective="max-min")


def large(kinds=20, connections=500):
    """Kinds that want one of three resources, each too small."""
    rng = Random(5)
    resources = [Resource(f"r{n}", 3 * connections * kinds // 10) for n in range(3)]
    return resources, [
        Kind(
            f"k{n}",
            connections,
            (*(Option(f"o{i}", rng.uniform(1, 9), ((f"r{i}", 1 + n % 3),)) for i in range(3)), SLOW),
        )
        for n in range(kinds)
    ]


def test_when_the_exact_engine_gives_up_the_gap_is_said():
    """Ten thousand connections are too many for it: the greedy schedule holds, and what it is worth is bounded."""
    resources, kinds = large()
    answer = solve(resources, kinds, engine="exact")
    assert not answer.optimal
    assert 0 < answer.gap < 1
    assert answer.bound < answer.cost
    pytest.importorskip("ortools", reason="the extra `search` is not installed")
    best = solve(resources, kinds)
    assert best.engine == "cp-sat"
    assert best.optimal
    assert answer.bound <= best.cost <= answer.cost


@pytest.mark.parametrize("objective", ["weighted", "priority", "max-min"])
def test_ten_thousand_connections_of_twenty_kinds(objective):
    """They are settled, and proved to be."""
    pytest.importorskip("ortools", reason="the extra `search` is not installed")
    answer = solve(*large(), objective=objective)
    assert answer.optimal
    assert sum(n for s in answer.served for _, n in s.counts) == 10_000


def test_when_time_is_up_the_best_found_is_returned(engine):
    """A limit of next to nothing still gives a schedule that holds, and says that it is not proved; where none is known
    it says that.
    """
    resources, kinds = large()
    answer = solve(resources, kinds, limit_s=1e-6, engine=engine)
    assert not answer.optimal
    assert answer.bound <= answer.cost
    with pytest.raises(NothingFoundError, match=r"no schedule was found in 1e-06 s"):
        solve([Resource("r0", 1)], [evolve(kinds[0], options=kinds[0].options[:1])], limit_s=1e-6, engine=engine)


def test_without_or_tools_the_exact_engine_is_taken(monkeypatch):
    """`auto` does without; asking for CP-SAT says what is missing. What is tiny never needs it."""
    monkeypatch.setitem(sys.modules, "ortools", None)
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    monkeypatch.setattr("bertha_ir.passes.schedule.engine.find_spec", lambda _: None)
    kinds = [Kind(f"k{n}", 20, (SLOW, FAST)) for n in range(5)]
    answer = solve([NIC], kinds)
    assert (answer.engine, answer.optimal, answer.cost) == ("exact", True, 460.0)
    with pytest.raises(ImportError):
        solve([NIC], kinds, engine="cp-sat")


def test_an_answer_that_does_not_hold_is_never_shown(monkeypatch):
    """What an engine answers is computed again from what was given."""
    kinds = [Kind("k", 12, (SLOW, FAST))]
    monkeypatch.setattr(problem, "_most", lambda *_: 12)
    monkeypatch.setattr(greedy, "_room", lambda *args: args[-1])
    monkeypatch.setattr(exact, "_search", lambda *_: ((0, 12),))
    with pytest.raises(RuntimeError, match="12 of `nic` are used, which has 10"):
        solve([NIC], kinds, engine="exact")
    monkeypatch.setattr(exact, "_search", lambda *_: ((12, 1),))
    with pytest.raises(RuntimeError, match="does not serve the 12 connections of `k`"):
        solve([NIC], kinds, engine="exact")
