"""Workloads: what traffic is like, kept with the specification and printed with it."""

from pathlib import Path

import pytest

from bertha_ir import api
from bertha_ir.frontend.load import load
from bertha_ir.spec import Workload
from bertha_ir.text import parse_ir, print_ir

TEXT = """
message Kv over udp { key: u64; op: u8; rest: bytes; }
stack kv(client, server) {
  request: serialize(Kv) |> firewall([10.0.0.0/8]) |> count(Kv.key) |> compress |> firewall([11.0.0.0/8]) |> udp(4242);
  response: compress |> udp(4242);
}
stack one(client, server) { request: udp(1); }
stack other(client, server) { request: udp(2); }
workload kv.request {
  rate 200_000 per second; Kv.op zipf 2; count hits 80.5 %; compress to 40 %; firewall drops 0.1 %; firewall hits 100 %;
  size 64..1500 mean 200; Kv.key zipf 0.99; ipv4.src zipf 0; count drops 0 %;
}
workload kv.response { size 1; }
workload one.request { }
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "app.chunnel").write_text(TEXT, encoding="utf-8")
    return [tmp_path / "app.chunnel"]


def test_a_workload_is_what_was_written(files: list[Path]) -> None:
    """Items come in any order and each may be left out; shares and exponents become thousandths."""
    assert load(files).workloads == (
        Workload(
            "kv",
            "request",
            size=(64, 200, 1500),
            rate=200_000,
            drops=(("firewall", 1), ("count", 0)),
            hits=(("count", 805), ("firewall", 1000)),
            shrinks=(("compress", 400),),
            skews=(("Kv", "op", 2000), ("Kv", "key", 990), ("ipv4", "src", 0)),
        ),
        Workload("kv", "response", size=(1, 1, 1)),
        Workload("one", "request"),
    )


def test_a_workload_knows_its_place(files: list[Path]) -> None:
    """What is said of it later can be said at its direction."""
    assert [w.span.text for w in load(files).workloads if w.span] == ["kv.request", "kv.response", "one.request"]


def test_the_printed_form_parses_back(files: list[Path]) -> None:
    """Workloads are a part of the textual IR; a specification without them prints as before there were any."""
    specification = load(files)
    assert parse_ir(print_ir(specification)) == specification
    assert "(workload " in print_ir(specification)
    assert "(workload " not in print_ir(load(()))


def test_a_workload_may_lie_in_a_file_of_its_own(files: list[Path], tmp_path: Path) -> None:
    """It is measured later than the specification is written."""
    measured = tmp_path / "measured.chunnel"
    measured.write_text("workload other.request { rate 7 per second; }\n", encoding="utf-8")
    assert load([*files, measured]).workloads[-1] == Workload("other", "request", rate=7)


def test_its_words_are_free_elsewhere(tmp_path: Path) -> None:
    """Nothing that is written in a workload became a keyword: chunnels, stacks, messages may be called so."""
    words = ("workload", "size_", "rate", "mean", "per", "second", "zipf", "drops", "hits", "to")
    fields = " ".join(f"{word}: u8;" for word in words)
    chunnels = "".join(f"chunnel {word}() {{ place: path; on packet(m) {{ drop; }} }}\n" for word in (*words, "size"))
    (tmp_path / "words.chunnel").write_text(
        f"message zipf over udp {{ {fields} }}\n{chunnels}"
        "stack workload(mean, per) { request: size |> rate |> mean |> drops |> to |> zipf |> udp(1); }\n"
        "workload workload.request {\n"
        "  size drops 1 %; rate drops 2 %; drops drops 3 %; to to 4 %; mean hits 5 %; zipf to 6 %;\n"
        "  size 5; rate 6 per second; zipf.zipf zipf 1; zipf.to zipf 1;\n"
        "}\n",
        encoding="utf-8",
    )
    (workload,) = load([tmp_path / "words.chunnel"]).workloads
    assert workload.drops == (("size", 10), ("rate", 20), ("drops", 30))
    assert (workload.hits, workload.shrinks) == ((("mean", 50),), (("to", 40), ("zipf", 60)))
    assert workload.skews == (("zipf", "zipf", 1000), ("zipf", "to", 1000))


def test_an_open_bracket_does_not_hide_a_workload(tmp_path: Path) -> None:
    """At the beginning of a line, the word begins a declaration whatever is open before it."""
    file = tmp_path / "open.chunnel"
    file.write_text(f"{TEXT}\nworkload other.request {{ rate 1 per second;\nworkload kv.request {{ }}\n")
    assert [(d.code.number(), d.message) for d in api.check([file])] == [
        ("CH005", "a `}` is missing behind this"),
        ("CH011", "`kv.request` has a workload already"),
    ]
