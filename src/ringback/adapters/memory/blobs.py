"""Blobs in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ringback.ports.blobs import BlobError, Upload
from ringback.ports.store import NoRoomError

CHUNK_BYTES = 256 * 1024


class MemoryBlobs:
    """Implements `ringback.ports.blobs.Blobs`.

    Attributes:
        is_full: nothing can be uploaded until it is False again.
        names: reference to the digest of the manifest it was given to.
    """

    def __init__(self) -> None:
        self.is_full = False
        self.names: dict[str, str] = {}
        self._blobs: dict[str, bytes] = {}

    def size_bytes(self, sha256: str) -> int | None:
        """Return the size of a blob, or None."""
        blob = self._blobs.get(sha256)
        return None if blob is None else len(blob)

    def read(self, sha256: str, *, limit_bytes: int) -> bytes:
        """Return a whole small blob."""
        blob = self._blobs.get(sha256)
        if blob is None:
            raise BlobError("RB-BLOB-001", f"no blob sha256:{sha256} here", hint="upload it first")
        if len(blob) > limit_bytes:
            raise BlobError("RB-BLOB-002", f"blob sha256:{sha256} has {len(blob)} bytes, at most {limit_bytes} allowed")
        return blob

    def chunks(self, sha256: str, *, start: int, stop: int) -> Iterator[bytes]:
        """Yield a part of a blob."""
        blob = self._blobs[sha256]
        for place in range(start, min(stop, len(blob)), CHUNK_BYTES):
            yield blob[place : min(place + CHUNK_BYTES, stop)]

    def upload(self, sha256: str, *, announced_bytes: int | None, limit_bytes: int) -> Upload:
        """Begin to take a blob."""
        if announced_bytes is not None and announced_bytes > limit_bytes:
            raise BlobError(
                "RB-BLOB-002", f"{announced_bytes} bytes announced, at most {limit_bytes} are accepted here"
            )
        limit = limit_bytes if announced_bytes is None else announced_bytes
        return _Upload(self, sha256, announced_bytes=announced_bytes, limit_bytes=limit)

    def name(self, reference: str, *, digest: str, files: tuple[tuple[str, str, int], ...]) -> None:
        """Note an artifact's name."""
        assert digest in self._blobs, "an artifact is named after its manifest was stored"
        self.names[reference] = digest

    def _keep(self, sha256: str, content: bytes) -> None:
        self._blobs[sha256] = content


class _Upload:
    def __init__(self, blobs: MemoryBlobs, sha256: str, *, announced_bytes: int | None, limit_bytes: int) -> None:
        self._blobs = blobs
        self._sha256 = sha256
        self._announced_bytes = announced_bytes
        self._limit_bytes = limit_bytes
        self._content = bytearray()

    def write(self, chunk: bytes) -> None:
        if self._blobs.is_full:
            raise NoRoomError("RB-STORE-001", "the blobs were told to be full", retry_after_s=10)
        if len(self._content) + len(chunk) > self._limit_bytes:
            raise BlobError("RB-BLOB-002", f"more than {self._limit_bytes} bytes sent")
        self._content += chunk

    def finish(self) -> int:
        size = len(self._content)
        if self._announced_bytes is not None and size != self._announced_bytes:
            raise BlobError("RB-BLOB-003", f"the upload ended after {size} of {self._announced_bytes} bytes")
        if hashlib.sha256(self._content).hexdigest() != self._sha256:
            raise BlobError("RB-BLOB-004", f"the bytes sent do not have sha256:{self._sha256}")
        self._blobs._keep(self._sha256, bytes(self._content))
        return size

    def abort(self) -> None:
        self._content.clear()
