"""The slots and pointers of one simulated device: the truth about what it holds and what it runs.

Decides: whether bytes are whole. Never: whether they may run; that is the agent's business, and the checkers watch it.

Invariants:

- A slot is whole only if its manifest hashes to the slot's digest and every file hashes to what the manifest says.
- Switching pointers is atomic, and durable when it returns.
- Bytes are shared between devices: a fleet of hundreds holds each artifact once in memory.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MANIFEST_LIMIT_BYTES = 65536
DIGEST_PREFIX = "sha256:"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a simulated device reads from an artifact's manifest."""

    raw: bytes
    digest: str
    plane: str
    name: str
    version: str
    requires: Mapping[str, str]
    files: tuple[tuple[str, str, int, str], ...]
    """(path, role, size_bytes, sha256 hex) of each file."""

    def path_of(self, role: str) -> str | None:
        return next((path for path, kind, _, _ in self.files if kind == role), None)


def read_manifest(raw: bytes) -> Manifest:
    """Parses a manifest's canonical bytes.

    Raises:
        ValueError: they are too long, no JSON, or lack a field.
    """
    if len(raw) > MANIFEST_LIMIT_BYTES:
        raise ValueError(f"a manifest of {len(raw)} bytes; at most {MANIFEST_LIMIT_BYTES} are allowed")
    try:
        obj = json.loads(raw)
        files = tuple((f["path"], f["role"], f["size_bytes"], f["sha256"]) for f in obj["files"])
        digest = DIGEST_PREFIX + hashlib.sha256(raw).hexdigest()
        return Manifest(raw, digest, obj["plane"], obj["name"], obj["version"], dict(obj.get("requires", {})), files)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a manifest: {error!r}") from error


@dataclass(slots=True)
class Slot:
    """One artifact on one device. `files` are bytes by path; a file that is not there yet is absent."""

    manifest: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)


def is_whole(digest: str, slot: Slot) -> bool:
    """Whether the bytes in a slot are exactly what the digest promises."""
    if DIGEST_PREFIX + hashlib.sha256(slot.manifest).hexdigest() != digest:
        return False
    manifest = read_manifest(slot.manifest)
    return all(
        path in slot.files and len(slot.files[path]) == size and _sha256(slot.files[path]) == sha256
        for path, _, size, sha256 in manifest.files
    )


class Planes:
    """All slots of a device by digest, and the pointer of each plane."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self.active: dict[str, str] = {}
        self.switch_count = 0

    def slot(self, digest: str) -> Slot:
        """The slot of a digest, made empty when it is not there."""
        return self.slots.setdefault(digest, Slot())

    def manifest(self, digest: str) -> Manifest | None:
        """The manifest in a slot, or None while there is none."""
        slot = self.slots.get(digest)
        return read_manifest(slot.manifest) if slot is not None and slot.manifest else None

    def switch(self, changes: Sequence[tuple[str, str]]) -> None:
        """Points each plane to a digest; "" leaves the plane empty.

        Raises:
            KeyError: a digest has no slot.
        """
        for _, digest in changes:
            if digest and digest not in self.slots:
                raise KeyError(digest)
        for plane, digest in changes:
            if digest:
                self.active[plane] = digest
            else:
                self.active.pop(plane, None)
        self.switch_count += 1

    def prune(self, keep: frozenset[str]) -> None:
        """Deletes every slot but those to keep and those that run."""
        keep = keep | frozenset(self.active.values())
        for digest in [digest for digest in self.slots if digest not in keep]:
            del self.slots[digest]

    def wholeness(self) -> dict[str, bool]:
        """Whether each slot is whole, by digest."""
        return {digest: is_whole(digest, slot) for digest, slot in self.slots.items()}

    def running(self) -> dict[str, str]:
        return dict(self.active)


_HASHES: dict[int, tuple[bytes, str]] = {}
# Each artifact file of a world is one bytes object; a few hundred are plenty, and the bound keeps a long world small.
_HASHES_LIMIT = 512


def _sha256(data: bytes) -> str:
    """SHA-256 of immutable bytes, remembered per object: hundreds of devices hold the same one."""
    known = _HASHES.get(id(data))
    if known is not None and known[0] is data:
        return known[1]
    if len(_HASHES) >= _HASHES_LIMIT:
        _HASHES.clear()
    digest = hashlib.sha256(data).hexdigest()
    _HASHES[id(data)] = (data, digest)
    return digest
