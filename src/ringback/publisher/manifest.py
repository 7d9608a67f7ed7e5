"""Packs files as an artifact: hashes them, writes the manifest, and reads a packed one back.

What it decides: the canonical bytes, whose SHA-256 is the artifact's digest and its name for ever. What a manifest may
say is `ringback.spec.artifact`'s to decide; every manifest made here has passed it.
What it never does: put files into an archive; they are stored and fetched one by one, by digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ringback.publisher.errors import ManifestRefused
from ringback.spec.artifact import Artifact, encode_manifest, parse_manifest
from ringback.spec.canonical import Json

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What an artifact is called, for which device classes it is, and what it requires of other planes."""

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
    """An artifact ready to be published, and where the bytes of each file lie, by SHA-256 (64 hex digits)."""

    artifact: Artifact
    blobs: Mapping[str, Path]

    @property
    def identity(self) -> Identity:
        """What was asked for when it was packed."""
        one = self.artifact
        requires = {need.subject: str(need.constraint) for need in one.requires}
        return Identity(one.plane, one.kind, one.name, str(one.version), one.classes, requires, one.epoch)

    @property
    def digest(self) -> str:
        """The artifact's digest: `sha256:` and 64 hex digits, of the manifest's bytes."""
        return self.artifact.digest

    @property
    def manifest(self) -> bytes:
        """The manifest's exact bytes."""
        return self.artifact.manifest

    def of_role(self, role: str) -> list[tuple[str, Path]]:
        """Path in the artifact and file on this machine, of all files in a role."""
        return [(one.path, self.blobs[one.sha256]) for one in self.artifact.files if one.role == role]


def pack(identity: Identity, files: Mapping[str, tuple[str, Path]], meta: Mapping[str, Json]) -> Package:
    """Describe files as an artifact.

    Args:
        files: path in the artifact -> (role, file on this machine).
        meta: what the plane's kind adds, for example a model's signature.

    Raises:
        SpecError: a name, path, role or size that no device accepts; all of them are named.
        ManifestRefused: a file can't be read.
    """
    entries: list[Json] = []
    blobs: dict[str, Path] = {}
    for path, (role, file) in sorted(files.items()):
        size_bytes, sha256 = measure_file(path, file)
        entries.append({"path": path, "role": role, "size_bytes": size_bytes, "sha256": sha256})
        blobs[sha256] = file
    body: dict[str, Json] = {
        "v": FORMAT,
        "plane": identity.plane,
        "kind": identity.kind,
        "name": identity.name,
        "version": identity.version,
        "classes": list(identity.classes),
        "epoch": identity.epoch,
        "requires": dict(identity.requires),
        "files": entries,
        "meta": dict(meta),
    }
    return Package(parse_manifest(encode_manifest(body), identity.ref), blobs)


def unpack(manifest: bytes, folder: Path) -> Package:
    """The package of a manifest made before, whose files lie under `folder` at their paths.

    Raises:
        SpecError: not a manifest.
        ManifestRefused: a file is missing or has changed since.
    """
    artifact = parse_manifest(manifest)
    blobs = {}
    for one in artifact.files:
        file = folder / one.path
        _, found = measure_file(one.path, file)
        if found != one.sha256:
            raise ManifestRefused(
                f"{artifact}: {one.path} has SHA-256 {found}; its manifest says {one.sha256}",
                "an artifact never changes: give new bytes a new version",
            )
        blobs[one.sha256] = file
    return Package(artifact, blobs)


def measure_file(path: str, file: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of one file. Raises ManifestRefused: it can't be read."""
    try:
        with file.open("rb") as opened:
            return file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as cause:
        raise ManifestRefused(f"{path}: {cause.strerror or cause}", "check the file") from cause
