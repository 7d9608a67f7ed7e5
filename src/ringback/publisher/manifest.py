"""The manifest of an artifact: which files it has, what they hash to, what it requires of the other planes.

What it decides: the canonical bytes, whose SHA-256 is the artifact's digest and its name for ever.
What it never does: pack files into an archive; they are stored and fetched one by one, by digest.

Canonical: JSON, keys sorted, no spaces, ASCII, integers only. The same description gives the same bytes anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ringback.publisher.errors import ManifestRefused

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]

FORMAT: Final = 1
# What an agent accepts (DESIGN section 12); 4 KiB for ESP32 classes, which the server checks against the class.
MANIFEST_LIMIT_BYTES: Final = 64 * 1024
PATH_LIMIT: Final = 128
ROLES: Final = frozenset({"model", "labels", "golden", "input", "code", "schema", "config", "asset"})
KINDS: Final = frozenset({"firmware", "model", "config"})
PATH_PATTERN: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
PLANE_PATTERN: Final = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)?")
NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of an artifact. `path` is relative and safe to join to a slot; `sha256` is 64 hex digits."""

    path: str
    role: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What an artifact is called, for which device classes it is, and what it requires."""

    plane: str
    kind: str
    name: str
    version: str
    classes: tuple[str, ...]
    requires: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0

    @property
    def ref(self) -> str:
        """`plane/name@version`, as people write it."""
        return f"{self.plane}/{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Package:
    """An artifact ready to be published: its manifest's exact bytes, and where each file lies, by SHA-256."""

    identity: Identity
    manifest: bytes
    blobs: Mapping[str, Path]

    @property
    def digest(self) -> str:
        """The artifact's digest: `sha256:` and 64 hex digits, of the manifest's bytes."""
        return "sha256:" + hashlib.sha256(self.manifest).hexdigest()


def pack(identity: Identity, files: Mapping[str, tuple[str, Path]], meta: Mapping[str, Json]) -> Package:
    """Describe files as an artifact.

    Args:
        files: path in the artifact -> (role, file on this machine).
        meta: what the plane's kind adds, for example a model's signature.

    Raises ManifestRefused: a name, path or role that no device accepts, a file that can't be read, or a manifest
    above MANIFEST_LIMIT_BYTES.
    """
    _check_identity(identity)
    if not files:
        raise ManifestRefused(f"{identity.ref} has no files", "an artifact holds at least one")
    entries = [entry(path, role, file) for path, (role, file) in sorted(files.items())]
    body: dict[str, Json] = {
        "v": FORMAT,
        "plane": identity.plane,
        "kind": identity.kind,
        "name": identity.name,
        "version": identity.version,
        "classes": list(identity.classes),
        "epoch": identity.epoch,
        "requires": dict(identity.requires),
        "files": [
            {"path": one.path, "role": one.role, "size_bytes": one.size_bytes, "sha256": one.sha256} for one in entries
        ],
        "meta": dict(meta),
    }
    manifest = canonical(body)
    if len(manifest) > MANIFEST_LIMIT_BYTES:
        found = f"the manifest of {identity.ref} has {len(manifest)} bytes; at most {MANIFEST_LIMIT_BYTES} are accepted"
        raise ManifestRefused(found, "put fewer files into the artifact")
    blobs = {one.sha256: files[one.path][1] for one in entries}
    return Package(identity, manifest, blobs)


def unpack(manifest: bytes, folder: Path) -> Package:
    """The package of a manifest made by `pack` before, whose files lie under `folder` at their paths.

    Raises ManifestRefused: a file is missing or has changed since.
    """
    body = json.loads(manifest)
    identity = Identity(
        plane=body["plane"],
        kind=body["kind"],
        name=body["name"],
        version=body["version"],
        classes=tuple(body["classes"]),
        requires=body["requires"],
        epoch=body["epoch"],
    )
    blobs = {}
    for one in body["files"]:
        file = folder / one["path"]
        found = entry(one["path"], one["role"], file)
        if found.sha256 != one["sha256"]:
            raise ManifestRefused(
                f"{identity.ref}: {one['path']} has SHA-256 {found.sha256}; its manifest says {one['sha256']}",
                "an artifact never changes: give new bytes a new version",
            )
        blobs[found.sha256] = file
    return Package(identity, manifest, blobs)


def entry(path: str, role: str, file: Path) -> FileEntry:
    """Hash one file. Raises ManifestRefused: a path or role that no device accepts, or no readable file."""
    parts = path.split("/")
    if not PATH_PATTERN.fullmatch(path) or len(path) > PATH_LIMIT or "." in parts or ".." in parts:
        hint = f"use letters, digits, dot, dash and underscore, at most {PATH_LIMIT} characters, no leading slash"
        raise ManifestRefused(f"{path!r} is no path a device accepts", hint)
    if role not in ROLES:
        raise ManifestRefused(f"{path}: {role!r} is no role", f"use one of {', '.join(sorted(ROLES))}")
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            return FileEntry(path, role, opened.tell(), digest)
    except OSError as cause:
        raise ManifestRefused(f"{path}: {cause.strerror or cause}", "check the file") from cause


def canonical(value: Json) -> bytes:
    """The one byte sequence of a JSON value: sorted keys, no spaces, ASCII. Floats are a bug: units are integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _check_identity(identity: Identity) -> None:
    if not PLANE_PATTERN.fullmatch(identity.plane):
        raise ManifestRefused(f"{identity.plane!r} is no plane name", 'for example "app", "config" or "model/face"')
    if identity.kind not in KINDS:
        raise ManifestRefused(f"{identity.kind!r} is no kind of plane", f"use one of {', '.join(sorted(KINDS))}")
    if not NAME_PATTERN.fullmatch(identity.name):
        raise ManifestRefused(
            f"{identity.name!r} is no artifact name", "lower-case letters, digits and dashes, 2 to 63 characters"
        )
    if not identity.classes:
        raise ManifestRefused(f"{identity.ref} names no device class", "say for which classes of device it is")
