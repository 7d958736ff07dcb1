"""The drawings of a plan: well formed, true to the plan, and written whole or not at all."""

import os
import re
import subprocess
from pathlib import Path
from shutil import which
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve
from catalogue import NAMES, built
from compiling import examples
from explained import FILES, ODD, SLIDES

from bertha_ir import api
from bertha_ir.cli.main import main
from bertha_ir.plan import Plan
from bertha_ir.report import files
from bertha_ir.report.dot import dot
from bertha_ir.report.svg import svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def slides():
    """The plan of the talk's example."""
    return api.build([SLIDES / f"{name}.chunnel" for name in ("web", "offloads", "site")]).plans


def words(drawing: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(drawing).iter(f"{SVG}text")]  # noqa: S314  (ours)


def classes(drawing: str, name: str) -> int:
    nodes = ET.fromstring(drawing).iter()  # noqa: S314  (ours)
    return sum(name in node.get("class", "").split() for node in nodes)


def test_a_drawing_has_before_above_after(slides):
    """Devices, links, ops and crossings of both; as planned with what each costs, offloads marked."""
    drawing = svg(slides)
    shown = words(drawing)
    assert shown.index("as written: 10 µs a request, crossings: 1 ethernet, 3 pcie, 4 syscall") < shown.index(
        "as planned: 6.26 µs a request (37.6 % less), crossings: 1 ethernet, 1 pcie, 2 syscall"
    )
    assert all(shown.count(device) == 2 for device in slides[0].path)
    assert all(shown.count(op) == 2 for op in ("encrypt.send", "http2.send", "tcp.send", "tcp.recv"))
    assert classes(drawing, "crossing") == 8 + 4
    assert (classes(drawing, "op"), classes(drawing, "offload")) == (12, 2)
    assert "pcie 222 ns" in shown


@pytest.mark.parametrize("name", NAMES)
def test_drawings_hold_every_op_and_crossing(name):
    """Each box lies in the drawing, at a device; there are as many crossings as both outlines have."""
    (plan,) = built(name).plans
    drawing = svg([plan])
    root = ET.fromstring(drawing)  # noqa: S314  (ours)
    wide, high = float(root.get("width", 0)), float(root.get("height", 0))
    for rect in root.iter(f"{SVG}rect"):
        x, y = float(rect.get("x", 0)), float(rect.get("y", 0))
        assert 0 <= x <= x + float(rect.get("width", 0)) <= wide
        assert 0 <= y <= y + float(rect.get("height", 0)) <= high
    assert plan.before is not None
    assert classes(drawing, "op") == len(plan.before.runs) + len(plan.after.runs)
    assert classes(drawing, "crossing") == sum(n for o in (plan.before, plan.after) for _, n in o.crossings)


def test_an_op_that_moved_is_marked(slides):
    """It has a class of its own; nothing is marked where nothing moved."""
    (plan,) = slides
    assert plan.before is not None
    assert classes(svg([plan]), "moved") == 0
    elsewhere = tuple((op, "h1" if op == "request.encrypt.send" else at) for op, at in plan.before.runs)
    moved = evolve(plan, before=evolve(plan.before, runs=elsewhere))
    assert classes(svg([moved]), "moved") == 1
    assert dot([moved]).count("penwidth=3") == 1


def test_names_cannot_break_out():
    """Whatever the names are, the drawing is one tree without elements of theirs, the graph has whole strings."""
    root = ET.fromstring(svg([ODD]))  # noqa: S314  (ours)
    assert {node.tag.removeprefix(SVG) for node in root.iter()} <= {
        "svg",
        "style",
        "rect",
        "text",
        "line",
        "path",
        "title",
    }
    graph = dot([ODD])
    assert "\x1b" not in graph
    left = re.sub(r'"(?:[^"\\]|\\.)*"', "", graph)
    assert '"' not in left
    assert "script" not in left
    assert left.count("{") == left.count("}")
    assert left.count("[") == left.count("]")


def test_nothing_known_is_drawn_too():
    """A plan without a path, an op or a state before is a drawing with its name."""
    plan = Plan("kv", ("a", "b"), (None, None), None, ())
    assert "stack kv" in words(svg([plan]))
    assert dot([plan]).startswith("digraph")


@pytest.mark.skipif(which("dot") is None, reason="not on PATH: dot")
@pytest.mark.parametrize("name", [*NAMES, None])
def test_graphviz_takes_the_graph(name, tmp_path):
    """Without a warning, hostile names as well."""
    source = tmp_path / "plan.dot"
    source.write_text(dot(built(name).plans if name else [ODD]), encoding="utf-8")
    result = subprocess.run(["dot", "-Tsvg", source], capture_output=True, text=True, check=True)
    assert result.stderr == ""


def test_graphs_name_each_op_and_crossing(slides):
    """The edges follow the messages: pcie three times as written, once as planned."""
    graph = dot(slides)
    before, after = graph[graph.index("cluster_p0") :], graph[graph.index("cluster_p1") : graph.index("cluster_p0")]
    for text, count in ((before, 3), (after, 1)):
        edges = [line for line in text.splitlines() if "->" in line and "dir=none" not in line]
        assert sum(line.count("pcie") for line in edges) == count
        assert len(edges) == 7  # client, six ops, server


def test_the_command_writes_them(tmp_path, capsys):
    """Beside its answer; twice the same bytes."""
    made = [tmp_path / name for name in ("plan.svg", "plan.dot")]
    options = ["--svg", str(made[0]), "--dot", str(made[1])]
    contents = []
    for _ in range(2):
        assert main(["plan", *FILES, *options]) == 0
        contents.append([path.read_bytes() for path in made])
    assert contents[0] == contents[1]
    assert capsys.readouterr().out.startswith("stack web")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plan.dot", "plan.svg"]


@pytest.mark.parametrize("name", ["missing/plan.svg", ".", "fifo", "same.dot", "site.chunnel", "nul\0", ""])
def test_a_file_that_cannot_be_written_is_one_error(name, tmp_path, capsys):
    """Status 2, one line and a hint, and nothing is written: not in a folder that is not there, not over a folder, a
    pipe, the other file, or the site.
    """
    os.mkfifo(tmp_path / "fifo")
    site = tmp_path / "site.chunnel"
    site.write_text((SLIDES / "site.chunnel").read_text().replace("card.toml", str(SLIDES / "card.toml")))
    arguments = ["plan", *FILES[:2], "--site", str(site), "--dot", str(tmp_path / "same.dot")]
    before = site.read_bytes()
    try:
        code: object = main([*arguments, "--svg", str(tmp_path / name) if name else ""])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 2
    assert "bertha plan: error: " in err
    assert site.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fifo", "site.chunnel"]


def test_a_disk_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    """When the second of two files cannot be written, the first is as it was, and nothing is left over."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("old")
    real = Path.write_text

    def full(self, text, **options):
        if text == "second":
            raise OSError(28, "No space left on device")
        return real(self, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(files.UnwritableError, match="other` cannot be written: no space left on device"):
        files.write({one: "first", other: "second"})
    assert one.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["one"]


def test_links_are_followed(tmp_path):
    """A link stays one, and what it names is written."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    files.write({tmp_path / "link": "new"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_examples_are_drawn():
    """Every example, those of several stacks as one drawing."""
    for folder in examples():
        plans = api.build(sorted(folder.glob("*.chunnel"))).plans
        assert words(svg(plans)).count("request") == 2 * len(plans)
