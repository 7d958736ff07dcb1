"""Compiles text in tests: a specification written in the test, at a site that two hosts and a switch make up."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from bertha_ir import api

SITE = """
device h1:  host   { address 10.0.0.1; cores 2; }
device c1:  host   { address 10.0.0.9; cores 2; }
device tor: switch { profile "bmv2"; }
link c1 <-> tor ethernet { rate 10 Gbit/s; port 1; }
link tor <-> h1 ethernet { rate 10 Gbit/s; port 2; }
run app.server on h1;
run app.client on c1;
"""
MESSAGE = """
message Query over udp { id: u16; kind: u8; flags: u8; name: bytes[4]; odd: u8; word: u16; wide: u64; rest: bytes; }
endpoint a = 10.0.0.1:9001;
endpoint b = 10.0.0.2:9002;
endpoint c = 10.0.0.1:9003;
"""


def compiled(
    request: str, *, response: str = "udp(4242)", more: str = "", site: str = SITE, **options: object
) -> api.Compiled:
    """Compile the stack `app` with these directions. `more` is put in front; `site` may be empty."""
    text = f"{MESSAGE}{more}\nstack app(client, server) {{ request: {request}; response: {response}; }}\n"
    with TemporaryDirectory() as folder:
        files = [Path(folder, "app.chunnel"), Path(folder, "site.chunnel")]
        for path, content in zip(files, (text, site), strict=True):
            path.write_text(content)
        return api.build(files if site else files[:1], **options)  # type: ignore[arg-type]


def examples() -> list[Path]:
    """The folders of the examples."""
    return sorted(p.parent for p in Path(__file__).parents[1].joinpath("examples").glob("*/site.chunnel"))
