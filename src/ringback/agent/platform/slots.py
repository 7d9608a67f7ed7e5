"""Slots of one plane: a folder per artifact, and the pointer to the active one. Shared by all backends that use files.

    <folder>/slots/<first 16 hex digits of the digest>/...     the files, and manifest.json
    <folder>/current -> slots/<16 hex digits>

Invariants:

- A slot appears whole, by one rename, after everything in it is durable; a slot with this name but other bytes is
  thrown away and built anew (a retry never trusts what an earlier attempt left, rauc/rauc#1554).
- Nothing below a slot is a symlink or a special file; files are hard links into the content store, read-only.
- The digest of what runs is computed from the bytes. Hashes are remembered by inode, size and times of a file.
"""

import json
import os
import stat
from collections.abc import Collection
from pathlib import Path

from ringback.agent.errors import PortError
from ringback.agent.files import Disk
from ringback.agent.manifest import MANIFEST_LIMIT_BYTES, MANIFEST_NAME, Manifest, digest_of, hex_of, parse
from ringback.agent.ports import Running
from ringback.agent.store import ContentStore, disk_failed, hash_file, read_small

POINTER = "current"
NAME_DIGITS = 16
UNKNOWN_VERSION = "0.0.0"


def slot_name(digest: str) -> str:
    """Returns the name of an artifact's slot. Raises PortError when the digest is none."""
    return hex_of(digest)[:NAME_DIGITS]


class Slots:
    """All slots of one plane."""

    def __init__(self, folder: Path, disk: Disk, store: ContentStore) -> None:
        self.folder = folder
        self._slots = folder / "slots"
        self._pointer = folder / POINTER
        self._disk = disk
        self._store = store
        self._hashes: dict[str, tuple[tuple[int, ...], str]] = {}
        disk.make_folder(self._slots)

    def stage(self, manifest: Manifest) -> None:
        """Builds the slot of an artifact from the content store. Raises PortError."""
        try:
            self.path(manifest.digest)
            return
        except PortError:
            # Absent, or not what its name says.
            pass
        name = slot_name(manifest.digest)
        if name == self.active_name():
            text = f"the active slot {name} of {self.folder.name} is damaged; it is not rebuilt while it runs"
            raise PortError("RB-AGENT-031", text)
        try:
            self._build(manifest, self._slots / f".{name}.new", self._slots / name)
        except OSError as error:
            raise disk_failed(error, f"stage {manifest.name} {manifest.version}") from error

    def _build(self, manifest: Manifest, aside: Path, slot: Path) -> None:
        for leftover in (aside, slot):
            if leftover.exists() or leftover.is_symlink():
                self._disk.remove(leftover)
        self._disk.make_folder(aside)
        self._disk.link(self._store.path(hex_of(manifest.digest)), aside / MANIFEST_NAME)
        folders = {aside}
        for entry in manifest.files:
            target = aside / entry.path
            self._disk.make_folder(target.parent)
            folders |= {target.parent}
            self._disk.link(self._store.path(entry.sha256_hex), target)
        for folder in folders:
            self._disk.sync_folder(folder)
        self._disk.rename(aside, slot)

    def path(self, digest: str) -> Path:
        """Returns the folder of a staged artifact after hashing it. Raises PortError RB-AGENT-031."""
        manifest = self.manifest(digest)
        wrong = self._wrong_files(self._slots / slot_name(digest), manifest)
        if wrong:
            raise PortError(
                "RB-AGENT-031", f"{manifest.name} {manifest.version}: {wrong[0]} has other bytes in its slot"
            )
        return self._slots / slot_name(digest)

    def manifest(self, digest: str) -> Manifest:
        """Returns the manifest of a staged artifact. Raises PortError RB-AGENT-031."""
        path = self._slots / slot_name(digest) / MANIFEST_NAME
        try:
            manifest = parse(read_small(path, MANIFEST_LIMIT_BYTES))
        except OSError as error:
            raise PortError(
                "RB-AGENT-031", f"{self.folder.name} has no slot {digest[:23]}: {error.strerror}"
            ) from error
        except PortError as error:
            raise PortError("RB-AGENT-031", f"the slot {digest[:23]} is damaged: {error.message}") from error
        if manifest.digest != digest:
            raise PortError("RB-AGENT-031", f"the slot of {digest[:23]} holds {manifest.digest[:23]}")
        return manifest

    def active_name(self) -> str:
        """Returns the name of the slot that the pointer names, empty when there is none."""
        try:
            target = os.readlink(self._pointer)
        except OSError:
            return ""
        return target.rpartition("/")[2]

    def active(self) -> str:
        """Returns the digest whose slot the pointer names; empty when it names none."""
        name = self.active_name()
        try:
            data = read_small(self._slots / name / MANIFEST_NAME, MANIFEST_LIMIT_BYTES) if name else b""
        except OSError:
            return ""
        return digest_of(data) if data else ""

    def point(self, digest: str) -> None:
        """Switches the pointer to a staged artifact, or removes it. Raises PortError."""
        try:
            if digest:
                self._disk.point(self._pointer, f"slots/{self.path(digest).name}")
            elif self._pointer.is_symlink():
                self._disk.remove(self._pointer)
        except OSError as error:
            raise disk_failed(error, f"switch {self.folder.name}") from error

    def staged(self) -> list[str]:
        """Returns the digests of all whole slots."""
        digests = []
        for path in sorted(self._slots.glob("[!.]*")):
            try:
                digest = digest_of(read_small(path / MANIFEST_NAME, MANIFEST_LIMIT_BYTES))
            except OSError:
                continue
            if slot_name(digest) == path.name:
                digests.append(digest)
        return digests

    def read_back(self, digest: str) -> Running:
        """Returns what a slot really holds: `digest` if every byte is right, else the digest of what is there."""
        try:
            manifest = self.manifest(digest)
        except PortError:
            return Running(digest_of(digest.encode()), UNKNOWN_VERSION)
        wrong = self._wrong_files(self._slots / slot_name(digest), manifest)
        if not wrong:
            return Running(digest, manifest.version, manifest.requires)
        return Running(self._digest_found(manifest), manifest.version, manifest.requires)

    def keep(self, digests: Collection[str]) -> None:
        """Removes every slot but these and the active one, and what an interrupted `stage` left."""
        names = {slot_name(digest) for digest in digests} | {self.active_name()}
        for path in sorted(self._slots.iterdir()):
            if path.name not in names:
                self._disk.remove(path)
        self._hashes = {path: known for path, known in self._hashes.items() if Path(path).exists()}

    def _wrong_files(self, slot: Path, manifest: Manifest) -> list[str]:
        found = {entry.path: self._hash(slot, entry.path, entry.size_bytes) for entry in manifest.files}
        return [entry.path for entry in manifest.files if found[entry.path] != entry.sha256_hex]

    def _digest_found(self, manifest: Manifest) -> str:
        """The digest that a manifest of the present bytes would have."""
        slot = self._slots / slot_name(manifest.digest)
        files = [[entry.path, self._hash(slot, entry.path, entry.size_bytes)] for entry in manifest.files]
        return digest_of(json.dumps([manifest.digest, files], sort_keys=True).encode())

    def _hash(self, slot: Path, path: str, size_bytes: int) -> str:
        """Returns the SHA-256 of a plain file in a slot; empty for anything else, also below a symlinked folder."""
        full = slot / path
        try:
            status = os.lstat(full)
            if not stat.S_ISREG(status.st_mode) or status.st_size != size_bytes or _is_below_link(slot, full):
                return ""
        except OSError:
            return ""
        mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._hashes.get(str(full))
        if known is None or known[0] != mark:
            known = (mark, hash_file(full, limit_bytes=size_bytes)[1])
            self._hashes[str(full)] = known
        return known[1]


def _is_below_link(slot: Path, path: Path) -> bool:
    while path != slot:
        path = path.parent
        if path.is_symlink():
            return True
    return False
