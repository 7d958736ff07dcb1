"""A backend is a plug-in: a third party's gets programs for its devices; conformance says what one breaks."""

import json
import os
import subprocess
import sys

import pytest
from attrs import evolve

from bertha_ir import api
from bertha_ir.backends.base import Backend
from bertha_ir.backends.conformance import units, violations
from bertha_ir.backends.ebpf.codes import CH323HeaderMoved
from bertha_ir.diagnostics import Diagnostic
from bertha_ir.interpreter.program import Machine
from bertha_ir.text import parse_ir

PACKAGE = '''
from bertha_ir import stmt
from bertha_ir.backends.base import Backend
from bertha_ir.backends.names import mangle
from bertha_ir.diagnostics import Code, Diagnostic
from bertha_ir.text import print_ir
from bertha_ir.walk import walk


class CH900NoBounce(Code):
    """a card that only looks cannot send back.

    What: a program bounces messages.
    Why: this card has no way out.
    Example: `on packet(m) { bounce; }`
    Fix: run it elsewhere.
    """


class CardBackend(Backend):
    """Writes device programs as they are, for a card that runs those."""

    name = "card"
    kinds = ("smartnic",)
    roots = ("frame",)

    def validate(self, unit):
        if unit.program.root != "frame":
            return (Diagnostic(CH900NoBounce, "the card sees frames alone", None),)
        bounces = [n for n in walk(unit.program.blocks) if isinstance(n, stmt.Bounce)]
        return tuple(Diagnostic(CH900NoBounce, "this card cannot send back", n.span) for n in bounces)

    def emit(self, unit):
        return {f"{mangle(unit.program.name)}.ir": print_ir(unit.program)}
'''
SPEC = """
message Query over udp { kind: u8; rest: bytes; }
stack app(client, server) { request: tag(Query.kind, 7) |> udp(4242); response: udp(4242); }
device h1: host { address 10.0.0.1; }
device c1: host { address 10.0.0.9; }
device nic: smartnic;
link c1 <-> nic ethernet { rate 10 Gbit/s; }
link nic <-> h1 pcie { generation 3; lanes 16; }
run app.server on h1;
run app.client on c1;
policy { prefer tag on [nic]; }
"""
START = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"


def bertha(folder, *arguments):
    """Run the command line where the third party's package is installed."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-c", START, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def folder(tmp_path):
    """A specification, and an installed package that plugs in a backend."""
    (tmp_path / "app.chunnel").write_text(SPEC)
    installed = tmp_path / "site" / "card_backend-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: card-backend\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[bertha_ir.backends]\ncard = card_backend:CardBackend\n")
    (tmp_path / "site" / "card_backend.py").write_text(PACKAGE)
    return tmp_path


def test_a_third_partys_backend_gets_programs(folder):
    """The card runs the op that the operator wants there, by a file that the backend printed."""
    done = bertha(folder, "compile", str(folder / "app.chunnel"), "-o", str(folder / "out"), "--json")
    assert done.returncode == 0, done.stderr
    assert "card/nic/app_pipeline.ir" in json.loads(done.stdout)["files"]
    program = parse_ir((folder / "out" / "card" / "nic" / "app_pipeline.ir").read_text())
    assert (program.device, [b.ops for b in program.blocks]) == ("nic", [("tag.packet",)])
    assert Machine(program).run(bytes(60)).verdict == "pass"
    assert bertha(folder, "verify", str(folder / "out"), "--packets", "50").returncode == 0


def test_it_is_listed_and_checked(folder):
    """As those are that come with Bertha."""
    assert "card" in bertha(folder, "targets").stdout
    assert bertha(folder, "targets", "--check", "card").stdout == "card keeps what a backend must keep\n"
    assert bertha(folder, "targets", "--check", "cart").returncode == 2


@pytest.mark.parametrize("backend", api.backends(), ids=lambda b: b.name)
def test_ours_conform(backend):
    """Each takes several of the programs that it is tried with, and refuses others."""
    assert violations(backend) == ()
    taken = [not backend.validate(unit) for unit in units()]
    assert sum(taken) >= 2
    assert not all(taken)


class Careful(Backend):
    """One that conforms, to be made worse."""

    name, kinds, roots = "careful", ("smartnic",), ("frame",)

    def validate(self, unit):
        """Take frames."""
        return () if unit.program.root == "frame" else (Diagnostic(CH323HeaderMoved, "no frame", None),)

    def emit(self, unit):
        """Print a length."""
        return {"program.txt": str(len(unit.program.blocks))}


class Changing(Careful):
    """Prints something else each time."""

    count = 0

    def emit(self, unit):  # noqa: ARG002  (the method's signature)
        """Count."""
        self.count += 1
        return {"program.txt": str(self.count)}


class Escaping(Careful):
    """Writes what a program is called into the path."""

    def emit(self, unit):
        """Trust the name."""
        return {f"{unit.program.name}.txt": ""}


class Failing(Careful):
    """Raises."""

    def validate(self, unit):
        """Trip over what it does not know."""
        return () if unit.program.tables else {}["table"]


class Greedy(Careful):
    """Takes what it does not take."""

    def validate(self, unit):  # noqa: ARG002  (the method's signature)
        """Have nothing against anything."""
        return ()


class Refusing(Careful):
    """Takes nothing."""

    def validate(self, unit):  # noqa: ARG002  (the method's signature)
        """Refuse."""
        return (Diagnostic(CH323HeaderMoved, "no", None),)


class Elsewhere(Careful):
    """Is for devices that there are not."""

    kinds = ("toaster",)


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (Changing(), "emit prints something else"),
        (Escaping(), "is no name for a file of an artifact"),
        (Failing(), "validate fails: KeyError"),
        (Greedy(), "it has nothing against the root `datagram`"),
        (Refusing(), "it takes no program at all"),
        (Elsewhere(), "there is no kind `toaster`"),
        ("no backend", "it is no Backend but a str"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_broken_is_said(backend, said):
    """One sentence each; the one that these are made of conforms."""
    assert violations(Careful()) == ()
    assert any(said in text for text in violations(backend))


def test_programs_are_tried_under_hostile_names():
    """A name with quotes, newlines, comment marks and a path is among them."""
    hostile = [u.program for u in units() if "/.." in u.program.name]
    assert hostile
    assert evolve(hostile[0], name="x").blocks[0].ops == (hostile[0].name,)
