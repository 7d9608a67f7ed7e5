"""Identifiers and secrets from the operating system's randomness."""

import secrets
import uuid

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 characters that people do not confuse: no l, o, 0, 1."""


class RandomIds:
    """Implements `ringback.ports.ids.Ids`."""

    def uuid7(self, now_ms: int) -> str:
        """Return a UUIDv7 (RFC 9562 section 5.7): 48 bits of time, 74 random bits."""
        bits = (now_ms & (1 << 48) - 1) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
        return str(uuid.UUID(int=bits))

    def token(self) -> str:
        """Return 256 random bits as hexadecimal digits."""
        return secrets.token_hex(32)

    def short(self) -> str:
        """Return 8 random characters."""
        return "".join(secrets.choice(ALPHABET) for _ in range(8))
