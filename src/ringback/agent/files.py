"""Durable steps on the disk: the only way this package changes what must survive a power cut.

Invariants:

- What is replaced is either wholly old or wholly new after a crash: write aside, fsync, rename, fsync the folder.
- A symlink is switched by renaming a new one over it; the pointer never dangles in between.
- Every change announces itself to `step` first, so that a test can end the process between any two of them.

Source: the order of operations is the one of "Crash-consistent applications", Pillai et al., OSDI 2014, section 3.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""All the ways a file system says that there is no more room for this file."""

COPY_CHUNK_BYTES = 1 << 20


class Disk:
    """Changes files durably. Stateless; a test derives from it to count the steps or to die at one of them."""

    def step(self, what: str) -> None:
        """Called before each change with a short description of it."""

    def write(self, path: Path, data: bytes, *, mode: int = 0o644) -> None:
        """Makes `path` hold `data`, atomically and durably."""
        aside = path.with_name(f".{path.name}.new")
        self.step(f"write {aside.name}")
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        try:
            os.fchmod(descriptor, mode)
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.rename(aside, path)

    def rename(self, old: Path, new: Path) -> None:
        """Moves within one file system, durably."""
        self.step(f"rename {old.name} to {new.name}")
        os.rename(old, new)
        self.sync_folder(new.parent)

    def point(self, link: Path, target: str) -> None:
        """Makes `link` a symlink to `target`, atomically and durably, whatever it was before."""
        aside = link.with_name(f".{link.name}.new")
        self.step(f"symlink {aside.name}")
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
        os.symlink(target, aside)
        self.rename(aside, link)

    def link(self, source: Path, target: Path) -> None:
        """Gives the bytes of `source` a second name; copies them where the file system has no hard links.

        The caller syncs the folder of `target` once, after the last file.
        """
        self.step(f"link {target.name}")
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno in NO_ROOM or isinstance(error, FileExistsError | FileNotFoundError):
                raise
            self._copy(source, target)

    def _copy(self, source: Path, target: Path) -> None:
        with open(source, "rb") as read, open(target, "xb") as written:
            while chunk := read.read(COPY_CHUNK_BYTES):
                written.write(chunk)
            written.flush()
            os.fsync(written.fileno())
        os.chmod(target, stat.S_IMODE(os.stat(source).st_mode))

    def make_folder(self, path: Path) -> None:
        """Makes a folder and its parents, durably."""
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            self.step(f"mkdir {folder.name}")
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o755)
            self.sync_folder(folder.parent)

    def remove(self, path: Path) -> None:
        """Removes a file, a symlink or a whole folder; does nothing if it is gone. Never follows a symlink."""
        self.step(f"remove {path.name}")
        if path.is_symlink() or not path.is_dir():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        else:
            for child in sorted(path.iterdir()):
                self.remove(child)
            with contextlib.suppress(FileNotFoundError):
                path.rmdir()
        self.sync_folder(path.parent)

    def sync_folder(self, path: Path) -> None:
        """Makes the names in a folder durable."""
        self.step(f"sync {path.name}/")
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes every byte, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def used_bytes(folder: Path) -> int:
    """Returns the bytes that a folder occupies on the disk, each inode once; what vanishes meanwhile counts nothing."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for status in _walk(folder):
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total


def _walk(folder: Path) -> Iterator[os.stat_result]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            yield entry.stat(follow_symlinks=False)
            inner = entry.is_dir(follow_symlinks=False)
        except OSError:
            continue
        if inner:
            yield from _walk(Path(entry.path))


def free_bytes(folder: Path, quota_bytes: int = 0) -> int:
    """Returns the room left for the agent: what the file system gives, and what is left of its quota (0 = no quota)."""
    status = os.statvfs(folder)
    room = status.f_bavail * status.f_frsize
    return min(room, max(0, quota_bytes - used_bytes(folder))) if quota_bytes else room
