"""A server gives its artifact to clients that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.runtime.artifact import ArtifactError
from bertha_ir.runtime.negotiation.keys import Keys
from bertha_ir.runtime.negotiation.wire import PIECE, Envelope, Fetch, Piece, Refusal, inner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertha_ir.runtime.artifact import Artifact


class Giving:
    """Answers wishes for pieces of an artifact's files; of nobody but who has the secrets, if there are some."""

    def __init__(self, artifact: Artifact, stack: str, secrets: Mapping[str, bytes]) -> None:
        self._artifact, self._stack = artifact, stack
        self._keys = Keys.of(secrets, b"")
        self._read: dict[str, bytes] = {}

    def given(self, envelope: Envelope) -> bytes | None:
        """Return the answer to a wish; None when there is none, as it is not authentic."""
        wish = envelope.message
        assert isinstance(wish, Fetch)  # noqa: S101  INVARIANT: the caller looked
        if not self._keys.offered(envelope.inner, envelope.mac):
            return None
        answer = self._answer(wish)
        body = inner(envelope.connection, answer)
        return Envelope(envelope.connection, answer, body, self._keys.answer(envelope.inner, body)).data

    def _answer(self, wish: Fetch) -> Piece | Refusal:
        if wish.stack != self._stack:
            return Refusal("stack", f"the stack `{wish.stack[:100]}` is not served")
        try:
            content = self._content(wish.path)
        except ArtifactError:
            return Refusal("file", f"the artifact has no file `{wish.path[:100]}`")
        most = min(PIECE, len(wish.room))
        return Piece(wish.path, wish.offset, len(content), content[wish.offset : wish.offset + most])

    def _content(self, path: str) -> bytes:
        if path not in self._read:
            self._read[path] = self._artifact.content(path)
        return self._read[path]
