"""Signatures under the Director's key: what makes a desired state the server's own word."""

from typing import Protocol


class Signer(Protocol):
    """Holds the Director's online key of one tenant."""

    @property
    def key_id(self) -> str:
        """Return the TUF key id: SHA-256 of the key's canonical metadata, 64 hexadecimal digits."""
        ...

    @property
    def is_demo(self) -> bool:
        """Return whether the key is marked as made for a demo: good on this machine only."""
        ...

    @property
    def root(self) -> bytes:
        """Return the newest Director root document, exact bytes."""
        ...

    @property
    def root_version(self) -> int:
        """Return the version of ``root``."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the DER signature (ECDSA P-256 over SHA-256) of ``data``; the same data gives the same bytes."""
        ...
