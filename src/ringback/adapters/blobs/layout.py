"""Blobs in an OCI image layout: `blobs/sha256/<hex>`, written once, visible only when whole and durable.

Decides: where bytes lie and when they count. Never: changes or removes a blob, or trusts a name without its hash.

- An upload goes to `uploads/`, is hashed while it streams, synced, and renamed into place; a crash leaves only an
  unfinished upload, removed at the next start.
- Each published artifact also gets an OCI image manifest and a line in `index.json`, so that skopeo, oras and the like
  can read the folder. Devices never see these.

Source: OCI image-spec 1.1, `image-layout.md` and `manifest.md`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ringback.ports.blobs import BlobError
from ringback.ports.store import NoRoomError

CHUNK_BYTES = 256 * 1024
ARTIFACT_TYPE = "application/vnd.ringback.artifact.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"


class OciBlobs:
    """Implements `ringback.ports.blobs.Blobs` on a folder.

    Args:
        folder: made if absent; unfinished uploads in it are removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._uploads = folder / "uploads"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._uploads.mkdir(exist_ok=True)
        for unfinished in self._uploads.iterdir():
            unfinished.unlink()
        if not (folder / "oci-layout").exists():
            self._replace(folder / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        if not (folder / "index.json").exists():
            self._replace(folder / "index.json", _encoded(_index([])))

    def size_bytes(self, sha256: str) -> int | None:
        """Return the size of a blob, or None."""
        try:
            return (self._blobs / sha256).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, sha256: str, *, limit_bytes: int) -> bytes:
        """Return a whole small blob."""
        size = self.size_bytes(sha256)
        if size is None:
            raise BlobError("RB-BLOB-001", f"no blob sha256:{sha256} here", hint="upload it first")
        if size > limit_bytes:
            raise BlobError("RB-BLOB-002", f"blob sha256:{sha256} has {size} bytes, at most {limit_bytes} allowed here")
        return (self._blobs / sha256).read_bytes()

    def chunks(self, sha256: str, *, start: int, stop: int) -> Iterator[bytes]:
        """Yield a part of a blob."""
        with (self._blobs / sha256).open("rb") as file:
            file.seek(start)
            while start < stop:
                chunk = file.read(min(CHUNK_BYTES, stop - start))
                if not chunk:
                    return
                start += len(chunk)
                yield chunk

    def upload(self, sha256: str, *, announced_bytes: int | None, limit_bytes: int) -> FileUpload:
        """Begin to take a blob."""
        if announced_bytes is not None and announced_bytes > limit_bytes:
            raise _too_long(f"{announced_bytes} bytes announced", limit_bytes)
        return FileUpload(
            self._uploads / secrets.token_hex(8),
            self._blobs / sha256,
            announced_bytes=announced_bytes,
            limit_bytes=limit_bytes,
        )

    def name(self, reference: str, *, digest: str, files: tuple[tuple[str, str, int], ...]) -> None:
        """Write the OCI manifest of an artifact and its line in the index."""
        manifest_size = self.size_bytes(digest)
        assert manifest_size is not None, "an artifact is named after its manifest was stored"
        layers = [_layer(ARTIFACT_TYPE, digest, manifest_size, "manifest.json")]
        layers += [_layer("application/octet-stream", sha256, size, path) for path, sha256, size in files]
        empty = hashlib.sha256(EMPTY).hexdigest()
        document = _encoded(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": ARTIFACT_TYPE,
                "config": {"mediaType": OCI_EMPTY, "digest": f"sha256:{empty}", "size": len(EMPTY)},
                "layers": layers,
            }
        )
        for content in (EMPTY, document):
            self._keep(content)
        line = {
            "mediaType": OCI_MANIFEST,
            "artifactType": ARTIFACT_TYPE,
            "digest": f"sha256:{hashlib.sha256(document).hexdigest()}",
            "size": len(document),
            "annotations": {"org.opencontainers.image.ref.name": reference},
        }
        index = json.loads((self._folder / "index.json").read_bytes())
        if line not in index["manifests"]:
            self._replace(self._folder / "index.json", _encoded(_index([*index["manifests"], line])))

    def _keep(self, content: bytes) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        if self.size_bytes(sha256) is None:
            upload = self.upload(sha256, announced_bytes=len(content), limit_bytes=len(content))
            upload.write(content)
            upload.finish()

    def _replace(self, path: Path, content: bytes) -> None:
        fresh = self._uploads / secrets.token_hex(8)
        with no_room_is_said(fresh):
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            _sync_folder(path.parent)


class FileUpload:
    """Implements `ringback.ports.blobs.Upload`: a file that is nothing until it is finished."""

    def __init__(self, fresh: Path, final: Path, *, announced_bytes: int | None, limit_bytes: int) -> None:
        self._fresh = fresh
        self._final = final
        self._announced_bytes = announced_bytes
        self._limit_bytes = limit_bytes if announced_bytes is None else announced_bytes
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        self._file = fresh.open("xb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Hash and write the next bytes."""
        self._size_bytes += len(chunk)
        if self._size_bytes > self._limit_bytes:
            self.abort()
            raise _too_long(f"more than {self._limit_bytes} bytes sent", self._limit_bytes)
        self._hash.update(chunk)
        try:
            with no_room_is_said(self._fresh):
                _write_all(self._file.fileno(), chunk)
        except NoRoomError:
            self.abort()
            raise

    def finish(self) -> int:
        """Check, sync, and make visible."""
        wanted, found = self._final.name, self._hash.hexdigest()
        if self._announced_bytes is not None and self._size_bytes != self._announced_bytes:
            self.abort()
            raise BlobError(
                "RB-BLOB-003",
                f"the upload of sha256:{wanted} ended after {self._size_bytes} of {self._announced_bytes} bytes",
                hint="send it again; nothing was kept",
            )
        if found != wanted:
            self.abort()
            raise BlobError(
                "RB-BLOB-004",
                f"the bytes sent have sha256:{found}, the address says sha256:{wanted}",
                hint="the file changed or was cut on the way; hash it and send it again",
            )
        with no_room_is_said(self._fresh):
            os.fsync(self._file.fileno())
        self._file.close()
        self._fresh.chmod(0o444)
        self._fresh.replace(self._final)
        _sync_folder(self._final.parent)
        return self._size_bytes

    def abort(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._fresh.unlink(missing_ok=True)


@contextmanager
def no_room_is_said(fresh: Path) -> Iterator[None]:
    """Turn a full disk into `NoRoomError`, and give back the room that the unfinished file took."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise NoRoomError(
                "RB-STORE-001",
                "the server's disk is full; nothing of this upload was kept",
                hint="make room on the disk of the data folder and send it again",
                retry_after_s=10,
            ) from error
        raise


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _layer(media_type: str, sha256: str, size: int, title: str) -> dict[str, object]:
    return {
        "mediaType": media_type,
        "digest": f"sha256:{sha256}",
        "size": size,
        "annotations": {"org.opencontainers.image.title": title},
    }


def _index(manifests: list[dict[str, object]]) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    }


def _encoded(document: dict[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _too_long(found: str, limit_bytes: int) -> BlobError:
    return BlobError(
        "RB-BLOB-002",
        f"{found}, at most {limit_bytes} are accepted here",
        hint="raise `--max-blob-bytes` of the server if the file is meant to be this large",
    )
