"""The journal's storage on a Linux file system: what the kernel's journal asks of a disk, and nothing more.

Invariants:

- `append` reaches the file, `sync` the disk; a file that `append` creates is known to its folder after `sync`.
- `replace` is atomic and durable.
- Names are plain file names; the journal chooses them, not the network.

Source: the port is defined by `ringback_kernel.journal`.
"""

import os
from pathlib import Path

from ringback.agent.errors import SetupError
from ringback.agent.files import Disk, write_all


class FileStorage:
    """Files in one folder."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._fresh: set[str] = set()
        disk.make_folder(folder)

    def _path(self, name: str) -> Path:
        assert name and "/" not in name and not name.startswith("."), name
        return self._folder / name

    def read(self, name: str) -> bytes | None:
        """Returns the whole file, or None when there is none. Raises SetupError when the disk refuses."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SetupError("RB-AGENT-005", f"cannot read {self._path(name)}: {error.strerror}") from error

    def size(self, name: str) -> int:
        """Returns the size in bytes; 0 when there is no such file."""
        try:
            return self._path(name).stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, name: str, data: bytes) -> None:
        """Adds bytes at the end, creating the file if need be. Durable only after `sync`. Raises OSError."""
        path = self._path(name)
        if not path.exists():
            self._fresh.add(name)
        self._disk.step(f"append {name}")
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)

    def sync(self, name: str) -> None:
        """Makes everything appended so far durable. Raises OSError."""
        self._disk.step(f"sync {name}")
        descriptor = os.open(self._path(name), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if name in self._fresh:
            self._disk.sync_folder(self._folder)
            self._fresh.discard(name)

    def replace(self, name: str, data: bytes) -> None:
        """Makes the file hold exactly `data`, atomically and durably. Raises OSError."""
        self._disk.write(self._path(name), data, mode=0o600)
