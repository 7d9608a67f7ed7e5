"""Brings artifacts into the content store: resumable, capped at the signed size, hashed while they stream in.

It decides which bytes are still missing and whether there is room for them; when to try again is the kernel's.

Invariants:

- Not a byte more than was signed for is written, whatever the server sends.
- What was written before a break is hashed again before the rest is appended; a wrong hash throws the part away.
- A download of which too little arrives ends by itself, and one that nobody waits for any more at its next chunk.

Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (range requests).
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ringback.agent.errors import PortError
from ringback.agent.files import free_bytes, write_all
from ringback.agent.manifest import MANIFEST_LIMIT_BYTES, FileEntry, Manifest, hex_of
from ringback.agent.ports import Artifact, Json
from ringback.agent.store import ContentStore, disk_failed
from ringback.agent.transport import Blob

CHUNK_BYTES = 128 * 1024
RESERVE_BYTES = 8 << 20
"""Room that must be left before anything is activated: journal, config and the logs of a trial must still fit."""
WINDOW_S = 20.0
LEAST_BYTES_PER_WINDOW = 20 * 1024
"""A GSM link gives about ten times this; a slower server is stuck, and holding the lane helps nobody."""


class Source(Protocol):
    """Where bytes come from."""

    def blob(self, sha256_hex: str, start: int) -> Blob: ...


class Fetcher:
    """The real `Artifacts`.

    Args:
        source: the transport.
        store: where the bytes go.
        quota_bytes: the most that the state folder may hold, 0 for whatever the file system gives.
        elapsed_s: elapsed seconds, for the least rate.
    """

    def __init__(
        self, source: Source, store: ContentStore, *, quota_bytes: int, state: Path, elapsed_s: Callable[[], float]
    ) -> None:
        self._source = source
        self._store = store
        self._quota_bytes = quota_bytes
        self._state = state
        self._elapsed_s = elapsed_s
        self._expected_op = 0

    def expect(self, op: int) -> None:
        """Says which fetch is waited for; any other one gives up at its next chunk."""
        self._expected_op = op

    def fetch(self, artifacts: Sequence[Artifact], op: int) -> None:
        """Makes every file of these artifacts lie in the store. Raises PortError."""
        for artifact in artifacts:
            manifest = self._manifest(artifact, op)
            missing = [entry for entry in manifest.files if not self._store.has(entry.sha256_hex, entry.size_bytes)]
            self._require_room(sum(entry.size_bytes for entry in missing))
            for entry in missing:
                self._bring(entry.sha256_hex, entry.size_bytes, op)

    def verify(self, artifacts: Sequence[Artifact]) -> dict[str, dict[str, Json]]:
        """Hashes every byte of these artifacts on the disk and returns their manifests by plane. Raises PortError."""
        manifests: dict[str, dict[str, Json]] = {}
        for artifact in artifacts:
            manifest = self._store.manifest(artifact.digest)
            require_as_signed(artifact, manifest)
            for entry in manifest.files:
                self._prove(entry)
            manifests[artifact.plane] = dict(manifest.obj)
        return manifests

    def _prove(self, entry: FileEntry) -> None:
        """Hashes a file on the disk; one that was damaged there is fetched again, once."""
        try:
            self._store.check(entry.sha256_hex, entry.size_bytes)
        except PortError:
            self._bring(entry.sha256_hex, entry.size_bytes, self._expected_op)
            self._store.check(entry.sha256_hex, entry.size_bytes)

    def _manifest(self, artifact: Artifact, op: int) -> Manifest:
        if not 0 < artifact.length_bytes <= MANIFEST_LIMIT_BYTES:
            raise PortError(
                "RB-AGENT-023", f"a manifest of {artifact.length_bytes} bytes; at most {MANIFEST_LIMIT_BYTES}"
            )
        self._bring(hex_of(artifact.digest), artifact.length_bytes, op)
        manifest = self._store.manifest(artifact.digest)
        require_as_signed(artifact, manifest)
        return manifest

    def _require_room(self, needed_bytes: int) -> None:
        room_bytes = free_bytes(self._state, self._quota_bytes)
        if room_bytes < needed_bytes + RESERVE_BYTES:
            text = f"{needed_bytes} bytes are needed beside a reserve of {RESERVE_BYTES}, {room_bytes} are free"
            raise PortError("RB-AGENT-024", text, retry=True)

    def _bring(self, sha256_hex: str, size_bytes: int, op: int) -> None:
        if self._store.has(sha256_hex, size_bytes):
            return
        try:
            self._download(sha256_hex, size_bytes, op)
            self._store.adopt(sha256_hex)
        except OSError as error:
            raise disk_failed(error, f"write {sha256_hex[:16]}") from error

    def _download(self, sha256_hex: str, size_bytes: int, op: int) -> None:
        """Completes the part of a file and makes it durable."""
        part = self._store.part(sha256_hex)
        start, hashed = _resume(part, size_bytes)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if start < size_bytes:
                with self._source.blob(sha256_hex, start) as blob:
                    if blob.start == 0:
                        start, hashed = 0, hashlib.sha256()
                    os.ftruncate(descriptor, start)
                    os.lseek(descriptor, start, os.SEEK_SET)
                    for chunk in self._chunks(blob, size_bytes - start, op):
                        write_all(descriptor, chunk)
                        hashed.update(chunk)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if hashed.hexdigest() != sha256_hex:
            part.unlink()
            text = f"{size_bytes} bytes came, but of {hashed.hexdigest()[:16]} instead of {sha256_hex[:16]}"
            raise PortError("RB-AGENT-022", text, retry=True)

    def _chunks(self, blob: Blob, missing_bytes: int, op: int) -> Iterator[bytes]:
        """Yields exactly `missing_bytes`. Raises PortError when they do not come, too slowly, or are not wanted."""
        window_end_s, window_bytes = self._elapsed_s() + WINDOW_S, 0
        while missing_bytes:
            if op != self._expected_op:
                raise PortError("RB-AGENT-026", f"fetch {op} is not waited for any more", retry=True)
            chunk = blob.read(min(CHUNK_BYTES, missing_bytes))
            if not chunk:
                raise PortError("RB-AGENT-020", f"the download ended {missing_bytes} bytes early", retry=True)
            yield chunk
            missing_bytes -= len(chunk)
            window_bytes += len(chunk)
            if self._elapsed_s() >= window_end_s:
                if window_bytes < LEAST_BYTES_PER_WINDOW:
                    text = (
                        f"only {window_bytes} bytes in {WINDOW_S:.0f} s; at least {LEAST_BYTES_PER_WINDOW} are expected"
                    )
                    raise PortError("RB-AGENT-020", text, retry=True)
                window_end_s, window_bytes = self._elapsed_s() + WINDOW_S, 0


def require_as_signed(artifact: Artifact, manifest: Manifest) -> None:
    """Raises PortError RB-AGENT-022 when a manifest is for another plane or larger than the desired state said."""
    if manifest.plane != artifact.plane:
        raise PortError("RB-AGENT-022", f"{artifact.name} is for plane {manifest.plane}, expected {artifact.plane}")
    if manifest.payload_bytes > artifact.payload_bytes:
        text = f"{artifact.name} has {manifest.payload_bytes} bytes of files, signed were {artifact.payload_bytes}"
        raise PortError("RB-AGENT-022", text)


def _resume(part: Path, size_bytes: int) -> tuple[int, "hashlib._Hash"]:
    """Returns how many bytes of a part can be kept, and their hash so far."""
    hashed = hashlib.sha256()
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return 0, hashed
    total = 0
    with open(descriptor, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            total += len(chunk)
            if total > size_bytes:
                return 0, hashlib.sha256()
            hashed.update(chunk)
    return total, hashed
