"""Bytes by their SHA-256: written once, never changed, never served under another name."""

from collections.abc import Iterator
from typing import Protocol

from ringback.errors import InputError


class BlobError(InputError):
    """Bytes that are not here or not as announced (RB-BLOB-NNN)."""


class Upload(Protocol):
    """One blob on its way in. Bytes become visible only when ``finish`` has checked and made them durable."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BlobError: more bytes than announced or allowed (RB-BLOB-002).
            NoRoomError: the disk is full (RB-STORE-001).
        """
        ...

    def finish(self) -> int:
        """Check length and hash, make the blob durable and visible; return its size in bytes.

        Raises:
            BlobError: too few bytes (RB-BLOB-003), another hash than announced (RB-BLOB-004).
            NoRoomError: the disk is full (RB-STORE-001).
        """
        ...

    def abort(self) -> None:
        """Drop what was written. Harmless after ``finish``."""
        ...


class Blobs(Protocol):
    """A store of blobs. ``sha256`` is 64 lower-case hexadecimal digits, checked by the caller."""

    def size_bytes(self, sha256: str) -> int | None:
        """Return the size of a blob, or None if it is not here."""
        ...

    def read(self, sha256: str, *, limit_bytes: int) -> bytes:
        """Return a whole blob of at most ``limit_bytes``.

        Raises:
            BlobError: it is not here (RB-BLOB-001) or larger (RB-BLOB-002).
        """
        ...

    def chunks(self, sha256: str, *, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes [start, stop) in pieces of at most 256 KiB."""
        ...

    def upload(self, sha256: str, *, announced_bytes: int | None, limit_bytes: int) -> Upload:
        """Begin to take a blob of ``announced_bytes`` (None = unknown) and at most ``limit_bytes``."""
        ...

    def name(self, reference: str, *, digest: str, files: tuple[tuple[str, str, int], ...]) -> None:
        """Make an artifact findable by outside tools.

        Args:
            reference: ``plane/name@version``.
            digest: 64 hexadecimal digits of its manifest blob.
            files: (path, sha256, size in bytes) of each file.
        """
        ...
