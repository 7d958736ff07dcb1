"""Implementations: offloads of chunnels, kept with the specification and printed with it."""

from pathlib import Path

import pytest

from bertha_ir import api
from bertha_ir.frontend.load import load
from bertha_ir.spec import Implementation
from bertha_ir.text import parse_ir, print_ir

TEXT = """
implementation nic_tls of encrypt |> tcp on smartnic "connectx-7" {
  assumed "vendor data sheet, section 4";
  resources { flows 1; entries 2_000; slots 0x10; }
  init "tls-offload on";
  teardown "tls-offload off";
  priority 10;
}
implementation toe of (tcp) on host { assumed "Überlieferung"; }
implementation queue of (count |> count |> udp) on kernel "own.toml" { priority 1; assumed "us"; resources { } }
device nic: smartnic { flows 1024; entries 65536; slots 4; }
stack app(client, server) { request: compress |> udp(4242); }
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "app.chunnel").write_text(TEXT, encoding="utf-8")
    return [tmp_path / "app.chunnel"]


def test_an_implementation_is_what_was_written(files: list[Path]) -> None:
    """Items come in any order, parentheses around the chunnels change nothing, what is left out has its default."""
    assert load(files).implementations == (
        Implementation(
            "nic_tls",
            ("encrypt", "tcp"),
            "smartnic",
            "connectx-7",
            "vendor data sheet, section 4",
            (("flows", 1), ("entries", 2000), ("slots", 16)),
            "tls-offload on",
            "tls-offload off",
            10,
        ),
        Implementation("toe", ("tcp",), "host", None, "Überlieferung"),
        Implementation("queue", ("count", "count", "udp"), "kernel", "own.toml", "us", priority=1),
    )


def test_an_implementation_knows_its_place(files: list[Path]) -> None:
    """What is said of it later can be said at its name."""
    assert [i.span.text for i in load(files).implementations if i.span] == ["nic_tls", "toe", "queue"]


def test_a_device_has_what_implementations_take(files: list[Path]) -> None:
    """Flows, entries and slots are plain numbers."""
    (nic,) = load(files).site.devices
    assert [nic.get(name) for name in ("flows", "entries", "slots")] == [1024, 65536, 4]


def test_the_printed_form_parses_back(files: list[Path]) -> None:
    """Implementations are a part of the textual IR; a specification without them prints as before there were any."""
    specification = load(files)
    assert parse_ir(print_ir(specification)) == specification
    assert "(implementation " in print_ir(specification)
    assert "(implementation " not in print_ir(load(()))


def test_choosing_a_stack_keeps_the_implementations(files: list[Path]) -> None:
    """An implementation belongs to no stack."""
    specification = load(files)
    assert api.select(specification, ["app"]).implementations == specification.implementations


def test_its_words_are_free_elsewhere(tmp_path: Path) -> None:
    """Nothing that is written in an implementation became a keyword, and names may be its words."""
    words = ("implementation", "of", "assumed", "proved", "resources", "init", "teardown", "priority", "flows", "slots")
    fields = " ".join(f"{word}: u8;" for word in words)
    parameters = ", ".join(f"{word}: u8" for word in words[:5])
    (tmp_path / "words.chunnel").write_text(
        f"message entries over udp {{ {fields} }}\n"
        f"chunnel of({parameters}) {{ place: path; on packet(m) {{ m.ipv4.ttl = implementation; }} }}\n"
        "chunnel on() { place: path; on packet(m) { drop; } }\n"
        'implementation of of of |> on on host { assumed "x"; }\n'
        'implementation on of on on kernel { assumed "x"; }\n'
        "device init: host; endpoint priority = 10.0.0.1:1;\n"
        "stack implementation(of, assumed) { request: of(1, 2, 3, 4, 5) |> on |> udp(1); }\n",
        encoding="utf-8",
    )  # fmt: skip
    assert [i.chunnels for i in load([tmp_path / "words.chunnel"]).implementations] == [("of", "on"), ("on",)]


def test_an_open_bracket_does_not_hide_an_implementation(tmp_path: Path) -> None:
    """At the beginning of a line, the word begins a declaration whatever is open before it."""
    file = tmp_path / "open.chunnel"
    file.write_text("message open over udp { a: u8;\n" + TEXT, encoding="utf-8")
    assert [
        *(Path(d.span.source.path).name for d in api.check([file]) if d.span),
        *(d.message for d in api.check([file])),
    ] == ["open.chunnel", "a `}` is missing behind this"]
