"""A client without an artifact takes the server's: the folder is brought over, checked, and kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bertha_ir.runtime.artifact import MANIFEST, Artifact, ArtifactError
from bertha_ir.runtime.connections.connection import ConnectionLost
from bertha_ir.runtime.connections.link import ANY, Link
from bertha_ir.runtime.negotiation.keys import Keys
from bertha_ir.runtime.negotiation.patience import Patience, asked
from bertha_ir.runtime.negotiation.wire import (
    CONNECTION,
    PIECE,
    Envelope,
    Fetch,
    Piece,
    Refusal,
    WireError,
    inner,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.runtime.udp import Address

    Check = Callable[[Path], str | None]

MOST, LARGEST = 4096, 1 << 24  # files of an artifact; bytes of all of them
AT_ONCE = 16  # pieces that are under way
_PATH = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9_.+-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9_.+-]+)*")


async def fetch(  # noqa: PLR0913  (all but three have defaults and are given by name)
    stack: str,
    server: Address,
    into: Path,
    *,
    check: Check,
    secrets: Mapping[str, bytes] | None = None,
    patience: Patience | None = None,
) -> Path:
    """Bring a server's artifact of a stack into a folder of `into`, and return that, for `connect`.

    `check` says why the folder must not be trusted, or None: `bertha_ir.audit.trust.distrusted` proves and runs all of
    it again. Until it has, the folder is under another name, and nothing of it is run. `secrets` authenticate the
    server. `ArtifactError` when what comes is no artifact or not to be trusted, `ConnectionLost` when nothing comes.
    """
    fetching = _Fetching(stack, server, Keys.of(secrets or {}, b""), patience or Patience())
    try:
        files = await fetching.files()
    finally:
        fetching.link.close()
    return await asyncio.to_thread(_kept, files, into, check)


def _kept(files: Mapping[str, bytes], into: Path, check: Check) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=into, prefix=".taken-"))
    try:
        return _checked(files, made, into, check)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _checked(files: Mapping[str, bytes], made: Path, into: Path, check: Check) -> Path:
    for path, content in files.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_bytes(content)
    artifact = Artifact(made)
    why = check(made)
    if why is not None:
        msg = f"the server's artifact is not to be trusted: {why}"
        raise ArtifactError(msg)
    kept = into / hashlib.sha256(files[MANIFEST]).hexdigest()[:16]
    if not kept.exists():
        artifact.folder.rename(kept)
    return kept


class _Fetching:
    """Asks for files, piece by piece, a few at a time."""

    def __init__(self, stack: str, server: Address, keys: Keys, patience: Patience) -> None:
        self._stack, self._server, self._keys, self._patience = stack, server, keys, patience
        self._waiting: dict[bytes, tuple[bytes, asyncio.Future[Envelope]]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self.link = Link(ANY, self._received)

    async def files(self) -> dict[str, bytes]:
        """Return the manifest and every file that it lists, each as the manifest says that it is."""
        manifest = await self._file(MANIFEST, LARGEST)
        hashes = _listed(manifest)
        contents = await asyncio.gather(*(self._file(path, LARGEST) for path in hashes))
        files = dict(zip(hashes, contents, strict=True))
        for path, content in files.items():
            if hashlib.sha256(content).hexdigest() != hashes[path]:
                msg = f"`{path}` of the server's artifact is not what its manifest says"
                raise ArtifactError(msg)
        if sum(map(len, contents)) > LARGEST:
            msg = f"the server's artifact has more than {LARGEST} bytes"
            raise ArtifactError(msg)
        return {MANIFEST: manifest, **files}

    async def _file(self, path: str, most: int) -> bytes:
        first = await self._piece(path, 0)
        if first.total > most:
            msg = f"`{path}` of the server's artifact has {first.total} bytes"
            raise ArtifactError(msg)
        rest = await asyncio.gather(*(self._piece(path, at) for at in range(PIECE, first.total, PIECE)))
        return b"".join((first.data, *(piece.data for piece in rest)))

    async def _piece(self, path: str, offset: int) -> Piece:
        name = os.urandom(CONNECTION)
        body = inner(name, wish := Fetch(self._stack, path, offset, bytes(PIECE)))
        data = Envelope(name, wish, body, self._keys.offer(body)).data
        answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._waiting[name] = body, answer
        where = f"{self._server[0]}:{self._server[1]}"
        async with self._at_once:
            try:
                found = (await asked(lambda: self.link.send(data, self._server), answer, self._patience)).message
            except TimeoutError as error:
                msg = f"nobody at {where} gives `{path}` within {self._patience.whole:g} s"
                raise ConnectionLost(msg) from error
            finally:
                del self._waiting[name]
        if isinstance(found, Piece) and (found.path, found.offset) == (path, offset):
            return found
        msg = f"{where} refuses: {found.why if isinstance(found, Refusal) else 'it gives something else'}"
        raise ConnectionLost(msg)

    def _received(self, data: bytes, sender: Address) -> None:
        if sender != self._server:
            return
        try:
            envelope = opened(data)
        except WireError:
            return
        body, answer = self._waiting.get(envelope.connection, (b"", None))
        if answer is None or answer.done() or not self._keys.answered(body, envelope.inner, envelope.mac):
            return
        if isinstance(envelope.message, Piece | Refusal):
            answer.set_result(envelope)


def _listed(manifest: bytes) -> dict[str, str]:
    """Return the hashes of the files that a manifest lists; `ArtifactError` when it lists none, or what is no path."""
    try:
        hashes = json.loads(manifest)["files"]
        fine = len(hashes) <= MOST and all(_PATH.fullmatch(path) and path != MANIFEST for path in hashes)
    except (ValueError, TypeError, KeyError, RecursionError):
        fine = False
    if not fine:
        msg = "the server's artifact has no manifest"
        raise ArtifactError(msg)
    return {str(path): str(digest) for path, digest in hashes.items()}
