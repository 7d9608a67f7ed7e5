"""Backend `file`: a plane that is one file, replaced atomically and read again by its services. For config.

What services read is a plain file of its own, not a symlink, so that a service may watch it or copy it. The pointer
beside it names the artifact it came from; after a crash between the two, the bytes of the file are the truth.
"""

from collections.abc import Collection
from pathlib import Path

from ringback.agent.errors import PortError
from ringback.agent.files import Disk
from ringback.agent.manifest import FileEntry, Manifest
from ringback.agent.platform.slots import UNKNOWN_VERSION, Slots
from ringback.agent.ports import Running
from ringback.agent.store import ContentStore, disk_failed, hash_file

CONFIG_LIMIT_BYTES = 4 << 20


class FileBackend:
    """One config plane.

    Args:
        plane: its name.
        folder: where its slots are.
        target: the file that services read.
    """

    consequence = "config"

    def __init__(self, plane: str, folder: Path, *, target: Path, disk: Disk, store: ContentStore) -> None:
        self.plane = plane
        self._slots = Slots(folder, disk, store)
        self._target = target
        self._disk = disk
        disk.make_folder(target.parent)

    def stage(self, manifest: Manifest) -> None:
        """Builds the slot. Raises PortError, also for an artifact that holds no config file."""
        _config_of(manifest)
        self._slots.stage(manifest)

    def slot(self, digest: str) -> Path:
        """Returns a staged artifact's folder. Raises PortError."""
        return self._slots.path(digest)

    def manifest(self, digest: str) -> Manifest:
        """Returns a staged artifact's manifest. Raises PortError."""
        return self._slots.manifest(digest)

    def active(self) -> str:
        """Returns the digest whose bytes the file holds; empty when there is no file."""
        running = self.running()
        return running.digest if running is not None else ""

    def switch(self, digest: str) -> None:
        """Replaces the file, then the pointer. Raises PortError."""
        try:
            if digest:
                entry = _config_of(self._slots.manifest(digest))
                self._disk.write(self._target, (self._slots.path(digest) / entry.path).read_bytes())
            elif self._target.exists():
                self._disk.remove(self._target)
        except OSError as error:
            raise disk_failed(error, f"switch {self.plane}") from error
        self._slots.point(digest)

    def running(self) -> Running | None:
        """Returns the artifact whose bytes the file holds: the one the pointer names, if its bytes are these."""
        found_bytes, found_hex = hash_file(self._target, limit_bytes=CONFIG_LIMIT_BYTES)
        if not found_hex:
            return None
        named = self._slots.active()
        for digest in [*([named] if named else []), *self._slots.staged()]:
            entry = _config_of(self._slots.manifest(digest))
            if (entry.size_bytes, entry.sha256_hex) == (found_bytes, found_hex):
                return self._slots.read_back(digest)
        return Running(f"sha256:{found_hex}", UNKNOWN_VERSION)

    def keep(self, digests: Collection[str]) -> None:
        """Removes the other slots."""
        active = self.active()
        self._slots.keep([*digests, *([active] if active else [])])


def _config_of(manifest: Manifest) -> FileEntry:
    entry = manifest.file_of_role("config")
    if entry is None or entry.size_bytes > CONFIG_LIMIT_BYTES:
        text = f"{manifest.name} {manifest.version} has no file of role config of at most {CONFIG_LIMIT_BYTES} bytes"
        raise PortError("RB-AGENT-023", text)
    return entry
