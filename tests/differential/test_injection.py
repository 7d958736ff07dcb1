"""Names and strings that are made to break out of what is printed stay inert: in C, P4, Python, JSON, XML, paths."""

import ast
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from shutil import which

import pytest
from bmv2 import compile_p4
from project import ROOT

from bertha_ir import api, artifact
from bertha_ir.diagnostics import BerthaError
from bertha_ir.report.dot import dot
from bertha_ir.report.html import html
from bertha_ir.report.svg import svg
from bertha_ir.runtime.artifact import Artifact

# Words that mean something to a target, or to what stands around a name there, and that the language takes.
WORDS = """
__LINE__ __FILE__ __COUNTER__ __DATE__ _Static_assert_ SEC ctx data end at verdict frame_size XDP_PASS XDP_DROP
BPF_ANY NOT_TAKEN HIDE LICENSE bpf_map_lookup_elem main errno next_program EOF NULL linux unix __builtin_trap
offsetof __u32 __be16 bpf_ntohs defined include pragma packet_in packet_out V1Switch hdr meta standard_metadata
mark_to_drop Pipeline NoAction core v1model lookahead extract isValid setValid self exec eval open print
globals __import__ __name__ __builtins__ __file__ __init__ run Rows payload os sys struct_ match_ len int_
object None_
"""
NAMES = WORDS.split()
TEXTS = [
    "*/ int evil; /*",
    r"\"); system(\"touch evil\"); (\"",
    "$(touch evil)",
    "`touch evil`",
    "; touch evil #",
    "| touch evil",
    "&& touch evil",
    "%s%n%s%n",
    "{0.__class__}",
    "{evil}",
    "</script><script>evil()</script>",
    "<img src=x onerror=evil()>",
    "]]><evil/>",
    "&evil;",
    "<!ENTITY evil SYSTEM 'file:///etc/passwd'>",
    "../../evil",
    "/etc/evil",
    r"C:\\evil",
    "~/.evil",
    "// evil",
    "/* evil",
    "# evil",
    "-- evil",
    r"\"\"\"evil",
    "__import__('os')",
    "${evil}",
    "$evil",
    "!!python/object:evil",
    "@evil",
    "=evil()",
    "evil\\\\",
]
# Those that a line of text does not have.
REFUSED = [
    r"\n#include </etc/passwd>\n",
    r"'''\nimport os\n'''",
    r"\\\n#define int char",
    r"\x00evil",
    r"\x1b[2J\x1b[1mevil",
    r"\r\nevil: 1",
    r"\u202eevil",
    r"evil\ttab",
    r"\xff\xfeevil",
]
CLANG = which("clang")
IMPORTED = {
    "bertha_ir.runtime",
    "bertha_ir.runtime.ciphers",
    "bertha_ir.runtime.primitives",
    "bertha_ir.runtime.state",
    "bertha_ir.runtime.udp",
    "__future__",
    "typing",
    "struct",
}


def specification(names: list[str]) -> str:
    """A specification in which ten names are whatever can be named, and all of it runs somewhere."""
    message, field, other, chunnel, parameter, state, stack, near, far, device = names
    return f"""
message {message}_ over udp {{ {field}: u16; {other}: u16; rest_: bytes; }}
endpoint {other}_e = 10.0.0.1:9001;
chunnel {chunnel}_({parameter}: u16) {{
  place: path;
  state {state}: map[u16 -> u32; 65536];
  on packet({field}_m) {{
    let {other} = {field}_m.{message}_.{field};
    if {other} == {parameter} {{ drop; }}
    {state}[{other}] += 1;
  }}
}}
stack {stack}({near}, {far}) {{
  request: serialize({message}_) |> {chunnel}_(7) |> shard(key = {message}_.{field}, shards = [{other}_e]) |> udp(4242);
  response: udp(4242);
}}
device {device}: host {{ address 10.0.0.1; mac 02:00:00:00:00:01; }}
device {device}_c: host {{ address 10.0.0.2; mac 02:00:00:00:00:02; }}
device {device}_s: switch {{ profile "bmv2"; }}
link {device}_c <-> {device}_s ethernet {{ rate 1 Gbit/s; port 1; }}
link {device}_s <-> {device} ethernet {{ rate 1 Gbit/s; port 2; }}
run {stack}.{far} on {device};
run {stack}.{near} on {device}_c;
"""


def texts(text: str) -> str:
    """A specification in which a string is wherever one can be."""
    return f"""
stack s(a, b) {{ request: encrypt(secret("{text}")) |> tcp(443); response: tcp(443); }}
device h1: host {{ address 10.0.0.1; }}
device h2: host {{ address 10.0.0.2; }}
device nic: smartnic;
link h1 <-> nic pcie {{ generation 3; lanes 16; }}
link nic <-> h2 ethernet {{ rate 1 Gbit/s; }}
run s.a on h1;
run s.b on h2;
implementation card of (encrypt |> tcp) on smartnic {{ assumed "{text}"; init "{text}"; teardown "{text}"; }}
"""


def compiled(text: str, folder):
    """The plans, and the artifact, on disk and checked by the runtime."""
    source = folder / "s.chunnel"
    source.write_text(text, encoding="utf-8")
    built = api.build([source])
    files = api.artifact(built)
    artifact.write(files, folder / "out")
    assert Artifact(folder / "out").plan
    return built, files


def inert(files, folder):
    """Each file is what its name says, and Python's import and call nothing but the runtime."""
    for path, body in files.items():
        assert re.fullmatch(r"[A-Za-z0-9_.+/-]+", path)
        assert ".." not in path.split("/")
        if path.endswith(".json"):
            json.loads(body)
        elif path.endswith(".py"):
            tree = ast.parse(body)
            modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
            assert modules <= IMPORTED, path
            called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
            assert not called & {"exec", "eval", "open", "print", "globals", "__import__", "system"}
        elif path.endswith(".bpf.c") and CLANG:
            command = [
                CLANG,
                "-target",
                "bpf",
                "-I/usr/include/x86_64-linux-gnu",
                "-fsyntax-only",
                "-Wall",
                "-Werror",
                "-xc",
                "-",
            ]
            done = subprocess.run(command, input=body, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode()
    assert not list(folder.rglob("evil"))
    assert not list(ROOT.glob("evil"))


ROWS = [[(NAMES * 2)[(start + step) % len(NAMES)] for step in range(10)] for start in range(0, len(NAMES), 7)]


@pytest.mark.parametrize("names", ROWS, ids=lambda names: names[0])
def test_names_stay_names(names, tmp_path):
    """Of messages, fields, chunnels, parameters, states, stacks, ends and devices, in each target's files."""
    built, files = compiled(specification(names), tmp_path)
    assert {path.split("/")[0] for path in files} >= {"ebpf", "p4", "python"}
    inert(files, tmp_path)
    drawn(built)


@pytest.mark.p4
@pytest.mark.skipif(which("p4c-bm2-ss") is None, reason="not on PATH: p4c-bm2-ss")
@pytest.mark.parametrize("names", ROWS[6:10], ids=lambda names: names[0])
def test_names_stay_names_in_p4(names, tmp_path):
    """p4c takes them, without a warning."""
    _, files = compiled(specification(names), tmp_path)
    for path in (p for p in files if p.endswith(".p4")):
        compile_p4(tmp_path / "out" / path)


@pytest.mark.parametrize("text", TEXTS)
def test_strings_stay_strings(text, tmp_path, monkeypatch):
    """Of secrets, of claims and of commands."""
    monkeypatch.chdir(tmp_path)
    built, files = compiled(texts(text), tmp_path)
    inert(files, tmp_path)
    drawn(built)


@pytest.mark.parametrize("text", REFUSED)
def test_strings_that_are_no_lines_are_refused(text, tmp_path):
    """CH081, or CH020 for an escape that there is not, at each of them; and nothing is written."""
    with pytest.raises(BerthaError) as caught:
        compiled(texts(text), tmp_path)
    assert {d.code.number() for d in caught.value.diagnostics} <= {"CH020", "CH081"}
    assert len(caught.value.diagnostics) >= 3
    assert not (tmp_path / "out").exists()


def drawn(built):
    """Drawings and pages are what they are called, whatever is in them."""
    assert ET.fromstring(svg(built.plans)).tag.endswith("svg")  # noqa: S314  (our own)
    page = html(built.plans)
    assert "<script>evil" not in page
    assert "<img src=x" not in page
    assert "\x1b" not in page
    assert dot(built.plans).count("digraph") >= 1


def test_there_are_a_hundred():
    """As many as are promised."""
    assert len(set(NAMES)) + len(TEXTS) + len(REFUSED) >= 100
