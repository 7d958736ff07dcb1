"""A client without an artifact takes the server's, and believes none of it unchecked."""

import asyncio
import json
from hashlib import sha256

import pytest
from connecting import BRIEF, SECRETS, built, mapped, serving

from bertha_ir.audit.trust import distrusted
from bertha_ir.runtime.artifact import ArtifactError
from bertha_ir.runtime.connections.client import connect
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.connections.fetching import fetch

TEXT = """message Note over udp { id: u32; text: bytes; }
stack app(client, server) {
  request: serialize(Note) |> select { tag(ipv4.dscp, 3) | none prefer tag } |> CODEC udp(4242);
  response: serialize(Note) |> CODEC udp;
}"""


@pytest.fixture
def plain(tmp_path):
    return built(tmp_path / "plain", TEXT.replace("CODEC ", ""))


@pytest.fixture
def secret(tmp_path):
    return built(tmp_path / "secret", TEXT.replace("CODEC ", 'encrypt(secret("session")) |> ').replace(" over udp", ""))


async def echo(connection):
    async for record in connection:
        await connection.send(record)


def served(folder, **options):
    return serving([folder], "app", echo, mapped=mapped(4242), **options)


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", ["plain", "secret"])
def test_what_is_taken_is_the_servers_and_works(kind, tmp_path, request):
    """Byte for byte, with the other ways through its selects; taken again, it is the same folder."""
    folder = request.getfixturevalue(kind)
    secrets = SECRETS if kind == "secret" else {}

    async def main():
        async with served(folder, secrets=secrets) as server:
            taken = await fetch("app", server.address, tmp_path / "kept", check=distrusted, secrets=secrets)
            assert tree(taken) == tree(folder)
            assert await fetch("app", server.address, tmp_path / "kept", check=distrusted, secrets=secrets) == taken
            assert [p.name for p in (tmp_path / "kept").iterdir()] == [taken.name]
            async with await connect([taken], "app", server.address, secrets=secrets) as client:
                await client.send(client.record(1, b"text"))
                assert await client.receive() == (1, b"text")
            with pytest.raises(ConnectionLost, match="the stack `other` is not served"):
                await fetch("other", server.address, tmp_path / "kept", check=distrusted, secrets=secrets)

    asyncio.run(main())


def test_programs_that_are_not_the_specifications_are_not_trusted(plain, tmp_path):
    """A server that gives another Python program, its manifest adapted: nothing is kept, and nothing of it has run."""
    program = plain / "python" / "app_request_send.py"
    text = program.read_text() + f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    program.write_text(text)
    manifest = json.loads((plain / "manifest.json").read_text())
    manifest["files"]["python/app_request_send.py"] = sha256(text.encode()).hexdigest()
    (plain / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")

    async def main():
        async with served(plain) as server:
            (tmp_path / "ran").unlink(missing_ok=True)
            with pytest.raises(ArtifactError, match="is not to be trusted: programs"):
                await fetch("app", server.address, tmp_path / "kept", check=distrusted)
        assert [*(tmp_path / "kept").iterdir()] == []
        assert not (tmp_path / "ran").exists()

    asyncio.run(main())


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "manifest.json", "a//b", "a\\0b"])
def test_files_that_would_lie_elsewhere_are_not_taken(path, plain, tmp_path):
    """Whatever a manifest lists, nothing is written outside of the folder."""

    async def main():
        async with served(plain) as server:
            manifest = {"files": {path: sha256(b"").hexdigest()}}
            server._giving._read["manifest.json"] = json.dumps(manifest).encode()
            with pytest.raises(ArtifactError, match="has no manifest"):
                await fetch("app", server.address, tmp_path / "kept", check=distrusted)
        assert not (tmp_path / "kept").exists()

    asyncio.run(main())


def test_nobody_without_the_secrets_is_given_anything(secret, tmp_path):
    """And nobody without them is believed: there is no answer, in either case."""

    async def main():
        async with served(secret, secrets=SECRETS) as server:
            for wrong in ({}, {"session": b"x" * 32}):
                with pytest.raises(ConnectionLost, match=r"gives `manifest\.json` within"):
                    await fetch("app", server.address, tmp_path, check=distrusted, secrets=wrong, patience=BRIEF)

    asyncio.run(main())
