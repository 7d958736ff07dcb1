"""Authenticates a negotiation by the secrets that a stack's ends share, so that nobody on the path can change it.

The key is derived from all secrets of the stack and from what the stack means (HKDF, RFC 5869). An offer is
authenticated alone, the answer together with the offer, and everything after by a key of the connection, derived from
both, whose nonces make it another one each time: nothing of one connection is taken in another.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INFO = b"bertha negotiation 1"


def _mac(key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC-SHA256 of parts, each with its length in front, so that no two lists of parts are one text."""
    text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.digest(key, text, hashlib.sha256)


@dataclass(frozen=True, repr=False)
class Session:
    """The key of one connection; None of a stack without secrets. `role` is that of the end that holds it."""

    key: bytes | None
    role: str

    def seal(self, inner: bytes) -> bytes:
        """Return the mac of a message of this end."""
        return _mac(self.key, self.role.encode(), inner) if self.key else b""

    def fits(self, inner: bytes, mac: bytes) -> bool:
        """Whether a message is the other end's. Without a key, every one is."""
        other = "server" if self.role == "client" else "client"
        return self.key is None or hmac.compare_digest(_mac(self.key, other.encode(), inner), mac)


@dataclass(frozen=True, repr=False)
class Keys:
    """The key of a stack between two ends; None when the stack has no secrets."""

    key: bytes | None

    @classmethod
    def of(cls, secrets: Mapping[str, bytes], specification: bytes) -> Keys:
        """Derive the key from a stack's secrets by name, and from the hash of what it means."""
        if not secrets:
            return cls(None)
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  (only stacks with secrets need it)
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        texts = [part for name in sorted(secrets) for part in (name.encode(), secrets[name])]
        material = b"".join(len(text).to_bytes(8, "big") + text for text in texts)
        return cls(HKDF(SHA256(), 32, salt=specification, info=INFO).derive(material))

    def offer(self, offer: bytes) -> bytes:
        """Return the mac of an offer."""
        return _mac(self.key, b"offer", offer) if self.key else b""

    def answer(self, offer: bytes, answer: bytes) -> bytes:
        """Return the mac of what a server says to an offer."""
        return _mac(self.key, b"answer", offer, answer) if self.key else b""

    def offered(self, offer: bytes, mac: bytes) -> bool:
        """Whether an offer is of somebody who has the secrets. Without secrets, every one is."""
        return self.key is None or hmac.compare_digest(self.offer(offer), mac)

    def answered(self, offer: bytes, answer: bytes, mac: bytes) -> bool:
        """Whether an answer is to this offer, by somebody who has the secrets. Without secrets, every one is."""
        return self.key is None or hmac.compare_digest(self.answer(offer, answer), mac)

    def session(self, offer: bytes, answer: bytes, role: str) -> Session:
        """Return the key of the connection that an offer and its answer make."""
        return Session(_mac(self.key, b"session", offer, answer) if self.key else None, role)

    def ticket(self, secret: bytes, content: bytes) -> bytes:
        """Return the mac of a ticket, by a secret that the server alone has."""
        return _mac(secret, b"ticket", content)
