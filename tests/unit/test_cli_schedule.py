"""`bertha schedule`: stacks share a card, by their own plans."""

import json
from pathlib import Path

import pytest

from bertha_ir.cli.main import main

FOLDER = Path(__file__).parents[2] / "examples" / "fleet"
FILES = [str(FOLDER / f"{name}.chunnel") for name in ("shop", "feed", "offloads")]
SITE = ["--site", str(FOLDER / "site.chunnel")]
MANY = ["--connections", "shop=600", "--connections", "feed=800"]
CARD, HOST = "encrypt.send on nic, tcp.send on nic", "encrypt.send on h1, tcp.send on kernel(h1)"


def scheduled(capsys, *options):
    """The answer as JSON."""
    assert main(["schedule", *FILES, *SITE, *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_where_there_is_room_each_has_its_best(capsys):
    """A few connections of each stack all use the card, as each would alone."""
    answer = scheduled(capsys, "--connections", "shop=100")
    assert answer["counts"] == {"shop": {CARD: 100}, "feed": {CARD: 1}}
    assert answer["runs"]["shop"][CARD]["request.encrypt.send"] == "nic"
    assert [s["reason"] for s in answer["served"]] == [None, None]


def test_a_thousand_flows_go_where_they_gain_most(capsys):
    """Large messages gain more from the card, by their workload; the others do without, and it says what lacks."""
    answer = scheduled(capsys, *MANY)
    assert answer["counts"] == {"shop": {HOST: 600}, "feed": {CARD: 500, HOST: 300}}
    assert answer["optimal"]
    assert answer["usage"] == [{"resource": "nic.flows", "capacity": 1000, "used": 1000, "left": 0}]
    (shop, _) = answer["served"]
    assert shop["reason"]["option"] == CARD
    assert shop["reason"]["short"][0]["resource"] == "nic.flows"


def test_weight_and_priority_turn_it_round(capsys):
    """What counts more, or comes first, is served first."""
    for options in (("--weight", "shop=100"), ("--priority", "shop=1", "--objective", "priority")):
        counts = scheduled(capsys, *MANY, *options)["counts"]
        assert counts["feed"] == {HOST: 800}, options
        assert HOST not in counts["shop"], options


def test_max_min_makes_the_worst_off_as_well_off_as_can_be(capsys):
    """Both stacks are slowed down alike."""
    slowdowns = [s["slowdown"] for s in scheduled(capsys, *MANY, "--objective", "max-min")["served"]]
    assert max(slowdowns) - min(slowdowns) < 0.01
    assert max(slowdowns) < max(s["slowdown"] for s in scheduled(capsys, *MANY)["served"])


def test_what_runs_moves_only_for_enough(capsys, tmp_path):
    """A schedule that is a little better is not worth moving for."""
    now = tmp_path / "now.json"
    now.write_text(json.dumps({"counts": {"shop": {CARD: 500, HOST: 100}, "feed": {HOST: 800}}}))
    stays = scheduled(capsys, *MANY, "--current", str(now), "--threshold", "20")
    assert stays["counts"]["shop"] == {CARD: 500, HOST: 100}
    moves = scheduled(capsys, *MANY, "--current", str(now), "--threshold", "0.1")
    assert moves["counts"]["feed"] == {CARD: 500, HOST: 300}


def test_the_text_has_it_all(capsys):
    """Who runs how, what is left, why not better, and whether that is proved."""
    assert main(["schedule", *FILES, *SITE, *MANY]) == 0
    out = capsys.readouterr().out
    for part in ("shop   600", "nic.flows  1000 of 1000  0 left", "600 of `shop` do without", "the least: proved"):
        assert part in out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--connections", "shop"), "`--connections shop` has no number"),
        (("--connections", "cart=1"), "no stack is called `cart`"),
        (("--weight", "shop=heavy"), "`--weight shop=heavy` has no number"),
        (("--cost-model", "none"), "no cost model is called `none`"),
        (("--current", "/nowhere/now.json"), "`/nowhere/now.json` is no answer of `bertha schedule --json`"),
    ],
)
def test_wrong_use_is_said_in_a_line(capsys, options, why):
    """With the exit status of wrong usage."""
    assert main(["schedule", *FILES, *SITE, *options]) == 2
    err = capsys.readouterr().err
    assert why in err
    assert len(err.splitlines()) == 2


def test_connections_below_zero_are_no_schedule(capsys):
    """The scheduler's own word for it, in a line."""
    assert main(["schedule", *FILES, *SITE, "--connections", "shop=-3"]) == 1
    assert "shop" in capsys.readouterr().err
