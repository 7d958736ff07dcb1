"""Reading files: what cannot be read is reported, nothing makes the frontend crash, hang or leave the folder."""

import os
import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertha_ir.frontend.load import check, load
from bertha_ir.frontend.sources import LIBRARY, MAX_BYTES

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/*.chunnel"))
REFERENCE = "".join(re.findall(r"```chunnel\n(.*?)```", (ROOT / "docs/language.md").read_text(), re.DOTALL))
TEXTS = [REFERENCE, *(p.read_text() for p in (*EXAMPLES, *sorted(LIBRARY.glob("*.chunnel"))))]
WORDS = sorted({w for text in TEXTS for w in text.replace("(", " ( ").replace(";", " ; ").split()})


def codes(*files: Path) -> list[str]:
    return [d.code.number() for d in check(files)]


def test_a_missing_file_is_reported(tmp_path):
    """CH001, whatever stands in the way: nothing there, a folder, a pipe that would never end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent.chunnel", tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / ("n" * 300)):
        assert codes(path) == ["CH001"]


def test_a_large_file_is_refused(tmp_path):
    """CH002 one byte above 1 MiB; at 1 MiB the file is read."""
    file = tmp_path / "large.chunnel"
    file.write_bytes(b"endpoint a = 10.0.0.1:1;" + b" " * (MAX_BYTES - 24))
    assert codes(file) == []
    file.write_bytes(file.read_bytes() + b" ")
    assert codes(file) == ["CH002"]


def test_bytes_that_are_no_text_are_refused(tmp_path):
    """CH003 names the byte and its line."""
    file = tmp_path / "latin.chunnel"
    file.write_bytes(b"endpoint a = 10.0.0.1:1;\n// caf\xe9\n")
    (found,) = check([file])
    assert found.code.number() == "CH003"
    assert "0xe9 in line 2" in found.message


def test_a_byte_order_mark_and_carriage_returns_do_no_harm(tmp_path):
    """Files saved on Windows are read."""
    file = tmp_path / "windows.chunnel"
    file.write_bytes(b"\xef\xbb\xbfendpoint a = 10.0.0.1:1;\r\nmessage Kv over udp { a: u8; }\r\n")
    assert codes(file) == []


def test_imports_are_read_once_and_relative_to_their_file(tmp_path):
    """Two files that import a third have one copy of what it declares."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/shared.chunnel").write_text("endpoint a = 10.0.0.1:1;\n")
    (tmp_path / "parts/one.chunnel").write_text('import "shared.chunnel";\nendpoint b = 10.0.0.1:2;\n')
    (tmp_path / "main.chunnel").write_text(
        'import "parts/one.chunnel";\nimport "parts/shared.chunnel";\n'
        "stack s(client, server) { request: rewrite(a, b) |> udp(1); }\n"
    )
    assert codes(tmp_path / "main.chunnel") == []


def test_a_link_does_not_lead_out_of_the_folder(tmp_path):
    """CH009: an import is judged by where it really lies."""
    inside = tmp_path / "project"
    inside.mkdir()
    (tmp_path / "secret.chunnel").write_text("endpoint a = 10.0.0.1:1;\n")
    (inside / "link.chunnel").symlink_to(tmp_path / "secret.chunnel")
    (inside / "main.chunnel").write_text('import "link.chunnel";\n')
    assert codes(inside / "main.chunnel") == ["CH009"]


def test_a_link_to_itself_is_no_traceback(tmp_path):
    """A loop of links is a file that cannot be read."""
    (tmp_path / "loop.chunnel").symlink_to(tmp_path / "loop.chunnel")
    assert codes(tmp_path / "loop.chunnel") == ["CH001"]


@pytest.mark.parametrize("depth", [150, 250, 20_000])
@pytest.mark.parametrize(
    ("opening", "inner", "closing"),
    [("(", "1 as u32", ")"), ("not ", "true", ""), ("- ", "(1 as u32)", ""), ("if true then ", "1 as u32", " else 2")],
)
def test_depth_is_bounded(tmp_path, depth, opening, inner, closing):
    """Up to the bound, depth is no problem; above it, it is CH004, whatever nests."""
    file = tmp_path / "deep.chunnel"
    file.write_text(f"chunnel deep() {{ on packet(m) {{ let x = {opening * depth}{inner}{closing * depth}; }} }}")
    assert codes(file) == (["CH004"] if depth > 200 else [])


def test_long_chains_of_declarations_are_no_depth(tmp_path):
    """A thousand messages over one another are checked without recursion, a circle of them too."""
    file = tmp_path / "chain.chunnel"
    chain = [f"message m{i} over m{i + 1} {{ a: u8; }}" for i in range(1000)]
    file.write_text("\n".join([*chain, "message m1000 { a: u8; }"]))
    assert codes(file) == []
    file.write_text("\n".join([*chain, "message m1000 over m0 { a: u8; }"]))
    assert codes(file) == ["CH027"]


def test_a_full_file_is_read_in_time(tmp_path):
    """A file of nearly 1 MiB takes seconds, not minutes."""
    file = tmp_path / "full.chunnel"
    line = "/// A message.\nmessage m{0:06} over udp {{ first: u8; second: bytes[4]; third: u16; rest: bytes; }}\n"
    file.write_text("".join(line.format(i) for i in range(MAX_BYTES // len(line.format(0)))))
    began = time.monotonic()
    assert len(load([file]).messages) > 8000
    assert time.monotonic() - began < 60


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_text_makes_the_frontend_fail(tmp_path, seed):
    """Whatever is deleted from, swapped in or pasted into a good file: the answer is a specification or diagnostics."""
    random_ = random.Random(seed)
    text = random_.choice(TEXTS)
    for _ in range(random_.randint(1, 5)):
        start = random_.randrange(len(text) + 1)
        end = min(len(text), start + random_.choice((0, 1, 1, 3, 20)))
        new = random_.choice(
            ("", "", random_.choice(WORDS), f" {random_.choice(WORDS)} ", random_.choice('(){}[];"\0é|'))
        )
        text = text[:start] + new + text[end:]
    file = tmp_path / "mutant.chunnel"
    file.write_text(text)
    for found in check([file]):
        assert found.span is None or found.span.start <= found.span.end <= len(found.span.source.text)


def test_a_file_of_mistakes_ends_at_a_thousand(tmp_path):
    """CH015 comes last, behind the thousand mistakes that are shown."""
    file = tmp_path / "wrong.chunnel"
    file.write_text("message m over udp { " + " ".join(f"a{i}: q{i};" for i in range(2000)) + " }")
    found = codes(file)
    assert found.count("CH021") == 1000
    assert set(found) == {"CH021", "CH015"}


def test_digits_are_bounded(tmp_path):
    """A number of more digits than anything has is CH020, with a decimal point or without."""
    file = tmp_path / "digits.chunnel"
    for number, found in (("1." + "0" * 100, []), ("1." + "0" * 100_000, ["CH020"]), ("1" * 100_000, ["CH020"])):
        file.write_text(f"device h: host; link h <-> h ethernet {{ rate {number} bit/s; }}")
        assert codes(file) == found


def test_imports_are_nested_to_a_bound(tmp_path):
    """A chain of files is read up to 64 deep; a longer one is CH004, not a traceback."""
    for i in range(1000):
        (tmp_path / f"f{i}.chunnel").write_text(f'import "f{i + 1}.chunnel";\nendpoint e{i} = 10.0.0.1:1;\n')
    (tmp_path / "f1000.chunnel").write_text("endpoint last = 10.0.0.1:1;\n")
    assert codes(tmp_path / "f940.chunnel") == []
    assert codes(tmp_path / "f0.chunnel") == ["CH004"]


@pytest.mark.parametrize(
    "text",
    [
        "chunnel c() { on packet(m) { " + "if true { let x = 1 as u8; }" * 4000 + " } }",
        "chunnel c(by: field) { on packet(m) { " + "m.dst.port = 1;" * 2000 + " } } stack s(a, b) { request: "
        + "c(ipv4.ttl) |> " * 4000 + "udp(1); }",
        "message k over udp { " + "".join(f"a{i}: u8;" for i in range(4000)) + " } chunnel c() { on packet(m) { "
        + "".join(f"m.k.a{i} = 1;" for i in range(4000)) + " } }",
    ],
    ids=["blocks", "uses", "fields"],
)  # fmt: skip
def test_time_grows_with_the_text(tmp_path, text):
    """Many small things of one kind take time in proportion: no step looks through all the others."""
    file = tmp_path / "many.chunnel"
    file.write_text(text)
    began = time.process_time()
    assert codes(file) == []
    assert time.process_time() - began < 15
