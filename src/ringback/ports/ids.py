"""Chance for use cases: identifiers and secrets."""

from typing import Protocol


class Ids(Protocol):
    """Makes identifiers and secrets. Every call returns a new one."""

    def uuid7(self, now_ms: int) -> str:
        """Return a UUIDv7 (RFC 9562) whose time field is ``now_ms``; later ones sort after earlier ones."""
        ...

    def token(self) -> str:
        """Return 256 random bits as 64 hexadecimal digits."""
        ...

    def short(self) -> str:
        """Return 8 random characters of [a-z0-9], for names that people read."""
        ...
