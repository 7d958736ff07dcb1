"""Ciphers of a deployed Python program, kept from message to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from bertha_ir.runtime.state import Secrets

__all__ = ["Ciphers", "InvalidTag"]


class Ciphers(dict[str, AESGCM]):
    """AES-256-GCM by the name of the secret that is its key, each made when it is first asked for."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets
        secrets.derived.append(self)

    def __missing__(self, name: str) -> AESGCM:
        """Make a cipher; LookupError when its secret was not given."""
        cipher = self[name] = AESGCM(self._secrets[name])
        return cipher
