"""`bertha verify`: what was compiled holds, and whatever was changed in the folder is refused, in words."""

import hashlib
import json
import random
import re
import shutil
import sys
from pathlib import Path

import pytest
from attrs import evolve
from compiling import SITE, compiled, examples

from bertha_ir import api, artifact
from bertha_ir.cli.main import main
from bertha_ir.plan import LedgerEntry
from bertha_ir.program import Entry
from bertha_ir.text import parse_ir
from bertha_ir.walk import transform

NUMBER = """
message numbered { sequence: u24; }
chunnel number() {
  place: endpoint; needs both ends;
  state sent: u24;
  on send(m) { push numbered { sequence = sent }; sent += 1; }
  on recv(m) { pop numbered else drop; }
}
"""
PROVED = "shard(key = Query.wide, shards = [a, c]) |> number |> udp(4242)"
RULED = "rule twice: compress |> compress => compress;\n"
TRADED = "tag(Query.odd, 7) |> firewall([10.9.0.0/16]) |> udp(4242)"
POLICY = SITE + "policy { prefer tag on [kernel(h1)]; prefer firewall on [tor]; }"
HARD = """(set-logic ALL)
(declare-fun a () (_ BitVec 64)) (declare-fun b () (_ BitVec 64)) (declare-fun c () (_ BitVec 64))
(assert (distinct (bvmul (bvmul a b) (bvadd a c)) (bvadd (bvmul a (bvmul a b)) (bvmul c (bvmul b a)))))
(check-sat)
"""


FALSE = "(set-logic ALL)\n(assert false)\n(check-sat)\n"


@pytest.fixture(scope="module")
def proved() -> api.Compiled:
    """A stack whose plan rests on a proof by z3."""
    return compiled(PROVED, more=NUMBER)


def write(built: api.Compiled, folder: Path) -> Path:
    artifact.write(api.artifact(built), folder)
    return folder


def checks(capsys, *arguments: object) -> tuple[int, list[dict]]:
    """The exit status, and what `--json` lists."""
    status = main(["verify", *map(str, arguments), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is (status == 0)
    return status, answer["checks"]


def against(found: list[dict]) -> list[tuple[str, str, str]]:
    return [(c["subject"], c["status"], c["text"]) for c in found if c["status"] in {"refuted", "unsettled"}]


def edited(folder: Path, path: str, old: str, new: str) -> None:
    """Replace text in a file of an artifact, once."""
    text = (folder / path).read_text()
    assert old in text
    (folder / path).write_text(text.replace(old, new, 1))


def listed(folder: Path) -> None:
    """Make the manifest's hashes those of the files."""
    manifest = json.loads((folder / "manifest.json").read_text())
    there = (p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json")
    hashes = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in there}
    (folder / "manifest.json").write_bytes(artifact.to_json({**manifest, "files": hashes}))


@pytest.mark.parametrize("example", examples(), ids=lambda p: p.name)
def test_the_examples_hold(example: Path, tmp_path: Path, capsys):
    """Each line is short; nothing is left open; messages went through every program of the plan."""
    files = [str(p) for p in sorted(example.glob("*.chunnel"))]
    assert main(["compile", *files, "-o", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert {line.split()[0] for line in out.splitlines()} == {"holds", "assumed"}
    assert all(len(line) <= 100 for line in out.splitlines() if line.startswith("holds"))
    assert re.search(r": (500 requests, 500 responses|1000 requests), ", out)
    relies = "by: the card's data sheet" in out
    assert main(["verify", str(tmp_path / "out"), "--no-assumptions", "--packets", "10"]) == (1 if relies else 0)


@pytest.mark.parametrize(
    ("stack", "rewrite"),
    [
        ((PROVED, NUMBER, SITE), "request: shard.packet after number.send, by z3"),
        (("compress |> compress |> udp(4242)", RULED, ""), "rule twice"),
        ((TRADED, "", POLICY), "request: tag.packet after firewall.packet"),
        (("firewall([10.0.0.0/8]) |> firewall([10.1.0.0/16]) |> udp(4242)", "", SITE), "left out"),
    ],
)
def test_each_kind_of_rewrite_is_derived_again(stack, rewrite, tmp_path, capsys):
    """Moves, trades, rules and what is left out; cvc5 answers each certificate."""
    request, more, site = stack
    built = compiled(request, more=more, site=site)
    folder = write(built, tmp_path / "out")
    status, found = checks(capsys, folder, "--packets", 50)
    named = {entry.certificate for plan in built.plans for entry in plan.ledger} - {None}
    assert against(found) in ([], [c for c in against(found) if c[0] == "messages"])
    assert status == bool(against(found))
    assert any(rewrite in c["text"] for c in found if c["subject"] == "ledger")
    assert len([c for c in found if c["subject"] == "certificate" and "unsat" in c["text"]]) == len(named)


def test_files_are_changed_missing_and_extra(proved, tmp_path, capsys):
    """One line for each; what building leaves behind does not count."""
    folder = write(proved, tmp_path / "out")
    edited(folder, "ebpf/h1/app_ingress.bpf.c", "return", "return ")
    (folder / "ebpf" / "h1" / "Makefile").unlink()
    (folder / "notes.txt").write_text("mine")
    (folder / "ebpf" / "h1" / "app_ingress.bpf.o").write_text("built")
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 1
    assert against(found) == [
        ("files", "refuted", "ebpf/h1/Makefile: missing"),
        ("files", "refuted", "ebpf/h1/app_ingress.bpf.c: differs"),
        ("files", "refuted", "notes.txt: not part of the artifact"),
    ]


def test_an_edited_program_is_refused_though_its_hash_is_right(proved, tmp_path, capsys):
    """The sources are those that the programs print as, or they are not."""
    folder = write(proved, tmp_path / "out")
    edited(folder, "ebpf/h1/app_ingress.bpf.c", "9001", "9002")
    listed(folder)
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 1
    assert {c[0] for c in against(found)} == {"programs"}
    assert any("app_ingress.bpf.c" in c[2] for c in against(found))


def lie(built: api.Compiled, change) -> api.Compiled:
    """The artifact with nodes of its active programs changed, and all else printed anew from them."""
    programs = tuple(evolve(p, program=transform(p.program, change)) if p.active else p for p in built.programs)
    assert programs != built.programs
    return evolve(built, programs=programs)


def test_a_changed_constant_is_refused_though_all_hashes_are_right(proved, tmp_path, capsys):
    """In `ir/programs.ir` and all that is printed from it: the message that says so is shown, field by field."""

    def other_port(node):
        ours = isinstance(node, Entry) and node.values[1:] == (9003,)
        return evolve(node, values=(node.values[0], 9002)) if ours else node

    folder = write(lie(proved, other_port), tmp_path / "out")
    status, found = checks(capsys, folder)
    assert status == 1
    (refuted,) = [c for c in found if c["status"] == "refuted"]
    assert refuted["subject"] == "messages"
    rows = {row["what"]: (row["written"], row["placed"]) for row in refuted["difference"]["rows"]}
    assert rows["udp.dst_port"] == ("9003", "9002")
    assert {given["what"] for given in refuted["difference"]["given"]} >= {"source", "destination", "payload"}
    main(["verify", str(folder)])
    assert "9003" in capsys.readouterr().out


def test_one_constant_in_the_ir_is_refused(proved, tmp_path, capsys):
    """Hashes fixed up: the sources are not what it prints as, and messages go elsewhere."""
    folder = write(proved, tmp_path / "out")
    path = folder / "ir" / "programs.ir"
    assert "(entry [1] [167772161 9003])" in path.read_text()
    path.write_text(path.read_text().replace("(entry [1] [167772161 9003])", "(entry [1] [167772161 9002])"))
    listed(folder)
    status, found = checks(capsys, folder)
    assert status == 1
    assert {c[0] for c in against(found)} == {"programs", "messages"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: text.replace("(check-sat)", "(check-sat-assuming (false))"), "another text"),
        (lambda text: text + "; nothing\n", "another text"),
        (lambda _: FALSE, "another text"),
    ],
)
def test_an_edited_certificate_is_refused(proved, change, word, tmp_path, capsys):
    """Its name is its hash, whatever the manifest says."""
    folder = write(proved, tmp_path / "out")
    for file in (folder / "proofs").iterdir():
        file.write_text(change(file.read_text()))
    listed(folder)
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 1
    assert any(c[0] == "certificate" and word in c[2] for c in against(found))


def relying(built: api.Compiled, text: str, **other: str) -> api.Compiled:
    """The artifact with another certificate for all that it has proved by z3."""
    name = hashlib.sha256(text.encode()).hexdigest()
    (plan,) = built.plans
    ledger = tuple(evolve(x, certificate=name, **other) if x.certificate else x for x in plan.ledger)
    return evolve(built, plans=(evolve(plan, ledger=ledger),), certificates={name: text})


def test_a_certificate_of_something_else_proves_nothing(proved, tmp_path, capsys):
    """Another question may be false, too; the move is then judged by the question that belongs to it."""
    folder = write(relying(proved, FALSE), tmp_path / "out")
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 0
    assert any("with another certificate" in c["text"] for c in found)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("(set-logic ALL)\n(check-sat)\n", (1, "cvc5 answers sat")),
        ("(set-logic ALL)\n(assert\n", (1, "is no question")),
        (HARD, (3, "cvc5 answers unknown")),
    ],
)
def test_what_cvc5_says_decides(proved, text, outcome, tmp_path, capsys):
    """1 when a certificate is refuted or none, 3 when the time is up."""
    status, word = outcome
    folder = write(relying(proved, text), tmp_path / "out")
    assert checks(capsys, folder, "--packets", 10, "--timeout", 0.2)[0] == status
    assert word in str(checks(capsys, folder, "--packets", 10, "--timeout", 0.2)[1])


def with_ledger(built: api.Compiled, ledger: tuple[LedgerEntry, ...]) -> api.Compiled:
    return evolve(built, plans=(evolve(built.plans[0], ledger=ledger),))


def test_a_lying_ledger_is_refused(proved, tmp_path, capsys):
    """Whether it says that effects settle what they do not, tells of a move that may not be, of what was not done, or
    leaves out what was.
    """
    (plan,) = proved.plans
    first, *rest = plan.ledger
    lies = {
        "which is so by z3 only, wire": (evolve(first, by="effects", certificate=None), *rest),
        "only, wire": (evolve(first, equivalence="end-to-end"), *rest),
        "which are no two ops": (*plan.ledger, evolve(first, rewrite="request: udp.send after shard.packet")),
        "does not follow": (*plan.ledger, evolve(first, rewrite="request: everything left out")),
        "is not there": tuple(rest),
    }
    for number, (word, ledger) in enumerate(lies.items()):
        folder = write(with_ledger(proved, ledger), tmp_path / str(number))
        status, found = checks(capsys, folder, "--packets", 10)
        assert status == 1, word
        assert [c for c in against(found) if c[0] == "ledger" and word in c[2]], against(found)


def test_what_holds_for_another_reason_holds(tmp_path, capsys):
    """Effects settle it, though the entry names a proof."""
    built = compiled("shard(key = Query.id, shards = [a, c]) |> udp(4242)")
    name, text = hashlib.sha256(FALSE.encode()).hexdigest(), FALSE
    ledger = tuple(evolve(x, by="z3", certificate=name) for x in built.plans[0].ledger)
    folder = write(evolve(with_ledger(built, ledger), certificates={name: text}), tmp_path / "out")
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 0
    assert [c["text"] for c in found if c["subject"] == "ledger"] == [
        "app: request: shard.packet after udp.send, by effects"
    ]


def test_a_move_that_may_not_be_is_refused_with_the_reason(tmp_path, capsys):
    """A counter above a filter counts what the filter drops: no ledger makes it go below."""
    built = compiled("count(by = Query.kind) |> firewall([10.9.0.0/16]) |> udp(4242)")
    move = LedgerEntry("request: count.packet after firewall.packet", "wire", "proved", "effects", "trust me")
    folder = write(with_ledger(built, (*built.plans[0].ledger, move)), tmp_path / "out")
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 1
    assert any("ends messages" in c[2] for c in against(found))


def test_assumptions_are_listed_and_may_be_refused(tmp_path, capsys):
    """With who makes them. What costs alone rest on is never refused."""
    built = compiled("shard(key = Query.id, shards = [a, b]) |> udp(4242)")
    assumed = LedgerEntry("request: a.b after c.d", "wire", "assumed", "the operator", "I know")
    folder = write(with_ledger(built, (*built.plans[0].ledger, assumed)), tmp_path / "out")
    status, found = checks(capsys, folder, "--packets", 10)
    listed_ = {(c["by"], c["status"]): c["text"] for c in found if c["subject"] == "assumption"}
    assert status == 0
    assert "I know" in listed_["the operator", "assumed"]
    assert "forwards what shard.packet sends" in str(found)
    status, found = checks(capsys, folder, "--packets", 10, "--no-assumptions")
    assert status == 1
    assert [c["by"] for c in found if c["status"] == "refuted"] == ["the operator", "compiler"]
    assert any("costs" in c["text"] and c["status"] == "assumed" for c in found)


def test_another_specification_is_refused(proved, tmp_path, capsys):
    """Graphs that do not follow from it, and a plan that is of another one."""
    folder = write(evolve(proved, graphs=proved.graphs[:1]), tmp_path / "graphs")
    assert any(c[0] == "specification" for c in against(checks(capsys, folder, "--packets", 10)[1]))
    plans = (evolve(proved.plans[0], specification="0" * 64),)
    status, found = checks(capsys, write(evolve(proved, plans=plans), tmp_path / "plan"), "--packets", 10)
    assert status == 1
    assert against(found)[0][2] == "app: the plan is of another specification than ir/specification.ir"


def test_an_edited_plan_has_another_id(proved, tmp_path, capsys):
    """What runs where is in the id."""
    folder = write(proved, tmp_path / "out")
    edited(folder, "plan.json", '"hook": "ingress"', '"hook": "pipeline"')
    listed(folder)
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 1
    assert len([c for c in against(found) if c[0] == "plan"]) == 2


def test_another_versions_files_are_not_settled(proved, tmp_path, capsys):
    """It may print the same programs otherwise."""
    folder = write(proved, tmp_path / "out")
    edited(folder, "manifest.json", '"bertha": "', '"bertha": "0')
    status, found = checks(capsys, folder, "--packets", 10)
    assert status == 3
    assert against(found)[0][:2] == ("programs", "unsettled")


@pytest.mark.parametrize("what", ["nothing", "a file", "an empty folder", "another manifest"])
def test_what_is_no_artifact_folder_is_wrong_usage(what, tmp_path, capsys):
    """Exit status 2, and one line with what is wrong."""
    folder = tmp_path / "out"
    if what == "a file":
        folder.write_text("")
    elif what != "nothing":
        folder.mkdir()
    if what == "another manifest":
        (folder / "manifest.json").write_text('{"name": "another"}')
    assert main(["verify", str(folder)]) == 2
    assert "is no artifact folder" in capsys.readouterr().err


PARTS = ("manifest.json", "plan.json", "ir/specification.ir", "ir/graphs.ir", "ir/programs.ir")


@pytest.mark.parametrize("seed", range(20))
def test_a_truncated_file_is_one_diagnostic(proved, seed, tmp_path, capsys):
    """CH404 with the file's name wherever it ends; a source or a certificate is a line among others."""
    folder = write(proved, tmp_path / "out")
    rng = random.Random(seed)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    file = folder / rng.choice(PARTS) if seed % 2 else rng.choice(files)
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content) - 1)])
    status = main(["verify", str(folder), "--packets", "10"])
    out, err = capsys.readouterr()
    assert status == 1
    assert "Traceback" not in err
    assert "internal error" not in err
    if file.relative_to(folder).as_posix() in PARTS:
        assert err.count("error[CH404]") == 1
        assert file.name in err
        assert out == ""
    else:
        assert file.name in out


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_never_gives_a_traceback(proved, seed, tmp_path, capsys):
    """A number, a name or a word is another one: the answer is no, in words."""
    folder = write(proved, tmp_path / "out")
    rng = random.Random(seed)
    file = folder / rng.choice(PARTS)
    text = file.read_text()
    words = [*"[]()0", "none", '"x"', "7", "u8", "-1", "[]", "true", "1e9", '"\\u0000"']
    starts = [n for n, c in enumerate(text) if c in ' "[(' and n]
    at = rng.choice(starts)
    end = at + rng.randrange(1, 9)
    file.write_text(text[:at] + rng.choice([" ", ""]) + rng.choice(words) + text[end:])
    listed_ = rng.random() < 0.5 and file.name != "manifest.json"
    if listed_:
        listed(folder)
    status = main(["verify", str(folder), "--packets", "10"])
    _, err = capsys.readouterr()
    assert status == 1 or (listed_ and status in {0, 3}) or (file.name == "manifest.json" and status in {2, 3})
    assert "internal error" not in err


@pytest.mark.parametrize(
    ("path", "damage"),
    [
        ("plan.json", (b"[]", "is no JSON object")),
        ("plan.json", (b"{}", "has no list of `plans`")),
        ("plan.json", (b'{"plans": [{}]}', "has no `stack`")),
        ("plan.json", (b"[" * 100_000, "is no JSON")),
        ("plan.json", (b"\xff", "is no UTF-8 at byte 0")),
        ("ir/graphs.ir", (b"[(graph 1 2 3 4 5 6)]", "graphs[0].stack is 1")),
        ("ir/graphs.ir", (b"none", "graphs is None")),
        ("ir/programs.ir", (b"(" * 5000, "is malformed")),
        ("ir/specification.ir", (None, "is missing")),
    ],
)
def test_what_is_malformed_is_said(proved, path, damage, tmp_path, capsys):
    """CH404, with what is wrong."""
    content, word = damage
    folder = write(proved, tmp_path / "out")
    if content is None:
        (folder / path).unlink()
    else:
        (folder / path).write_bytes(content)
    assert main(["verify", str(folder)]) == 1
    err = capsys.readouterr().err
    assert "error[CH404]" in err
    assert word in err


def test_paths_of_a_manifest_do_not_leave_the_folder(proved, tmp_path, capsys):
    """Nothing outside is read for its hash; a link is no file of an artifact."""
    folder = write(proved, tmp_path / "out")
    edited(folder, "manifest.json", '"plan.json":', '"../plan.json":')
    assert main(["verify", str(folder)]) == 1
    assert "no name for a file of an artifact" in capsys.readouterr().err
    shutil.rmtree(folder)
    write(proved, folder)
    (folder / "plan.json").unlink()
    (folder / "plan.json").symlink_to("/dev/zero")
    assert main(["verify", str(folder)]) == 1
    assert "plan.json" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_answer(proved, tmp_path, capsys):
    """And another seed other messages."""
    folder = write(proved, tmp_path / "out")
    first, again, other = (checks(capsys, folder, "--packets", 300, "--seed", seed)[1] for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("arguments", [["--packets", "0"], ["--packets", "x"], ["--timeout", "-1"], ["--seed", "x"]])
def test_wrong_numbers_are_wrong_usage(arguments, capsys):
    """Before anything is read."""
    with pytest.raises(SystemExit) as caught:
        main(["verify", "nowhere", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("bertha verify: error: argument")


def test_without_cvc5_nothing_is_settled(proved, monkeypatch, tmp_path, capsys):
    """Exit status 3, and how to get it."""
    monkeypatch.setitem(sys.modules, "cvc5", None)
    status, found = checks(capsys, write(proved, tmp_path / "out"), "--packets", 10)
    assert status == 3
    assert "pip install" in against(found)[0][2]


def test_progress_is_shown_where_someone_looks(proved, monkeypatch, tmp_path, capsys):
    """On a terminal alone."""
    folder = write(proved, tmp_path / "out")
    assert main(["verify", str(folder), "--packets", "50"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["verify", str(folder), "--packets", "50"]) == 0
    assert "50 of 50 messages" in capsys.readouterr().err


def test_what_is_printed_parses_back_to_what_was_checked(proved, tmp_path):
    """The folder alone is enough: its `ir/` gives the programs that were compiled."""
    folder = write(proved, tmp_path / "out")
    assert parse_ir((folder / "ir" / "programs.ir").read_text()) == proved.programs
