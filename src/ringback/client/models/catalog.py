"""Device classes, blobs, artifacts, releases."""

from __future__ import annotations

from ringback.client.models.base import Answer, Request


class TextRequest(Request, frozen=True):
    """A document as its author wrote it: YAML or JSON text."""

    yaml: str


class ClassPlane(Answer, frozen=True):
    """One plane of a device class. `cost_ms`: what one switch costs."""

    name: str
    kind: str
    backend: str
    cost_ms: int


class DeviceClass(Answer, frozen=True):
    """A device class, its newest version. `yaml` only in the answer about one class."""

    id: str
    version: int
    family: str
    digest: str
    capabilities: dict[str, int | str]
    planes: list[ClassPlane]
    poll_ms: int
    devices: int
    yaml: str = ""


class Blob(Answer, frozen=True):
    """An uploaded file."""

    sha256: str
    size_bytes: int


class ArtifactFile(Answer, frozen=True):
    """One file of an artifact."""

    path: str
    role: str
    size_bytes: int
    sha256: str


class Artifact(Answer, frozen=True):
    """A published artifact.

    Attributes:
        ref: `plane/name@version`.
        requires: constraints on other planes (`app`) and capabilities (`cap:ram_mb`).
        is_frozen: nobody may newly activate it.
        devices: how many say that they run it.
        manifest: the exact manifest as text; only in the answer about one artifact.
    """

    digest: str
    ref: str
    plane: str
    kind: str
    name: str
    version: str
    classes: list[str]
    epoch: int
    requires: dict[str, str]
    size_bytes: int
    files: list[ArtifactFile]
    published_at_ms: int
    is_frozen: bool
    devices: int
    manifest: str = ""


class Release(Answer, frozen=True):
    """A registered release. `versions`: plane to artifact as the document says; `yaml` only in the answer about one."""

    id: str
    versions: dict[str, str]
    targets: str
    rings: list[str]
    reason: str
    created_at_ms: int
    rollouts: list[str]
    yaml: str = ""
