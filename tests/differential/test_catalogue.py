"""The catalogue of real chains: each is planned as expected, and what it becomes holds under `bertha verify`."""

import json
import re
import shlex
from shutil import which

import pytest
from bmv2 import compile_p4
from catalogue import CHAINS, FOLDER, NAMES, built, undelayed
from project import ROOT

from bertha_ir import api, artifact
from bertha_ir.cli.main import main
from bertha_ir.report.reasons import reasons
from bertha_ir.report.words import gain, time
from bertha_ir.text import print_ir

P4C = which("p4c-bm2-ss")
GOLDEN = ROOT / "tests" / "golden" / "plans"


def commands(text):
    """The lines of a document's blocks for the shell."""
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def plan(name):
    """The command that a chain's page shows."""
    (command,) = commands((FOLDER / name / "README.md").read_text())
    chain = f"examples/catalogue/{name}"
    assert command == f"bertha plan {chain}/{name}.chunnel --site {chain}/site.chunnel"
    return shlex.split(command)[1:]


def reduced(data):
    """What matters of a plan as JSON: where ops run, in which order messages meet them, and which links are crossed."""
    runs = {f"{b['direction']}.{b['op']}": f"{b['device']} {b['backend']}" for b in data["bindings"] if b["active"]}
    orders = {order["direction"]: order["ops"] for order in data["orders"]}
    crossings = [f"{c['direction']}: {c['a']} - {c['b']} ({c['kind']})" for c in data["crossings"]]
    return {"path": data["path"], "runs": runs, "orders": orders, "crossings": crossings}


def expected(path, text, *, update):
    """Compare with a file, or write it."""
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def table(name):
    """What a plan gains, and why, as a chain's page has it."""
    (made,) = built(name).plans
    rows = [("a request", made.before.latency_ns, made.latency_ns)]
    if time(made.mean_ns) != time(made.latency_ns):
        rows.append(("on average", made.before.mean_ns, made.mean_ns))
    if other := undelayed(name):
        assert other.after.runs == made.after.runs, "without delays, another plan is better"
        rows.append(("on average, without the links' delays", other.before.mean_ns, other.mean_ns))
    text = "| by the model | as written | as planned | |\n|---|---|---|---|\n"
    text += "".join(f"| {what} | {time(one)} | {time(other)} | {less(one, other)} |\n" for what, one, other in rows)
    why = (
        "; ".join(reasons(made))
        or "each op is where it alone is cheapest already, and nothing may come first that gains"
    )
    return f"{text}\nWhy: {why}.\n"


def less(one, other):
    """The gain, as a time and as a share of the whole, which a link's delay may be most of."""
    if one - other < 0.1:
        return "nothing"
    share = gain(one, other)
    return f"{time(one - other)} less" + (f", {share.removesuffix(' less')}" if share != "the same" else "")


def row(name, line, made):
    """A chain's row of the catalogue's table, with its figures."""
    shown = re.match(r"(\| .*?README.md\) \| [^|]+ \|)", line)[1]
    one, other = made.before.mean_ns, made.mean_ns
    return f"{shown} {time(one)} | {time(other)} | {less(one, other)} | `examples/catalogue/{name}/{name}.chunnel` |"


@pytest.mark.parametrize("name", NAMES)
def test_pages_say_what_is_gained_and_why(name, update_golden):
    """The table in front of the command, as the plan has it. `--update-golden` writes it."""
    page = FOLDER / name / "README.md"
    text = page.read_text(encoding="utf-8")
    front, fence, command = text.partition("```sh\n")
    expected(page, front.partition("| by the model")[0] + table(name) + "\n" + fence + command, update=update_golden)


def test_the_table_has_the_figures_of_the_plans(update_golden):
    """Each chain's cost before and after, on average, without its links' delays."""
    page = FOLDER / "README.md"
    lines = page.read_text(encoding="utf-8").split("\n")
    chains = {n: i for i, line in enumerate(lines) for n in re.findall(r"^\| \[.*\]\((\w+)/README.md\)", line)}
    for name in NAMES:
        lines[chains[name]] = row(name, lines[chains[name]], undelayed(name) or built(name).plans[0])
    expected(page, "\n".join(lines), update=update_golden)


def test_the_catalogue_is_whole():
    """At least a dozen chains of 7 to 45 lines; no plan is kept of a chain that is gone; the table has each of them."""
    assert len(NAMES) >= 12
    for folder in CHAINS:
        assert 7 <= len((folder / f"{folder.name}.chunnel").read_text().splitlines()) <= 45, folder
    assert {p.name.partition(".")[0] for p in GOLDEN.iterdir()} == set(NAMES)
    rows = re.findall(
        r"^\| \[.*\]\((\w+)/README.md\) \| .+ \| `(.*)` \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    assert rows == [(name, f"examples/catalogue/{name}/{name}.chunnel") for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_plans_are_the_expected_ones(name, update_golden, monkeypatch, capsys):
    """What the page's command prints; and, whatever it prints, what runs where. `--update-golden` writes both."""
    monkeypatch.chdir(ROOT)
    assert main(plan(name)) == 0
    expected(GOLDEN / f"{name}.txt", capsys.readouterr().out, update=update_golden)
    (made,) = built(name).plans
    data = json.loads(json.dumps(api.plan_data(made)))
    expected(GOLDEN / f"{name}.json", json.dumps(reduced(data), indent=2) + "\n", update=update_golden)


@pytest.mark.parametrize("name", NAMES)
def test_artifacts_hold(name, tmp_path, capsys):
    """Nothing is refuted or left open, and messages of the chain were tried."""
    artifact.write(api.artifact(built(name)), tmp_path / "out")
    assert main(["verify", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^holds +messages +\w+: \d+ requests", said, re.MULTILINE)


@pytest.mark.p4
@pytest.mark.skipif(P4C is None, reason="not on PATH: p4c-bm2-ss")
@pytest.mark.parametrize("name", [f.name for f in CHAINS if ": switch" in (f / "site.chunnel").read_text()])
def test_p4_compiles(name, tmp_path):
    """Each program of a switch, those that stand by, too, without a warning."""
    files = {path: body for path, body in api.artifact(built(name)).items() if path.endswith(".p4")}
    assert files
    for path, body in files.items():
        source = tmp_path / path.rpartition("/")[2]
        source.write_bytes(body)
        compile_p4(source)


def test_commands_of_the_table_run(monkeypatch, tmp_path, capsys):
    """One after another, as they stand there."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    shown = commands((FOLDER / "README.md").read_text())
    assert [line.split()[1] for line in shown] == ["plan", "compile", "verify"]
    for line in shown:
        assert main(shlex.split(line)[1:]) == 0
    assert "refuted" not in capsys.readouterr().out


KINDS = re.findall(
    r"^\| (\w+) \| .* \| `bertha (.*)` \| \"(.*)\" \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
)


@pytest.mark.parametrize(("command", "says"), [row[1:] for row in KINDS])
def test_kinds_of_optimization_are_shown(command, says, monkeypatch, capsys):
    """Each command of the table says what the table says that it says."""
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)) == 0
    assert says in " ".join(capsys.readouterr().out.split())


def test_each_kind_of_the_paper_has_an_example():
    """Its section 6."""
    assert {kind for kind, _, _ in KINDS} == {"reorder", "combine", "eliminate", "specialize", "split"}


def test_one_shard_needs_no_hash():
    """What the table calls specialized has lost what there was to compute."""
    specialized = built("layered_policy")
    assert "fnv1a" in print_ir(specialized.specification.stacks)
    assert "fnv1a" not in print_ir(specialized.programs)


def test_the_card_is_better_left_alone():
    """It can encrypt, is trusted, and as written does; the plan leaves it, and crosses PCIe once each way."""
    (made,) = built("rpc_private").plans
    assert dict(made.before.runs)["request.encrypt.send"] == "card"
    assert dict(made.after.runs)["request.encrypt.send"] == "app"
    assert (dict(made.before.crossings)["pcie"], dict(made.after.crossings)["pcie"]) == (6, 2)
