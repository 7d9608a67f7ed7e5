"""The content store: files under the SHA-256 of their bytes, and the parts of files that are still on the way.

Invariants:

- A file gets its name only after its hash was checked and it is durable; a name is still no proof (`check` hashes).
- Nothing is executable or writable in the store, so what a slot links cannot be changed by accident.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from ringback.agent.errors import PortError
from ringback.agent.files import COPY_CHUNK_BYTES, NO_ROOM, Disk
from ringback.agent.manifest import MANIFEST_LIMIT_BYTES, Manifest, hex_of, parse

FILE_MODE = 0o444


class ContentStore:
    """`<folder>/sha256/<hex>` and `<folder>/parts/<hex>`."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._files = folder / "sha256"
        self._parts = folder / "parts"
        self._disk = disk
        self.folder = folder
        disk.make_folder(self._files)
        disk.make_folder(self._parts)

    def path(self, sha256_hex: str) -> Path:
        """Where the file with this hash lies or would lie."""
        return self._files / sha256_hex

    def part(self, sha256_hex: str) -> Path:
        """Where its first bytes are collected."""
        return self._parts / sha256_hex

    def has(self, sha256_hex: str, size_bytes: int) -> bool:
        """Whether a plain file of this size lies here under this hash. Not a proof of its bytes: see `check`."""
        try:
            status = os.lstat(self.path(sha256_hex))
        except OSError:
            return False
        return status.st_size == size_bytes and (status.st_mode & 0o170000) == 0o100000

    def adopt(self, sha256_hex: str) -> None:
        """Gives a complete, checked, synced part its name in the store."""
        part = self.part(sha256_hex)
        os.chmod(part, FILE_MODE)
        self._disk.rename(part, self.path(sha256_hex))

    def drop(self, sha256_hex: str) -> None:
        """Forgets a file and its part."""
        for path in (self.path(sha256_hex), self.part(sha256_hex)):
            if path.exists() or path.is_symlink():
                self._disk.remove(path)

    def check(self, sha256_hex: str, size_bytes: int) -> None:
        """Hashes a file on the disk. Raises PortError RB-AGENT-022; the file is then dropped, to be fetched again."""
        found_bytes, found_hex = hash_file(self.path(sha256_hex))
        if (found_bytes, found_hex) != (size_bytes, sha256_hex):
            self.drop(sha256_hex)
            text = (
                f"{sha256_hex[:16]} on the disk: {found_bytes} bytes of {found_hex[:16]}, expected {size_bytes} bytes"
            )
            raise PortError("RB-AGENT-022", text, retry=True)

    def manifest(self, digest: str) -> Manifest:
        """Returns the manifest with this digest. Raises PortError when it is absent or not that."""
        try:
            data = read_small(self.path(hex_of(digest)), MANIFEST_LIMIT_BYTES)
        except OSError as error:
            raise PortError("RB-AGENT-022", f"no manifest {digest[:23]}: {error.strerror}", retry=True) from error
        manifest = parse(data)
        if manifest.digest != digest:
            self.drop(hex_of(digest))
            raise PortError("RB-AGENT-022", f"the manifest {digest[:23]} has another digest on the disk", retry=True)
        return manifest

    def sweep(self, keep_hex: Iterable[str]) -> None:
        """Removes what no slot links and nobody asks to keep, and every part."""
        keep = set(keep_hex)
        for path in self._files.iterdir():
            if path.name not in keep and path.lstat().st_nlink == 1:
                self._disk.remove(path)
        for path in self._parts.iterdir():
            self._disk.remove(path)


def read_small(path: Path, limit_bytes: int) -> bytes:
    """Returns a plain file's bytes, at most `limit_bytes` + 1 of them; does not follow a symlink. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(descriptor, limit_bytes + 1)
    finally:
        os.close(descriptor)


def hash_file(path: Path, *, limit_bytes: int = 1 << 53) -> tuple[int, str]:
    """Returns size and SHA-256 of a plain file, (0, "") when it cannot be read; does not follow a symlink."""
    hashed = hashlib.sha256()
    total = 0
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:
            while total <= limit_bytes and (chunk := file.read(COPY_CHUNK_BYTES)):
                hashed.update(chunk)
                total += len(chunk)
        return total, hashed.hexdigest()
    return 0, ""


def disk_failed(error: OSError, what: str) -> PortError:
    """Words a refusal of the disk: no room (worth another try), or anything else."""
    if error.errno in NO_ROOM:
        return PortError("RB-AGENT-024", f"no room to {what}: {error.strerror}", retry=True)
    return PortError("RB-AGENT-025", f"the disk refused to {what}: {error.strerror or error}", retry=True)
